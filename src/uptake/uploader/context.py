"""What all requests of a run share: options, wire, ledger, counts, and the rejected rows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from uptake.formats.encoder import AnyWire
from uptake.uploader.ledger import rejections
from uptake.uploader.ledger.rejections import Reason, Rejection
from uptake.uploader.ledger.reports import Report
from uptake.uploader.ledger.runs import Run, key_digest
from uptake.uploader.rejected_rows import RejectedRows
from uptake.uploader.sending.connection import Destination
from uptake.uploader.sending.schedule import Job
from uptake.uploader.sources import Unreadable
from uptake.uploader.tally import Tally

PARALLEL = 8
SECONDS = 60.0
PATIENCE = 300.0
START = 15.0
"""Seconds after which a request to a receiver that has never answered is given up."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed request is sent again.

    Attributes:
        first, longest: seconds after the first failed attempt, doubled after each up to `longest`;
            a random half is left out.
        patience: seconds after which a request that never succeeded is given up.
        start: the same while the receiver has never answered: it may be starting.
    """

    first: float = 0.25
    longest: float = 30.0
    patience: float = PATIENCE
    start: float = START


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How to send.

    Attributes:
        to: the receiver.
        key: the API key; "" in a dry run.
        ledger: the file of the ledger.
        parallel: maximum number of requests in flight.
        refused_file: file for rejected and unreadable rows; None for none.
        compressed: whether to compress requests; None to do so if the receiver announces that it
            accepts this and is not on this machine.
        seconds: time limit of an answer.
        retry: when to try again.
        dry_run: read, compare and count, but send nothing and do not change the ledger.
        retry_refused: send again what an earlier run was rejected for.
        notify: called with each message for a person, as soon as there is one.
    """

    to: Destination
    key: str = field(repr=False)
    ledger: Path
    parallel: int = PARALLEL
    refused_file: Path | None = None
    compressed: bool | None = None
    seconds: float = SECONDS
    retry: Retry = field(default_factory=Retry)
    dry_run: bool = False
    retry_refused: bool = False
    notify: Callable[[str], None] = lambda _: None

    @property
    def rejected_path(self) -> Path | None:
        """Where rejected and unreadable rows are written; None for nowhere."""
        return None if self.dry_run else self.refused_file


WireT = TypeVar("WireT", bound=AnyWire)


@dataclass(slots=True)
class UploadContext(Generic[WireT]):
    """What all requests of a run share.

    Attributes:
        wire: the format of the requests.
        run: this run in the ledger.
        tally: the counts.
        rejected_rows: the rows that were rejected or cannot be read.
        put: queues a request to be sent; raises `Stopped` when nothing more is.
        key: the API key; the ledger's user where the wire takes the user from it.
        retry_rejected: whether to send again what an earlier run was rejected for.
        type_name: the type of all documents.
        finishers: called after everything was sent.
        files: names of files, each with a number.
    """

    wire: WireT
    run: Run
    tally: Tally
    rejected_rows: RejectedRows
    put: Callable[[Job], None]
    key: str = ""
    retry_rejected: bool = False
    type_name: str = ""
    finishers: list[Callable[[], None]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """The ledger's name for the user that the key is bound to; "" where users are named."""
        return owner_of(self.wire, self.key)

    def file_number(self, name: str) -> int:
        """The number of a file."""
        if name not in self.files:
            self.files.append(name)
        return self.files.index(name)

    def add_unreadable(self, place: Unreadable) -> None:
        """Count and report a place without an item."""
        is_file = int(not place.line and not place.text)
        self.tally.add(read=1, unreadable=1, unreadable_files=is_file)
        report = Report((Reason(place.reason),), place.text, is_item=False)
        self._report(place.file, place.line, report)

    def report(self, rejection: Rejection, *, is_of_run: bool = True) -> None:
        """Report a rejected item; its line may have changed if it is not of this run's sources."""
        report = Report(rejection.reasons, rejection.item, is_item=True)
        self._report(rejection.file, rejection.line, report, is_of_run=is_of_run)

    def _report(self, file: str, line: int, report: Report, *, is_of_run: bool = True) -> None:
        self.tally.add_fault(file, line, "; ".join(reason.message for reason in report.reasons))
        self.rejected_rows.add(file, line, report, is_of_run=is_of_run)

    def report_again(self, key: tuple[str, str, bytes, bytes], file: str, line: int) -> bool:
        """Report an item that an earlier run was rejected for; whether there is such a rejection.

        The key is user, metric, identity and content.
        """
        rejection = rejections.find(self.run, *key)
        if rejection is not None:
            self.report(rejection.at(file, line))
        return rejection is not None


def owner_of(wire: AnyWire, key: str) -> str:
    """The ledger's name for the user that a key is bound to; "" where the wire names users."""
    return f"key:{key_digest(key)}" if getattr(wire, "user_from_key", False) else ""
