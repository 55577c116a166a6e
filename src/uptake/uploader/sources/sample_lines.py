"""Samples in NDJSON: one on each line, or a whole upload body of Gerosense on each line.

What is coerced, besides what `json_lines` and `sample_columns` state: numbers as user ids become
their digits where they are exact, and a value may be a number in text.

Blocks of lines that are all of the plain form are read by Arrow; any other block is read line by
line, which also says what is wrong with each.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from uptake.uploader.sources import Skipped, Unreadable
from uptake.uploader.sources.file_source import FileSource, Progress
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_lines import MISREAD, only_rejected, require_members
from uptake.uploader.sources.numbers import number
from uptake.uploader.sources.plain_lines import PlainLines
from uptake.uploader.sources.sample_columns import NAMES, Defaults, mapped, readable
from uptake.uploader.sources.streams import line_blocks
from uptake.uploader.sources.user_ids import id_of

_USER, _METRIC, _DEVICE, _VALUE = map(NAMES.index, ("user_id", "metric", "device_name", "value"))
_TIMES = tuple(map(NAMES.index, ("start_date", "end_date")))
_TYPES: dict[str, Any] = {"user_id": str | int | float | None, "value": str | float | None}
_EPOCH: dict[str, Any] = dict.fromkeys(("start_date", "end_date"), str | int | float | None)


def sample_lines(
    source: Input, columns: Mapping[str, str], defaults: Defaults
) -> FileSource[pa.RecordBatch]:
    """A source of samples from an NDJSON file.

    Raises:
        UnknownSource: the mapping names what samples or the file do not have.
        OSError: the file cannot be opened.
    """
    places = mapped(columns, source.file)
    if places:
        require_members(source, places.values())

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        reader = LineReader(source.file, places, defaults)
        with source.open(progress) as stream:
            for block in line_blocks(stream, source.file):
                if isinstance(block, Unreadable):
                    yield block
                else:
                    yield from reader.read(*block)

    return FileSource(source.file, source.size, read)


class LineReader:
    """Reads the blocks of one file."""

    def __init__(self, file: str, places: Mapping[str, str], defaults: Defaults) -> None:
        self._file = file
        self._defaults = defaults
        self._plain = PlainLines(places, defaults)
        row, self._values = _row_type(places, _TYPES | (_EPOCH if defaults.time_unit else {}))
        self._lines: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._bodies: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
        self._nothing = row()

    def read(self, line: int, block: bytes) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        """The samples of a block of whole lines, of which the first has this number."""
        columns = self._plain.read(block)
        if columns is not None:
            lines = pa.array(np.arange(line, line + len(columns["value"])))
            yield from readable(columns, lines, self._defaults, self._file)
            return
        rows = self._samples_only(line, block)
        if rows is None:
            yield from self.read_slowly(line, block)
        else:
            yield from readable(*rows.columns(), self._defaults, self._file)

    def read_slowly(
        self, line: int, block: bytes
    ) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        """The same, one line after the other."""
        rows = _Rows()
        for place, text in enumerate(block.split(b"\n"), line):
            if text and not text.isspace():
                yield from self._read_line(place, text, rows)
        if rows.lines:
            yield from readable(*rows.columns(), self._defaults, self._file)

    def _samples_only(self, line: int, block: bytes) -> "_Rows | None":
        """The rows of a block in which every line is a sample that can be read, else None.

        That is so for most blocks with users or values of the other type, or with carriage returns.
        """
        try:
            decoded = self._lines.decode_lines(block)
        except MISREAD:
            return None
        if len(decoded) != block.count(b"\n") + (not block.endswith(b"\n")):
            return None
        rows = _Rows([list(column) for column in zip(*map(self._values, decoded), strict=True)])
        rows.lines.extend(range(line, line + len(decoded)))
        if any(row.data for row in decoded) or None in rows.values[_DEVICE]:
            return None
        if None in rows.values[_METRIC]:
            rows.values[_METRIC] = [self._whole(row)[_METRIC] for row in decoded]
        try:
            rows.values[_USER] = list(map(_id, rows.values[_USER]))
        except ValueError:
            return None
        for i, value in enumerate(rows.values[_VALUE]):
            if isinstance(value, str):
                rows.values[_VALUE][i] = number(value)
        return None if None in rows.values[_VALUE] else rows

    def _read_line(self, line: int, text: bytes, rows: "_Rows") -> Iterator[Unreadable]:
        """Append the line's samples to `rows`, or report why that is not possible."""
        try:
            row = self._lines.decode(text)
        except MISREAD as error:
            yield Unreadable(self._file, line, str(error))
            return
        if row.data and row.data != _NULL:
            yield from self._read_body(line, row, rows)
        elif row != self._nothing or not only_rejected(text):
            yield from self._append(self._whole(row), line, "", rows)

    def _read_body(self, line: int, body: Any, rows: "_Rows") -> Iterator[Unreadable]:
        head = self._whole(body)
        try:
            samples = self._samples(body.data)
        except MISREAD as error:
            yield Unreadable(self._file, line, f"data: {error}")
            return
        for i, sample in enumerate(samples):
            if isinstance(sample, str):
                yield Unreadable(self._file, line, f"data[{i}]: {sample}")
                continue
            values = self._whole(sample)
            for at in (_USER, _METRIC):
                values[at] = head[at] if values[at] is None else values[at]
            yield from self._append(values, line, f"data[{i}]: ", rows)

    def _samples(self, data: msgspec.Raw) -> list[Any]:
        """The samples of an upload body; in place of one that cannot be read, why."""
        try:
            return list(self._bodies.decode(data))
        except MISREAD:
            samples: list[Any] = []
        for element in _ELEMENTS.decode(data):
            try:
                samples.append(self._lines.decode(element))
            except MISREAD as error:
                samples.append(str(error))
        return samples

    def _whole(self, row: Any) -> list[Any]:
        """A row's values in the order of `NAMES`, the metric under either of its names."""
        values = list(self._values(row))
        if values[_METRIC] is None:
            values[_METRIC] = row.data_type
        return values

    def _append(
        self, values: list[Any], line: int, where: str, rows: "_Rows"
    ) -> Iterator[Unreadable]:
        given = values[_VALUE]
        if isinstance(given, str):
            values[_VALUE] = number(given)
            if values[_VALUE] is None:
                yield Unreadable(self._file, line, f"{where}the value {given[:60]!r} is no number")
                return
        try:
            values[_USER] = _id(values[_USER])
        except ValueError as error:
            yield Unreadable(self._file, line, f"{where}{error}")
            return
        rows.append(values, line)


def _id(value: str | int | float | None) -> str | None:  # noqa: PYI041 - as values come
    return value if value is None else id_of(value)


_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def _row_type(
    places: Mapping[str, str], known: Mapping[str, Any]
) -> tuple[type[msgspec.Struct], Any]:
    """A struct of the members of a line, and what gets its values in the order of `NAMES`.

    Its fields are named by number, as two names of samples may be mapped to one member.
    """
    members: dict[str, str] = {}
    types: dict[str, Any] = {}
    for name in NAMES:
        field = members.setdefault(places.get(name, name), f"field{len(members)}")
        types.setdefault(field, known.get(name, str | None))
    getter = attrgetter(*(members[places.get(name, name)] for name in NAMES))
    rename = {field: member for member, field in members.items()}
    fields: list[tuple[str, Any, Any]] = [(field, kind, None) for field, kind in types.items()]
    fields += [("data_type", str | None, None), ("data", msgspec.Raw, msgspec.Raw(b""))]
    for own in ("data_type", "data"):
        if own in members:  # it is mapped to: not of the upload body's form
            rename[own] = f"\0{own}"
    return msgspec.defstruct("Row", fields, rename=rename, gc=False), getter


class _Rows:
    """Rows as lists of columns, in the order of `NAMES`, and the lines they stand on."""

    def __init__(self, values: list[list[Any]] | None = None) -> None:
        self.values = values or [[] for _ in NAMES]
        self.lines: list[int] = []

    def append(self, values: list[Any], line: int) -> None:
        """Add one."""
        for column, value in zip(self.values, values, strict=True):
            column.append(value)
        self.lines.append(line)

    def columns(self) -> tuple[dict[str, pa.Array], pa.Array]:
        """As arrays; times that are numbers as text."""
        for place in _TIMES:
            times = self.values[place]
            self.values[place] = [
                time if time is None or isinstance(time, str) else repr(time) for time in times
            ]
        columns = {
            name: pa.array(column, pa.float64() if name == "value" else pa.string())
            for name, column in zip(NAMES, self.values, strict=True)
        }
        return columns, pa.array(self.lines, pa.int64())
