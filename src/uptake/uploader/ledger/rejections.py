"""What was rejected, with the reasons, until it is mended."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from uptake.formats.encoder import Rejected
from uptake.uploader.ledger import Ledger
from uptake.uploader.ledger.runs import Run

MAX_REASONS = 100
"""Reasons that are kept of one item, of however many a receiver gives."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that the receiver has against an item, in its words."""

    message: str
    code: str = ""
    field: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """An item that was rejected.

    Attributes:
        user_id, metric: where it belongs; `metric` is "" for what is no sample.
        identity, content: by what it is known again.
        file, line: where it stands.
        reasons: why, at least one.
        item: the item as an object that a source of its kind reads, as JSON text.
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
        """The same, found in another place."""
        return structs.replace(self, file=file, line=line)


def reasons_of(faults: Sequence[Rejected]) -> list[Reason]:
    """What an answer says against an item; of very many faults the first."""
    return [Reason(fault.message, fault.code, fault.field) for fault in faults[:MAX_REASONS]]


_reasons = msgspec.json.Decoder(tuple[Reason, ...])


def note(run: Run, rejections: Iterable[Rejection]) -> None:
    """Note what was rejected; what was before, and is again, with its new reasons."""
    run.ledger.write_all(
        "INSERT OR REPLACE INTO refusals (destination, user_id, metric, identity, content,"
        " file, line, reasons, item) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run.destination,
                one.user_id,
                one.metric,
                one.identity,
                one.content,
                one.file,
                one.line,
                msgspec.json.encode(one.reasons),
                one.item,
            )
            for one in rejections
        ],
    )


def find(run: Run, user_id: str, metric: str, identity: bytes, content: bytes) -> Rejection | None:
    """What was noted of an item that was rejected."""
    rows = run.ledger.rows(
        "SELECT file, line, reasons, item FROM refusals WHERE destination = ? AND user_id = ?"
        " AND metric = ? AND identity = ? AND content = ?",
        run.destination,
        user_id,
        metric,
        identity,
        content,
    )
    for file, line, reasons, item in rows:
        told = _reasons.decode(reasons)
        return Rejection(user_id, metric, identity, content, file, line, told, item)
    return None


def open_of(run: Run, user_id: str, metric: str) -> list[tuple[int, bytes]]:
    """Numbers and identities of what is rejected and not mended."""
    return [
        (number, identity)
        for number, identity in run.ledger.rows(
            "SELECT id, identity FROM refusals"
            " WHERE destination = ? AND user_id = ? AND metric = ? AND mended = 0",
            run.destination,
            user_id,
            metric,
        )
    ]


def mend(ledger: Ledger, numbers: Sequence[int]) -> None:
    """Note that something of the same identity is now kept."""
    ledger.write_all("UPDATE refusals SET mended = 1 WHERE id = ?", [(n,) for n in numbers])
