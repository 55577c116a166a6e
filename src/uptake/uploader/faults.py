"""The file of what was not taken: rejected items with their reasons, and places without an item."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from uptake.uploader.ledger import PRIVATE
from uptake.uploader.ledger.rejections import Reason, Rejection
from uptake.uploader.sources import Unreadable
from uptake.uploader.tally import Tally


class _Told(msgspec.Struct):
    file: str
    line: int
    reasons: Sequence[Reason]


class Faults:
    """Writes NDJSON: items as their source reads them, each with a member `rejected` that says why.

    The file appears under its name when `finish` is called: it may be one of the sources.
    """

    def __init__(self, path: Path | None, tally: Tally) -> None:
        self._path = path
        self._tally = tally
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def _part(self) -> Path:
        return Path(f"{self._path}.part")

    def unreadable(self, place: Unreadable) -> None:
        """A place without an item."""
        self._tally.add(read=1, unreadable=1)
        self._note(b"{}", place.file, place.line, (Reason(place.reason),))

    def rejected(self, rejection: Rejection) -> None:
        """An item that was rejected."""
        self._note(rejection.item, rejection.file, rejection.line, rejection.reasons)

    def _note(self, item: bytes, file: str, line: int, reasons: Sequence[Reason]) -> None:
        self._tally.fault(file, line, "; ".join(reason.message for reason in reasons))
        if self._path is None:
            return
        told = msgspec.json.encode(_Told(file, line, reasons))
        comma = b"," if len(item) > 2 else b""
        with self._lock:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                self._file = os.fdopen(os.open(self._part, flags, PRIVATE), "wb")
            self._file.write(item[:-1] + comma + b'"refused":' + told + b"}\n")

    def finish(self) -> str:
        """Put the file in its place; its name, "" if there was nothing to write."""
        with self._lock:
            if self._file is None:
                return ""
            self._file.close()
            self._part.replace(self._path or "")
            return str(self._path)
