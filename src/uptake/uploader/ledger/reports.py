"""Reports of rejected and unreadable rows of a run, sorted by file and line.

They are in a temporary database without a name, which SQLite moves to the disk as it grows and
which vanishes with the program.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec

from uptake.uploader.ledger.rejections import Reason

_reasons = msgspec.json.Decoder(tuple[Reason, ...])


class Report(NamedTuple):
    """Why an item was rejected, or a row cannot be read.

    Attributes:
        reasons: at least one.
        text: the item as JSON, or what was read of it, which may not be JSON; b"" if not known.
        is_item: whether the text is an item.
    """

    reasons: Sequence[Reason]
    text: bytes
    is_item: bool


Line = tuple[int, list[Report]]
"""A line of a file, 0 for the file as a whole, and the reports about it."""


class Reports:
    """The reports of a run; `add` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE reports (file TEXT, line INTEGER, reasons BLOB, text BLOB, item INTEGER);"
            "BEGIN"
        )

    def add(self, file: str, line: int, report: Report) -> None:
        """Add a report about a line."""
        # Names of files may have bytes that are not UTF-8, which Python has as surrogates.
        name = file.encode("utf-8", "surrogateescape")
        reasons = msgspec.json.encode(report.reasons)
        with self._lock:
            self._connection.execute(
                "INSERT INTO reports VALUES (?, ?, ?, ?, ?)",
                (name, line, reasons, report.text, report.is_item),
            )

    def by_file(self) -> Iterator[tuple[str, Iterator[Line]]]:
        """The lines of each file in ascending order."""
        rows = self._connection.execute(
            "SELECT file, line, reasons, text, item FROM reports ORDER BY file, line, reasons, text"
        )
        for name, some in groupby(rows, key=itemgetter(0)):
            yield name.decode("utf-8", "surrogateescape"), self._lines(some)

    def _lines(self, rows: Iterator[tuple[bytes, int, bytes, bytes, int]]) -> Iterator[Line]:
        for line, some in groupby(rows, key=itemgetter(1)):
            yield line, [Report(_reasons.decode(one[2]), one[3], bool(one[4])) for one in some]

    def close(self) -> None:
        """Remove them."""
        self._connection.close()
