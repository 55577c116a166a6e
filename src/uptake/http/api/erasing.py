"""How users are erased, and what is told of it."""

from typing import Annotated
from urllib.parse import unquote

from litestar import delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Struct

from uptake.http.access import PUBLIC, About, Permission
from uptake.http.api.asking import (
    DEFAULT_LIMIT,
    ERASE_PROJECT,
    PROBLEMS,
    AnyRequest,
    Asking,
    Cursor,
    Limit,
    key_of,
    sound_id,
)
from uptake.http.executors import Executors
from uptake.intake.erase import Eraser
from uptake.model.items import user_id_fault
from uptake.model.problems import Kinds, Problem
from uptake.reading import erasures, signatures
from uptake.wiring import Services

AfterErasure = Annotated[
    bool, Parameter(description="Must be true: the user consents again after it was erased")
]


ERASE_USER = Permission("data:erase", About.USER_IN_PATH)


class Consent(Struct, frozen=True):
    """Whether a user is let in again: false where it was not kept out."""

    readmitted: bool


def erasure_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """The routes, over these services."""
    store = services.store
    eraser = Eraser(store, services.blobs)
    reads, slow = Asking(executors.reads), Asking(executors.slow)

    @delete(
        "/users/{user_id:str}",
        status_code=200,
        permission=ERASE_USER,
        responses=PROBLEMS,
        summary="Erase all that is kept about a user",
    )
    async def erase_user(request: AnyRequest, user_id: str) -> erasures.ErasureReceipt:
        """And keep out what is still on its way. Someone unknown can be erased as well."""
        key, user_id = key_of(request), _user(user_id)
        erasure = await slow.change(request, eraser.erase, key.project, user_id)
        return erasures.erasure_receipt(erasure, store.secrets())

    @put(
        "/users/{user_id:str}/consent",
        permission=ERASE_USER,
        responses=PROBLEMS,
        summary="Let an erased user in again",
    )
    async def readmit_user(
        request: AnyRequest, user_id: str, after_erasure: AfterErasure
    ) -> Consent:
        """Nothing of what was erased comes back; what is sent from now on is kept."""
        key, user_id = key_of(request), _user(user_id)
        if not after_erasure:
            raise Problem(Kinds.BAD_REQUEST, "after_erasure must be true")
        return Consent(await reads.change(request, store.readmit, key.project, user_id))

    @get(
        "/erasures",
        permission=ERASE_PROJECT,
        responses=PROBLEMS,
        summary="What was erased",
    )
    async def list_erasures(
        request: AnyRequest, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> erasures.ErasurePage:
        """In the order in which it was."""
        return await reads.ask(
            request, erasures.page, store, key_of(request).project, cursor, limit
        )

    @get(
        "/erasures/{erasure_id:str}",
        permission=ERASE_PROJECT,
        responses=PROBLEMS,
        summary="The receipt of an erasure",
    )
    async def get_erasure(request: AnyRequest, erasure_id: str) -> erasures.ErasureReceipt:
        """As it was given when the user was erased; `finished_at` may have come since."""
        return await reads.ask(
            request, erasures.erasure, store, key_of(request).project, sound_id(erasure_id)
        )

    @get(
        "/erasures/public-key",
        permission=PUBLIC,
        responses=PROBLEMS,
        summary="The public key that receipts of erasures are signed with",
        sync_to_thread=False,
    )
    def get_public_key() -> signatures.PublicKey:
        """Needs no API key. The same for all projects and nodes, and after a restore."""
        return signatures.public_key(store.secrets().signing)

    return [erase_user, readmit_user, list_erasures, get_public_key, get_erasure]


def _user(part: str) -> str:
    user_id = unquote(part)
    if user_id_fault(user_id) is not None:
        raise Problem(Kinds.NOT_FOUND)
    return user_id
