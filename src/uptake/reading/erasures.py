"""What was erased, and the proof of it."""

import hashlib
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from uptake.model import clock
from uptake.model.ids import Secrets
from uptake.reading import Unknown, Uuid, from_cursor, signatures, to_cursor
from uptake.store.base import Erasures, Installation
from uptake.store.stored import Erasure

SIGNED = "uptake erasure receipt"
"""How a signed text begins, so that no other signature can be taken for that of a receipt."""


class ErasureReceipt(Struct, frozen=True):
    """What was erased of a user.

    Attributes:
        erasure_id: its id.
        user_hash: hexadecimal HMAC-SHA256 of the user id with a secret of the installation, which
            alone can tell whose it is.
        erased_at: RFC 3339.
        finished_at: when the last bytes had left the blob store; null while they are being removed.
        counts: what there was, by kind; samples as they were received, repeats included.
        digest: hexadecimal SHA-256 of the members above but `finished_at`, joined by line feeds,
            counts as `kind=number` in the order of the alphabet.
        key_id: of the public key by which the signature is checked.
        signature: Ed25519, Base64, of the text `uptake erasure receipt` and the members above but
            `digest` and `key_id`, in the same form, with `finished_at` (empty where it is null)
            after `erased_at`.
    """

    erasure_id: str
    user_hash: str
    erased_at: str
    finished_at: str | None
    counts: dict[str, int]
    digest: str
    key_id: str
    signature: str


class ErasurePage(Struct, frozen=True):
    """Erasures in the order in which they were made."""

    erasures: list[ErasureReceipt]
    next: str | None


def erasure_receipt(erasure: Erasure, secrets: Secrets) -> ErasureReceipt:
    """An erasure as it is shown, signed."""
    erased_at = clock.iso(erasure.erased_at)
    text = "\n".join([erasure.erasure_id, erasure.user_hash, erased_at, *_counted(erasure.counts)])
    receipt = ErasureReceipt(
        erasure.erasure_id,
        erasure.user_hash,
        erased_at,
        None if erasure.finished_at is None else clock.iso(erasure.finished_at),
        erasure.counts,
        hashlib.sha256(text.encode()).hexdigest(),
        signatures.public_key(secrets.signing).key_id,
        "",
    )
    return replace(receipt, signature=signatures.sign(secrets.signing, signed_text(receipt)))


def signed_text(receipt: ErasureReceipt) -> bytes:
    """What the signature of a receipt is of."""
    lines = [SIGNED, receipt.erasure_id, receipt.user_hash, receipt.erased_at]
    return "\n".join([*lines, receipt.finished_at or "", *_counted(receipt.counts)]).encode()


def _counted(counts: dict[str, int]) -> list[str]:
    return [f"{kind}={count}" for kind, count in sorted(counts.items())]


class ErasureStore(Erasures, Installation, Protocol):
    """The ports that receipts of erasures are made from."""


def erasure(store: ErasureStore, project: str, erasure_id: str) -> ErasureReceipt:
    """What was erased under this id.

    Raises:
        Unknown: there is none.
    """
    found = store.erasure(project, erasure_id)
    if found is None:
        raise Unknown(erasure_id)
    return erasure_receipt(found, store.secrets())


def page(store: ErasureStore, project: str, cursor: str | None, limit: int) -> ErasurePage:
    """Erasures, at most `limit` of them, from a cursor on.

    Raises:
        BadCursor: the cursor was not given by this server.
    """
    after: str = from_cursor(cursor, Uuid) if cursor else ""
    found = store.erasures(project, after, limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    receipts = [erasure_receipt(one, store.secrets()) for one in shown]
    return ErasurePage(receipts, to_cursor(shown[-1].erasure_id) if more else None)
