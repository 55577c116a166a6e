"""Samples in NDJSON: one on each line, or a whole upload body of Gerosense on each line.

Numbers as user ids become their digits where they are exact, and a value may be a number in text.

Blocks of lines that are all of the plain form are read by Arrow; any other block is read line by
line, which also finds out what is wrong with each.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from uptake.uploader.sources import Progress, Skipped, Source, Unreadable
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_lines import MISREAD, only_rejected, require_members
from uptake.uploader.sources.options import FileOptions
from uptake.uploader.sources.sample_columns import (
    METRICS,
    NAMES,
    REQUIRED,
    mapped,
    number,
    readable,
)
from uptake.uploader.sources.streams import line_blocks
from uptake.uploader.sources.user_ids import id_of

PARSED_BYTES = 1 << 20
"""Parsed by one thread at a time; a longer line is no sample."""

OTHER_FORMS = ("data", "refused")
"""Members of lines that are not plain samples."""

_NOTHING = pa.list_(pa.null())
"""The type of members that plain lines do not have: only null and `[]` fit it."""

_USER, _METRIC, _VALUE = map(NAMES.index, ("user_id", "metric", "value"))
_TIMES = tuple(map(NAMES.index, ("start_date", "end_date")))
_TYPES: dict[str, Any] = {"user_id": str | int | float | None, "value": str | float | None}
_EPOCH: dict[str, Any] = dict.fromkeys(("start_date", "end_date"), str | int | float | None)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def sample_lines(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from an NDJSON file.

    Raises:
        UnknownSource: the mapping names what samples or the file do not have.
        OSError: the file cannot be opened.
    """
    places = mapped(options.columns, source.file)
    if places:
        require_members(source, places.values())

    def read(progress: Progress) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        reader = LineReader(source.file, places, options)
        with source.open(progress) as stream:
            for block in line_blocks(stream, source.file):
                if isinstance(block, Unreadable):
                    yield block
                else:
                    yield from reader.read(*block)

    return Source(source.file, source.size, read)


class LineReader:
    """Reads the blocks of one file."""

    def __init__(self, file: str, places: Mapping[str, str], options: FileOptions) -> None:
        self._file = file
        self._options = options
        self._plain = _PlainLines(places, options)
        row, self._values = _row_type(places, _TYPES | (_EPOCH if options.time_unit else {}))
        self._lines: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._empty = row()

    def read(self, line: int, block: bytes) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        """The samples of a block of whole lines, of which the first has this number."""
        columns = self._plain.read(block)
        if columns is None:
            yield from self.read_slowly(line, block)
        else:
            lines = pa.array(np.arange(line, line + len(columns["value"])))
            yield from readable(columns, lines, self._options, self._file)

    def read_slowly(
        self, line: int, block: bytes
    ) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
        """The same, one line after the other."""
        rows: list[list[Any]] = []
        lines: list[int] = []
        for place, text in enumerate(block.split(b"\n"), line):
            if text and not text.isspace():
                for row in self._read_line(text):
                    if isinstance(row, str):
                        yield Unreadable(self._file, place, row)
                    else:
                        rows.append(row)
                        lines.append(place)
        if rows:
            columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
            arrays = {
                name: pa.array(column, pa.float64() if name == "value" else pa.string())
                for name, column in columns.items()
            }
            yield from readable(arrays, pa.array(lines, pa.int64()), self._options, self._file)

    def _read_line(self, text: bytes) -> Iterator[list[Any] | str]:
        """The values of a line's samples, in the order of `NAMES`, or why one cannot be read."""
        try:
            row = self._lines.decode(text)
        except MISREAD as error:
            yield str(error)
            return
        if row.data and row.data != _NULL:
            yield from self._read_body(row)
        elif row != self._empty or not only_rejected(text):
            yield _checked(self._values_of(row))

    def _read_body(self, body: Any) -> Iterator[list[Any] | str]:
        head = self._values_of(body)
        try:
            elements = _ELEMENTS.decode(body.data)
        except MISREAD as error:
            yield f"data: {error}"
            return
        for i, element in enumerate(elements):
            try:
                values = self._values_of(self._lines.decode(element))
            except MISREAD as error:
                yield f"data[{i}]: {error}"
                continue
            for at in (_USER, _METRIC):
                values[at] = head[at] if values[at] is None else values[at]
            checked = _checked(values)
            yield f"data[{i}]: {checked}" if isinstance(checked, str) else checked

    def _values_of(self, row: Any) -> list[Any]:
        """A row's values in the order of `NAMES`, the metric under either of its names."""
        values = list(self._values(row))
        if values[_METRIC] is None:
            values[_METRIC] = row.data_type
        return values


def _checked(values: list[Any]) -> list[Any] | str:
    """The values with a number, a text as user id and times as text, or what is wrong with them."""
    value, user = values[_VALUE], values[_USER]
    if isinstance(value, str):
        values[_VALUE] = number(value)
        if values[_VALUE] is None:
            return f"the value {value[:60]!r} is no number"
    if user is not None and not isinstance(user, str):
        try:
            values[_USER] = id_of(user)
        except ValueError as error:
            return str(error)
    for at in _TIMES:
        time = values[at]
        if time is not None and not isinstance(time, str):
            values[at] = repr(time)
    return values


def _row_type(
    places: Mapping[str, str], known: Mapping[str, Any]
) -> tuple[type[msgspec.Struct], Any]:
    """A struct of the members of a line, and a getter of its values in the order of `NAMES`.

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


class _PlainLines:
    """Reads blocks in which every line is a sample of the plain form, by Arrow."""

    def __init__(self, places: Mapping[str, str], options: FileOptions) -> None:
        self._places = {name: places.get(name, name) for name in NAMES}
        self._required = [name for name in REQUIRED if options.default(name) is None]
        types = dict.fromkeys(OTHER_FORMS, _NOTHING)
        types["data_type"] = pa.string()
        for name in reversed(NAMES):
            types[self._places[name]] = pa.float64() if name == "value" else pa.string()
        self._options = pj.ParseOptions(
            explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="ignore"
        )

    def read(self, block: bytes) -> dict[str, pa.Array] | None:
        """The columns, a row for each line; None when any line needs a closer look."""
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        # With line ends only between objects, and as many objects as lines, each line is one.
        if block[:1] != b"{" or block.count(b"}\n{") != lines - 1:
            return None
        table = self._parsed(block)
        if table is None or table.num_rows != lines:
            return None
        if any(table[member].null_count != lines for member in OTHER_FORMS):
            return None
        columns = {name: table[place].combine_chunks() for name, place in self._places.items()}
        if columns["metric"].null_count == lines:
            columns["metric"] = table["data_type"].combine_chunks()
        return columns if self._are_complete(columns) else None

    def _are_complete(self, columns: Mapping[str, pa.Array]) -> bool:
        """Whether every row has all it needs, or a default for it, in the right form."""
        metric = columns["metric"]
        if metric.null_count not in {0, len(metric)}:
            return False
        return (
            not any(columns[name].null_count for name in self._required)
            and pc.all(pc.is_in(metric.drop_null(), METRICS)).as_py()
            and pc.all(pc.is_finite(columns["value"])).as_py()
        )

    def _parsed(self, block: bytes) -> pa.Table | None:
        try:
            table = pj.read_json(
                pa.BufferReader(block),
                read_options=pj.ReadOptions(use_threads=True, block_size=PARSED_BYTES),
                parse_options=self._options,
            )
            table.validate(full=True)  # Arrow's parser accepts bytes that are not UTF-8
        except (pa.ArrowException, ValueError):
            return None
        return table
