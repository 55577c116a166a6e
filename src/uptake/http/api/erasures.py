"""Erasure of users, and its receipts."""

from typing import Annotated

from msgspec import Struct

from uptake.http.access import PUBLIC
from uptake.http.api.dependencies import (
    ERASE_PROJECT,
    ERASE_USER,
    Call,
    PageParameters,
    check_id,
    operation,
    query,
)
from uptake.intake.erase import Eraser
from uptake.model.items import user_id_fault
from uptake.model.problems import Kinds, Problem
from uptake.reading import Unknown, erasures, signatures


class Consent(Struct, frozen=True):
    """Whether the user was readmitted; false if the user was not erased."""

    readmitted: bool


@operation("DELETE", "/users/{user_id:str}", ERASE_USER, "Erase a user", slow=True, changes=True)
def erase_user(call: Call, user_id: str) -> erasures.ErasureReceipt:
    """Erases all data of the user and rejects later uploads. The user need not exist."""
    _check_user(user_id)
    erasure = Eraser(call.store, call.services.blobs).erase(call.project, user_id)
    return erasures.erasure_receipt(erasure, call.store.secrets())


@operation(
    "PUT", "/users/{user_id:str}/consent", ERASE_USER, "Readmit an erased user", changes=True
)
def readmit_user(
    call: Call,
    user_id: str,
    *,
    after_erasure: Annotated[
        bool, query("Must be true: the user consented again after the erasure")
    ],
) -> Consent:
    """Accepts new data of the user. Erased data is not restored."""
    _check_user(user_id)
    if not after_erasure:
        raise Problem(Kinds.BAD_REQUEST, "after_erasure must be true")
    return Consent(call.store.readmit(call.project, user_id))


@operation("GET", "/erasures", ERASE_PROJECT, "List erasures")
def list_erasures(call: Call, page: PageParameters) -> erasures.ErasurePage:
    """Ordered by time, the oldest first."""
    return erasures.page(call.store, call.project, page)


@operation("GET", "/erasures/public-key", PUBLIC, "Get the public key for receipts of erasures")
def get_public_key(call: Call) -> signatures.PublicKey:
    """Needs no API key. All projects and nodes have the same key; a restore does not change it."""
    return signatures.public_key(call.store.secrets().signing)


@operation("GET", "/erasures/{erasure_id:str}", ERASE_PROJECT, "Get the receipt of an erasure")
def get_erasure(call: Call, erasure_id: str) -> erasures.ErasureReceipt:
    """Returns the receipt as it was issued; `finished_at` may have been added since."""
    return erasures.erasure(call.store, call.project, check_id("erasure", erasure_id))


def _check_user(user_id: str) -> None:
    if user_id_fault(user_id) is not None:
        raise Unknown("user", user_id)
