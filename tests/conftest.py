"""Fixtures for all tests: live servers, databases and object stores."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Before they are imported, so that their assertions show what they compared.
pytest.register_assert_rewrite(
    "uptake.testing.store", "uptake.testing.blobs", "uptake.testing.vectors"
)

# A shell's background job ignores Ctrl-C, and with it every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The time of an example depends more on the machine than on the property.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

from chromium import Chromium, chromium  # noqa: E402
from deployments import Deployment, deployed  # noqa: E402
from nodes import two_nodes  # noqa: E402
from service_probe import probing  # noqa: E402
from uptake.testing.citus import cluster  # noqa: E402
from uptake.testing.live import LiveServer, serving  # noqa: E402
from uptake.testing.postgres import Postgres, postgres  # noqa: E402
from uptake.testing.seaweedfs import SeaweedFS, object_store  # noqa: E402

SPREAD = {
    f"tests/{name}.py"
    for name in (
        "cli/test_export",
        "cli/test_init",
        "cli/test_serve",
        "contract/test_hostile_walk",
        "docs/test_examples",
        "http_/api/test_segments",
        "http_/test_access",
        "reading/segments/test_user_index",
        "store/test_migrations_postgres",
        "uploader/test_sending_hostile_servers",
    )
}
"""Files of long tests that share no fixture but those of the session."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """All tests of a file run in one process, except those of long files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file in SPREAD else file


FIRST = (
    *("faults/", "delivery/", "deploy/", "console/", "uploader/test_sending_killed.py"),
    *("contract/test_hostile_walk.py", "docs/test_add_a_store.py", "docs/test_reader.py"),
    *("docs/test_site.py", "reading/segments/test_user_index.py"),
)
"""Tests that mostly wait, for servers to start and to stop, then long ones. At the end, the other
processes would have nothing to run beside them."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, after their tests are shuffled: the first ones, then the largest first."""
    sizes = Counter(item.path for item in items)
    root = Path(__file__).parent

    def place(item: pytest.Item) -> tuple[int, int, str]:
        inside = item.path.relative_to(root).as_posix()
        first = (at for at, start in enumerate(FIRST) if inside.startswith(start))
        return next(first, len(FIRST)), -sizes[item.path], inside

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Replace the scheduling of `--dist`."""
    return Scheduling(config, log)


CLUSTER = os.environ.get("UPTAKE_TEST_CLUSTER", "")
"""URL of the coordinator of a cluster with Citus, by `make test-cluster`."""

collect_ignore = [] if CLUSTER else ["cluster"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that do not stop it; each creates its own database.

    With `CLUSTER`, it is the coordinator.
    """
    with cluster(CLUSTER) if CLUSTER else postgres() as server:
        yield server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that neither stop it nor count what it stores."""
    with serving(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def key(live: LiveServer) -> str:
    """An API key of the live server with all scopes in the default project."""
    return live.create_key()


@pytest.fixture(scope="session")
def honest_key(live: LiveServer) -> str:
    """An API key of the live server, in its own project, for honest uploads during an attack."""
    live.command("projects", "create", "honest")
    return live.create_key("samples:write", project="honest")


@pytest.fixture
def served_throughout(live: LiveServer, honest_key: str) -> Iterator[None]:
    """Checks that the live server answers honest clients in time during the whole test."""
    with probing([live.url], honest_key):
        yield


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One object store for all tests, each under its own prefix; a test may kill it."""
    with object_store(tmp_path_factory.mktemp("seaweedfs") / "data") as store:
        yield store


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """One browser for all tests, each with pages of its own."""
    with chromium() as found:
        yield found


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The path of a folder for the test's own server; it does not exist yet."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def on_sqlite(live: LiveServer) -> Iterator[Deployment]:
    """One server, which stores everything in a folder."""
    with deployed([live]) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def on_postgresql(
    postgresql: Postgres, seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Two servers that take turns, one with two processes; images are in an object store."""
    database = postgresql.create("contract")
    with (
        two_nodes(
            tmp_path_factory.mktemp("nodes"),
            database,
            seaweedfs.url("nodes/images"),
            **seaweedfs.environment,
        ) as servers,
        deployed(servers, postgresql) as deployment,
    ):
        yield deployment


@pytest.fixture(params=["on_sqlite", "on_postgresql"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """The servers that the test uses."""
    found: Deployment = request.getfixturevalue(request.param)
    return found
