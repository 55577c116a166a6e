"""Counts of the items of a run, by outcome."""

import threading
from dataclasses import dataclass, field

import msgspec

from uptake.uploader.sources import Skipped

SHOWN = 10
"""Faults that are shown one by one; all of them are in the file of rejected items."""


class Summary(msgspec.Struct, frozen=True):
    """The outcome of a run; every item is counted once.

    Attributes:
        read: items of the sources, unreadable ones included.
        unreadable: those that cannot be read.
        unreadable_files: those of `unreadable` that are files as a whole.
        skipped: those that are left out on purpose; `skipped_for` has the counts by reason.
        known: those that were acknowledged before this run.
        repeated: those that are more than once in the sources, or replaced by later ones there.
        refused_before: those that an earlier run sent and the receiver rejected; not sent again.
        resumed: items that had waited in the ledger; not among `read`.
        acknowledged: those that the receiver stores.
        refused: those that the receiver rejects.
        waiting: those that wait in the ledger, too few for a request.
        left: those without an outcome.
        requests, retries: requests that were answered; attempts that failed.
        seconds: duration of the run.
        stopped: why the run ended early, for a person; "" if it did not.
        to_send: items that would be sent, in a dry run.
        ledger: the file of the ledger.
        rejected_files: the files with rejected and unreadable rows; `refused_file` is the first.
        notices: other messages for a person.
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
    rejected_files: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    skipped: int = 0
    skipped_for: dict[str, int] = {}
    unreadable_files: int = 0

    @property
    def complete(self) -> bool:
        """Whether the receiver has everything that the sources have."""
        short = self.unreadable + self.refused_before + self.refused + self.waiting + self.left
        return not short and not self.stopped and not self.to_send


@dataclass
class Tally:
    """Counts that grow, from several threads; names as in `Summary`.

    Attributes:
        skipped_for: how many were skipped for each reason.
        skipped_files: the first skipped files, with the reasons.
        trouble: the last failure of the receiver; "" after a success.
    """

    read: int = 0
    unreadable: int = 0
    unreadable_files: int = 0
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
    skipped_for: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    skipped_files: list[str] = field(default_factory=list)
    _faults: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        """Add to some counts."""
        with self._lock:
            for name, number in counts.items():
                setattr(self, name, getattr(self, name) + number)

    def counts(self) -> dict[str, int]:
        """The counts, by their names in `Summary`."""
        names = [name for name, value in vars(self).items() if isinstance(value, int)]
        return {name: getattr(self, name) for name in names}

    def add_fault(self, file: str, line: int, reason: str) -> None:
        """Remember a fault to show, if it is among the first."""
        with self._lock:
            first, count = self._faults.get((file, reason), (line, 0))
            if count or len(self._faults) < SHOWN:
                self._faults[file, reason] = first, count + 1

    @property
    def faults(self) -> list[str]:
        """The first unreadable and rejected items, a line for each file and reason."""
        lines = []
        for (file, reason), (line, count) in self._faults.items():
            others = f" (and {count - 1:,} more)" if count > 1 else ""
            lines.append(
                f"{file}:{line}: {reason}{others}" if line else f"{file}: {reason}{others}"
            )
        return lines

    def skip(self, skipped: Skipped) -> None:
        """Count items that are left out on purpose."""
        with self._lock:
            self.read += skipped.count
            self.skipped += skipped.count
            counts = self.skipped_for
            counts[skipped.reason] = counts.get(skipped.reason, 0) + skipped.count
            if skipped.is_file and len(self.skipped_files) < SHOWN:
                self.skipped_files.append(f"{skipped.file}: skipped: {skipped.reason}")

    @property
    def left(self) -> int:
        """Items without an outcome."""
        settled = self.unreadable + self.skipped + self.known + self.repeated
        settled += self.refused_before + self.acknowledged + self.refused + self.waiting
        return self.read + self.resumed - settled
