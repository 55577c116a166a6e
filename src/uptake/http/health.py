"""Whether the server lives, and whether it can work."""

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from uptake.http.access import PUBLIC
from uptake.http.api.asking import PROBLEMS
from uptake.http.api.routes import PREFIX
from uptake.http.executors import BoundedExecutor
from uptake.http.stopping import Stopping
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.wiring import Services


class Health(Struct, frozen=True):
    """`ok`, always: what is not ok is answered with 503."""

    status: str = "ok"


def health_routes(
    services: Services, stopping: Stopping, executor: BoundedExecutor
) -> list[HTTPRouteHandler]:
    """The routes, over these services, which are asked in this executor."""

    @get(
        ["/health/live", f"{PREFIX}/health/live"],
        summary="Does the process answer?",
        permission=PUBLIC,
    )
    async def live() -> Health:
        """Asks nothing of storage, so that a restart is not tried for what it cannot mend."""
        return Health()

    @get(
        ["/health/ready", f"{PREFIX}/health/ready"],
        responses={503: PROBLEMS[503]},
        summary="Can requests be served?",
        permission=PUBLIC,
    )
    async def ready() -> Health:
        """Reads from the store; 503 while it cannot, and once the server is to stop."""
        stopping.reject()
        try:
            await executor.run(services.store.ping)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        return Health()

    return [live, ready]
