"""Attributes, documents and images in the ledger: a row for each."""

import hashlib
from collections.abc import Sequence

from uptake.uploader.ledger import ACKNOWLEDGED, PENDING, SENT, rejections
from uptake.uploader.ledger.rejections import Rejection
from uptake.uploader.ledger.runs import Run

IDENTITY_BYTES = 16
CONTENT_BYTES = 8
AT_ONCE = 1000
"""Items looked up in one statement; SQLite takes 32,766 values."""

Entry = tuple[bytes, bytes]
"""An identity and a content."""


def identity(*parts: str | bytes) -> bytes:
    """A digest of what makes an item the same."""
    return _digest(parts, IDENTITY_BYTES)


def content(*parts: str | bytes) -> bytes:
    """A digest of an item's value."""
    return _digest(parts, CONTENT_BYTES)


def _digest(parts: Sequence[str | bytes], size: int) -> bytes:
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def known(run: Run, identities: Sequence[bytes]) -> dict[bytes, bytes]:
    """Contents of the items that are acknowledged, or in flight in this run."""
    found: dict[bytes, bytes] = {}
    for at in range(0, len(identities), AT_ONCE):
        some = identities[at : at + AT_ONCE]
        marks = ",".join(f"?{number}" for number in range(4, 4 + len(some)))
        found.update(
            run.rows(
                "SELECT identity, content FROM items WHERE destination = ?1"  # noqa: S608
                f" AND (state = ?2 OR run = ?3) AND identity IN ({marks})",
                *(ACKNOWLEDGED, run.number, *some),
            )
        )
    return found


def is_of_this_run(run: Run, identity: bytes) -> bool:
    """Whether this run has read an item before."""
    found = run.rows(
        "SELECT 1 FROM items WHERE destination = ?1 AND identity = ?2 AND run = ?3",
        *(identity, run.number),
    )
    return bool(found)


def set_pending(run: Run, entries: Sequence[Entry]) -> None:
    """Record that items are assigned to a request."""
    with run.transaction():
        run.write_all(
            "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT DO UPDATE SET"
            " content = excluded.content, state = excluded.state, run = excluded.run",
            [(*entry, PENDING, run.number) for entry in entries],
        )


def set_sent(run: Run, entries: Sequence[Entry]) -> None:
    """Record, before a request is sent, that its items are."""
    with run.transaction():
        run.write_all(
            "UPDATE items SET state = ?4, attempts = attempts + 1"
            " WHERE destination = ?1 AND identity = ?2 AND content = ?3",
            [(*entry, SENT) for entry in entries],
        )


def settle(
    run: Run,
    stored: Sequence[tuple[str, bytes, Sequence[Entry]]],
    removed: Sequence[Entry],
    rejected: Sequence[Rejection],
) -> None:
    """Record the answer to a request.

    Args:
        run: this run.
        stored: user, identity and entries of what the receiver stores.
        removed: entries of what it rejected.
        rejected: the same with the reasons.
    """
    with run.transaction():
        run.write_all(
            "UPDATE items SET state = ?4 WHERE destination = ?1 AND identity = ?2 AND content = ?3",
            [(*entry, ACKNOWLEDGED) for _, _, entries in stored for entry in entries],
        )
        run.write_all(
            "DELETE FROM items WHERE destination = ?1 AND identity = ?2 AND content = ?3",
            [*removed],
        )
        rejections.store(run, rejected)
        if run.rows("SELECT 1 FROM refusals WHERE destination = ?1 LIMIT 1"):
            run.write_all(
                "UPDATE refusals SET mended = 1"
                " WHERE destination = ?1 AND user_id = ?2 AND metric = '' AND identity = ?3",
                [(user_id, identity) for user_id, identity, _ in stored],
            )
