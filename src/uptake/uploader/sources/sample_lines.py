"""Samples in NDJSON: one on each line, or a whole upload body of Gerosense on each line.

Numbers as user ids become their digits where they are exact, and a value may be a number in text.

Blocks of lines that are all of the plain form are read by Arrow; any other block is read line by
line, which also finds out what is wrong with each.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
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
        self._line: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._list: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
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
        columns: list[list[Any]] = [[] for _ in NAMES]
        places: list[tuple[int, str]] = []
        faults: list[tuple[int, str]] = []
        rows: list[Any] = []
        for place, row in enumerate(self._decoded(block), line):
            if isinstance(row, str):
                faults.append((place, row))
            elif row is not None and row.data and row.data != _NULL:
                self._append(columns, rows)
                rows.clear()
                self._append_body(columns, places, faults, place, row)
            elif row is not None:
                rows.append(row)
                places.append((place, ""))
        self._append(columns, rows)
        wrong = _convert(columns)
        faults += [(places[i][0], places[i][1] + reason) for i, reason in wrong.items()]
        for place, reason in sorted(faults, key=itemgetter(0)):
            yield Unreadable(self._file, place, reason)
        arrays = {
            name: pa.array(column, pa.float64() if name == "value" else pa.string())
            for name, column in zip(NAMES, columns, strict=True)
        }
        lines = pa.array([place for place, _ in places], pa.int64())
        if wrong:
            good = pa.array([i not in wrong for i in range(len(places))])
            arrays = {name: array.filter(good) for name, array in arrays.items()}
            lines = lines.filter(good)
        if len(lines):
            yield from readable(arrays, lines, self._options, self._file)

    def _decoded(self, block: bytes) -> list[Any]:
        """Each line's row, why it is none, or None for a line without an item."""
        try:
            rows: list[Any] = self._line.decode_lines(block)
        except MISREAD:
            rows = []
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        if len(rows) == count and self._empty not in rows:
            return rows
        return [self._row(text) for text in block.split(b"\n")]

    def _row(self, text: bytes) -> Any:
        if not text or text.isspace():
            return None
        try:
            row = self._line.decode(text)
        except MISREAD as error:
            return str(error)
        return None if row == self._empty and only_rejected(text) else row

    def _append_body(
        self,
        columns: list[list[Any]],
        places: list[tuple[int, str]],
        faults: list[tuple[int, str]],
        line: int,
        body: Any,
    ) -> None:
        """Append the samples of an upload body, or what is wrong with them."""
        try:
            rows: list[Any] = self._list.decode(body.data)
        except MISREAD:
            rows = []
            try:
                elements = _ELEMENTS.decode(body.data)
            except MISREAD as error:
                faults.append((line, f"data: {error}"))
                return
            for i, element in enumerate(elements):
                try:
                    rows.append(self._line.decode(element))
                except MISREAD as error:
                    rows.append(None)
                    faults.append((line, f"data[{i}]: {error}"))
        places += [(line, f"data[{i}]: ") for i, row in enumerate(rows) if row is not None]
        self._append(columns, [row for row in rows if row is not None], body)

    def _append(self, columns: list[list[Any]], rows: list[Any], body: Any = None) -> None:
        """Append rows, with the metric under either of its names; a body has defaults for them."""
        found = list(zip(*map(self._values, rows), strict=True))
        for at, column in enumerate(found):
            values: Sequence[Any] = column
            if at == _METRIC and None in values:
                values = [
                    row.data_type if one is None else one
                    for one, row in zip(values, rows, strict=True)
                ]
            if body is not None and at in {_USER, _METRIC} and None in values:
                default = self._values(body)[at]
                if at == _METRIC and default is None:
                    default = body.data_type
                values = [default if one is None else one for one in values]
            columns[at] += values


def _convert(columns: list[list[Any]]) -> dict[int, str]:
    """Make values numbers, and user ids and times text; why that is not possible, by place."""
    wrong: dict[int, str] = {}
    values, users = columns[_VALUE], columns[_USER]
    for i in _places(values, str):
        text = values[i]
        values[i] = number(text)
        if values[i] is None:
            wrong[i] = f"the value {text[:60]!r} is no number"
    for i in _places(users, int, float):
        try:
            users[i] = id_of(users[i])
        except ValueError as error:
            users[i] = None
            wrong.setdefault(i, str(error))
    for at in _TIMES:
        for i in _places(columns[at], int, float):
            columns[at][i] = repr(columns[at][i])
    return wrong


def _places(column: list[Any], *kinds: type) -> list[int]:
    """The places of values of some types."""
    if set(map(type, column)).isdisjoint(kinds):
        return []
    return [i for i, value in enumerate(column) if type(value) in kinds]


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
