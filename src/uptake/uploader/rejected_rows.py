"""Files of the rows that were rejected or cannot be read, to be corrected and sent again.

There is a file for each form: one of NDJSON, and one for each header of CSV. Rows of text files are
in them as they are in their sources. Other items are lines of NDJSON, with the names that the
options of the run map: rows of Parquet, records of Apple Health, documents and images in files of
their own, samples that waited since an earlier run, and samples of requests, so that each is beside
its reasons.

No file is ever replaced: if the name is taken, the next gets a number, unless it has the same rows.
"""

import filecmp
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from uptake.uploader.ledger import PRIVATE
from uptake.uploader.ledger.rejections import Reason
from uptake.uploader.ledger.reports import Line, Report, Reports
from uptake.uploader.sources import BROKEN, STANDARD_INPUT, Mark, Originals, Source
from uptake.uploader.sources.inputs import SUFFIXES
from uptake.uploader.sources.originals import MISREAD, marked_line
from uptake.uploader.wires import NAMES_IN_REQUESTS

_COLUMNS = {name: column for column, names in NAMES_IN_REQUESTS.items() for name in names}
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Reasons(msgspec.Struct):
    """The member `refused` of a rejected item."""

    file: str
    line: int
    reasons: Sequence[Reason]


class RejectedRows:
    """The rows of a run that were rejected or cannot be read.

    Args:
        path: the name of the file; None for none.
        columns: names of the wire to those of the sources.
    """

    def __init__(self, path: Path | None, columns: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._columns = columns or {}
        self._reports: Reports | None = None if path is None else Reports()

    def add(self, file: str, line: int, report: Report, *, is_of_run: bool = True) -> None:
        """Add a report about a line of a file; 0 is the file as a whole.

        The line of an item that is not of this run's sources is negative in the reports.
        """
        if self._reports is not None:
            self._reports.add(file, line if is_of_run else -line, report)

    def finish(self, sources: Sequence[Source[Any]]) -> list[str]:
        """Write the files; their names.

        Raises:
            OSError: a file cannot be written.
        """
        if self._path is None or self._reports is None:
            return []
        originals = {part.file: part.originals for whole in sources for part in whole.parts}
        with ExitStack() as stack:
            outputs = _Outputs(self._path, stack)
            for file, lines in self._reports.by_file():
                source = originals.get(file)
                for output, text in self._marked(file, lines, source):
                    outputs.write(output, text)
            return outputs.name()

    def close(self) -> None:
        """Remove the reports."""
        if self._reports is not None:
            self._reports.close()

    def _marked(
        self, file: str, lines: Iterator[Line], source: Originals | None
    ) -> Iterator[tuple[Originals | None, bytes]]:
        """The rows of a file, each with the form of its output; None is NDJSON."""
        if source is None:
            for line, reports in lines:
                yield from self._items(file, line, reports)
            return
        waiting: list[Line] = []

        def wanted() -> Iterator[int]:
            for one in lines:
                waiting.append(one)
                if one[0] > 0:
                    yield one[0]

        with suppress(*BROKEN):  # what is not found has its items
            for line, row in source.rows(wanted()):
                while waiting and waiting[0][0] != line:
                    yield from self._items(file, *waiting.pop(0))
                _, reports = waiting.pop(0)
                if all(one.is_item for one in reports) and not source.is_item(row):
                    yield from self._items(file, line, reports)
                else:
                    yield source, source.marked(row, _mark(file, line, reports))
        for one in chain(waiting, lines):
            yield from self._items(file, *one)

    def _items(
        self, file: str, line: int, reports: Sequence[Report]
    ) -> Iterator[tuple[None, bytes]]:
        """The items of a line, or what was read of them, as lines of NDJSON."""
        texts: dict[bytes, list[Report]] = {}
        for one in reports:
            texts.setdefault(one.text, []).append(one)
        for text, some in texts.items():
            refused = _mark(file, line, some).refused
            yield None, marked_line(self._renamed(text) if text else b"{}", refused)

    def _renamed(self, text: bytes) -> bytes:
        """An item with the names of the files' columns."""
        if not self._columns:
            return text
        try:
            members = _object.decode(text)
        except MISREAD:
            return text
        names = {
            (name if name in members else _COLUMNS.get(name, name)): column
            for name, column in self._columns.items()
        }
        return msgspec.json.encode({names.get(one, one): raw for one, raw in members.items()})


def _mark(file: str, line: int, reports: Sequence[Report]) -> Mark:
    reasons = list(dict.fromkeys(reason for one in reports for reason in one.reasons))
    name = file.encode("utf-8", "replace").decode()
    if name.split("/", 1)[0] == STANDARD_INPUT:
        name = f"-{name.removeprefix(STANDARD_INPUT)}"  # as on the command line
    message = " ".join("; ".join(reason.message for reason in reasons).split())
    return Mark(name, line, message, msgspec.json.encode(_Reasons(name, abs(line), reasons)))


class _Outputs:
    """Temporary files beside the named one, one for each form."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._forms: dict[tuple[str, bytes], str] = {}
        self._form: tuple[str, bytes] | None = None
        self._file: IO[bytes] | None = None

    def write(self, originals: Originals | None, text: bytes) -> None:
        """Add a row."""
        form = (".ndjson", b"") if originals is None else (originals.suffix, originals.head)
        if form != self._form:
            self._open(form)
        if self._file is not None:
            self._file.write(text)

    def _open(self, form: tuple[str, bytes]) -> None:
        """Continue the file of a form; only one is open at a time, however many forms there are."""
        self._close()
        if form not in self._forms:
            folder = self._path.parent
            number, name = tempfile.mkstemp(".part", f"{self._path.name}.", folder)
            self._stack.callback(Path(name).unlink, missing_ok=True)
            self._forms[form] = name
            with os.fdopen(number, "wb") as file:
                file.write(form[1])
        self._form = form
        self._file = Path(self._forms[form]).open("ab")  # noqa: SIM115 - see _close

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def name(self) -> list[str]:
        """Give the files their names."""
        self._close()
        return [
            _named(Path(written), self._of_form(suffix))
            for (suffix, _), written in self._forms.items()
        ]

    def _of_form(self, suffix: str) -> Path:
        """The named file, with the suffix of a form unless it shows that form already."""
        given = SUFFIXES.get(self._path.suffix.lower())
        return self._path if given in {None, SUFFIXES[suffix]} else self._path.with_suffix(suffix)


def _named(written: Path, path: Path) -> str:
    """Give a file a name that is free, or find it under the name of one with the same content."""
    name, number = path, 1
    while True:
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        except FileExistsError:
            if name.is_file() and filecmp.cmp(written, name, shallow=False):
                return str(name)
            number += 1
            name = path.with_stem(f"{path.stem}-{number}")
        else:
            written.replace(name)
            return str(name)
