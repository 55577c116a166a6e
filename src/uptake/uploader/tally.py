"""What has become of everything so far."""

import threading
from dataclasses import dataclass, field

import msgspec

from uptake.uploader.sources import Skipped

SHOWN = 10
"""Faults that are told one by one; all of them are in the file of rejected items."""


class Summary(msgspec.Struct, frozen=True):
    """What became of the items of a run; every item is counted once.

    Attributes:
        read: items of the sources, those that cannot be read included.
        unreadable: of these, those that cannot be read.
        skipped: of these, those that are left out on purpose, with the reasons and counts in
            `skipped_for`.
        known: those that were acknowledged before this run.
        repeated: those that stand in the sources more than once, or are replaced by others there.
        refused_before: those that were rejected before, and were not sent again.
        resumed: items that had waited in the ledger, and were taken up; not among `read`.
        acknowledged: those that the receiver said it keeps.
        refused: those that it said it does not keep.
        waiting: those that wait in the ledger, too few for a request.
        left: those that were to be sent and have not been answered.
        requests, retries: requests that were answered; attempts that were not, or in vain.
        seconds: how long it took.
        stopped: why not everything was sent, for a person; "" if everything was.
        to_send: items that would be sent, in a dry run.
        ledger, refused_file: where to find more, if they were written.
        notices: what a person should know besides.
    """

    read: int = 0
    unreadable: int = 0
    known: int = 0
    repeated: int = 0
    refused_before: int = 0
    resumed: int = 0
    acknowledged: int = 0
    refused: int = 0
    waiting: int = 0
    left: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    stopped: str = ""
    to_send: int = 0
    dry_run: bool = False
    ledger: str = ""
    refused_file: str = ""
    notices: tuple[str, ...] = ()
    skipped: int = 0
    skipped_for: dict[str, int] = {}

    @property
    def complete(self) -> bool:
        """Whether the receiver has everything that the sources hold."""
        short = self.unreadable + self.refused_before + self.refused + self.waiting + self.left
        return not short and not self.stopped and not self.to_send


@dataclass
class Tally:
    """Counts as they grow, from several threads; names as in `Summary`.

    Attributes:
        faults: the first of the unreadable and rejected items, a line each.
        skipped_for: how many were skipped for each reason.
        skipped_files: the files that were, with the reasons; the first of them.
        trouble: what last went wrong with the receiver, "" when it went well since.
    """

    read: int = 0
    unreadable: int = 0
    known: int = 0
    repeated: int = 0
    refused_before: int = 0
    resumed: int = 0
    acknowledged: int = 0
    refused: int = 0
    waiting: int = 0
    requests: int = 0
    retries: int = 0
    skipped: int = 0
    trouble: str = ""
    faults: list[str] = field(default_factory=list)
    skipped_for: dict[str, int] = field(default_factory=dict)
    skipped_files: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        """Add to some counts."""
        with self._lock:
            for name, number in counts.items():
                setattr(self, name, getattr(self, name) + number)

    def fault(self, file: str, line: int, reason: str) -> None:
        """Remember a fault to be told, if it is among the first."""
        with self._lock:
            if len(self.faults) < SHOWN:
                self.faults.append(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")

    def skip(self, skipped: Skipped) -> None:
        """Count what was left out on purpose."""
        with self._lock:
            self.read += skipped.count
            self.skipped += skipped.count
            counts = self.skipped_for
            counts[skipped.reason] = counts.get(skipped.reason, 0) + skipped.count
            if skipped.is_file and len(self.skipped_files) < SHOWN:
                self.skipped_files.append(f"{skipped.file}: skipped: {skipped.reason}")

    @property
    def left(self) -> int:
        """Items that are to be sent and have no outcome yet."""
        settled = self.unreadable + self.skipped + self.known + self.repeated
        settled += self.refused_before + self.acknowledged + self.refused + self.waiting
        return self.read + self.resumed - settled
