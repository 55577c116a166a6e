"""Erasures of users, with signed receipts."""

import hashlib
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from uptake.model import clock
from uptake.model.ids import Secrets
from uptake.reading import Page, Unknown, Uuid, signatures
from uptake.reading.bounds import Listing
from uptake.store.base import Erasures, Installation
from uptake.store.stored import Erasure

SIGNED = "uptake erasure receipt"
"""The first line of the signed text, which distinguishes it from everything else that is signed."""


class ErasureReceipt(Struct, frozen=True):
    """The erasure of a user's data.

    Attributes:
        erasure_id: its id.
        user_hash: hexadecimal HMAC-SHA256 of the user id with a secret of the installation, without
            which the hash cannot be linked to the user.
        erased_at: RFC 3339.
        finished_at: when the last bytes were deleted from the blob store; null until then.
        counts: the number of deleted records by kind; samples as received, repeats included.
        digest: hexadecimal SHA-256 of the members above except `finished_at`, joined by line feeds,
            with counts as `kind=number` in alphabetical order.
        key_id: the id of the public key that verifies the signature.
        signature: Ed25519, Base64, of the text `uptake erasure receipt` and the members above
            except `digest` and `key_id`, in the same form, with `finished_at` (empty if null)
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
    """Erasures in chronological order."""

    erasures: list[ErasureReceipt]
    next: str | None


def erasure_receipt(erasure: Erasure, secrets: Secrets) -> ErasureReceipt:
    """Return the signed receipt of an erasure."""
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
    """Return the text that the signature of a receipt covers."""
    lines = [SIGNED, receipt.erasure_id, receipt.user_hash, receipt.erased_at]
    return "\n".join([*lines, receipt.finished_at or "", *_counted(receipt.counts)]).encode()


def _counted(counts: dict[str, int]) -> list[str]:
    return [f"{kind}={count}" for kind, count in sorted(counts.items())]


class ErasureStore(Erasures, Installation, Protocol):
    """The store ports that receipts of erasures are read from."""


def erasure(store: ErasureStore, project: str, erasure_id: str) -> ErasureReceipt:
    """Return the receipt of an erasure.

    Raises:
        Unknown: the erasure does not exist.
    """
    found = store.erasure(project, erasure_id)
    if found is None:
        raise Unknown("erasure", erasure_id)
    return erasure_receipt(found, store.secrets())


def page(store: ErasureStore, project: str, page: Page) -> ErasurePage:
    """Return a page of erasures.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.erasures, project),
        key=lambda one: one.erasure_id,
        cursor_type=Uuid,
        start="",
    )
    found, following = listing.page(page)
    return ErasurePage([erasure_receipt(one, store.secrets()) for one in found], following)
