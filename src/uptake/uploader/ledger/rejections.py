"""Rejected items with their reasons, until a corrected one is stored."""

from collections.abc import Sequence

import msgspec
from msgspec import structs

from uptake.formats.encoder import Rejected
from uptake.uploader.ledger.runs import Run

MAX_REASONS = 100
"""Reasons that are stored for one item, however many a receiver returns."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault of an item, in the receiver's words."""

    message: str
    code: str = ""
    field: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """An item that was rejected.

    Attributes:
        user_id, metric: what it belongs to; `metric` is "" unless it is a sample.
        identity, content: digests that find it again.
        file, line: where it was read.
        reasons: at least one.
        item: the item as JSON that a source of its kind reads.
    """

    user_id: str
    metric: str
    identity: bytes
    content: bytes
    file: str
    line: int
    reasons: tuple[Reason, ...]
    item: bytes

    def at(self, file: str, line: int) -> "Rejection":
        """The same rejection, found in another place."""
        return structs.replace(self, file=file, line=line)


def reasons_of(faults: Sequence[Rejected]) -> list[Reason]:
    """The faults that an answer lists, at most `MAX_REASONS`."""
    return [Reason(fault.message, fault.code, fault.field) for fault in faults[:MAX_REASONS]]


_reasons = msgspec.json.Decoder(tuple[Reason, ...])


def store(run: Run, rejections: Sequence[Rejection]) -> None:
    """Store rejections; the reasons of one that is repeated are replaced."""
    run.write_all(
        "INSERT OR REPLACE INTO refusals (destination, user_id, metric, identity, content,"
        " file, line, reasons, item) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        [
            (*structs.astuple(one)[:-2], msgspec.json.encode(one.reasons), one.item)
            for one in rejections
        ],
    )


def find(run: Run, user_id: str, metric: str, identity: bytes, content: bytes) -> Rejection | None:
    """The stored rejection of an item."""
    rows = run.rows(
        "SELECT file, line, reasons, item FROM refusals WHERE destination = ?1 AND user_id = ?2"
        " AND metric = ?3 AND identity = ?4 AND content = ?5",
        *(user_id, metric, identity, content),
    )
    for file, line, reasons, item in rows:
        decoded = _reasons.decode(reasons)
        return Rejection(user_id, metric, identity, content, file, line, decoded, item)
    return None
