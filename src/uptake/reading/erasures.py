"""What was erased, and the proof of it."""

import hashlib

from msgspec import Struct

from uptake.model import clock
from uptake.reading import Unknown, Uuid, from_cursor, to_cursor
from uptake.store.base import Items
from uptake.store.removal_records import Erasure


class ErasureReceipt(Struct, frozen=True):
    """What was erased of a user.

    Attributes:
        erasure_id: its id.
        user_hash: hexadecimal SHA-256 of the user id: who knows the id can tell whose it is.
        erased_at: RFC 3339.
        finished_at: when the last bytes had left the blob store; null while they are being removed.
        counts: what there was, by kind; samples as they were received, repeats included.
        digest: hexadecimal SHA-256 of the members above but `finished_at`, joined by line feeds,
            counts as `kind=number` in the order of the alphabet.
    """

    erasure_id: str
    user_hash: str
    erased_at: str
    finished_at: str | None
    counts: dict[str, int]
    digest: str


class ErasurePage(Struct, frozen=True):
    """Erasures in the order in which they were made."""

    erasures: list[ErasureReceipt]
    next: str | None


def erasure_receipt(erasure: Erasure) -> ErasureReceipt:
    """An erasure as it is shown."""
    erased_at = clock.iso(erasure.erased_at)
    counts = [f"{kind}={count}" for kind, count in sorted(erasure.counts.items())]
    text = "\n".join([erasure.erasure_id, erasure.user_hash, erased_at, *counts])
    return ErasureReceipt(
        erasure.erasure_id,
        erasure.user_hash,
        erased_at,
        None if erasure.finished_at is None else clock.iso(erasure.finished_at),
        erasure.counts,
        hashlib.sha256(text.encode()).hexdigest(),
    )


def erasure(store: Items, project: str, erasure_id: str) -> ErasureReceipt:
    """What was erased under this id.

    Raises:
        Unknown: there is none.
    """
    found = store.erasure(project, erasure_id)
    if found is None:
        raise Unknown(erasure_id)
    return erasure_receipt(found)


def page(store: Items, project: str, cursor: str | None, limit: int) -> ErasurePage:
    """Erasures, at most `limit` of them, from a cursor on.

    Raises:
        BadCursor: the cursor was not given by this server.
    """
    after: str = from_cursor(cursor, Uuid) if cursor else ""
    found = store.erasures(project, after, limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return ErasurePage(
        [erasure_receipt(one) for one in shown], to_cursor(shown[-1].erasure_id) if more else None
    )
