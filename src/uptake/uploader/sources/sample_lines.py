"""Samples in NDJSON: one on each line, or a request with samples on each line.

Numbers as user ids become their digits where they are exact, and a value may be a number in text.

Blocks of lines that are all of the plain form are read by Arrow; any other block is read line by
line, which also finds out what is wrong with each.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypedDict

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from uptake.uploader.sources import FileOptions, Found, Progress, Source, Unreadable, read_each
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.originals import MISREAD, REJECTED, JsonLines, reason_of
from uptake.uploader.sources.rows import only_rejected, require_members
from uptake.uploader.sources.sample_tables import (
    METRICS,
    NAMES,
    REQUIRED,
    mapped,
    names_of,
    not_a_number,
    number,
    readable,
)
from uptake.uploader.sources.streams import line_blocks
from uptake.uploader.sources.values import id_of
from uptake.uploader.wires import SAMPLES_MEMBERS

PARSED_BYTES = 1 << 20
"""Parsed by one thread at a time; a longer line is no sample."""

OTHER_FORMS = (*SAMPLES_MEMBERS, REJECTED)
"""Members of lines that are not plain samples."""

_NOTHING = pa.list_(pa.null())
"""The type of members that plain lines do not have: only null and `[]` fit it."""

_USER, _METRIC, _VALUE = map(NAMES.index, ("user_id", "metric", "value"))
_TIMES = tuple(map(NAMES.index, ("start_date", "end_date")))
_TYPES: dict[str, Any] = {"user_id": str | int | float | None, "value": str | float | None}
_EPOCH: dict[str, Any] = dict.fromkeys(("start_date", "end_date"), str | int | float | None)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")

Row = dict[str, Any]


def sample_lines(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from an NDJSON file.

    Raises:
        UnknownSource: the mapping names what samples or the file do not have.
        OSError: the file cannot be opened.
    """
    places = mapped(options.columns, source.file)
    if places:
        require_members(source, places.values())

    def read(progress: Progress) -> Iterator[Found[pa.RecordBatch]]:
        reader = LineReader(source.file, places, options)
        with source.open(progress) as stream:
            blocks = line_blocks(stream, source.file)
            yield from read_each(blocks, lambda block: reader.read(*block))

    return Source(
        source.file, source.size, read, JsonLines(source, SAMPLES_MEMBERS - places.keys())
    )


class LineReader:
    """Reads the blocks of one file.

    Args:
        file: its name.
        places: the file's members for names of samples.
        options: what the file does not have.
    """

    def __init__(self, file: str, places: Mapping[str, str], options: FileOptions) -> None:
        self._file = file
        self._options = options
        members = {name: (places[name],) if name in places else names_of(name) for name in NAMES}
        self._plain = _PlainLines(members, options)
        self._members = members.values()
        types = _TYPES | (_EPOCH if options.time_unit else {})
        kinds: dict[str, Any] = {}
        for name, known in members.items():
            for member in known:
                kinds.setdefault(member, types.get(name, str | None))
        self._enclosing = SAMPLES_MEMBERS - kinds.keys()
        kinds |= dict.fromkeys(self._enclosing, msgspec.Raw)
        row: Any = TypedDict("Row", kinds, total=False)  # type: ignore[misc]
        self._line: msgspec.json.Decoder[Row] = msgspec.json.Decoder(row)
        self._list: msgspec.json.Decoder[list[Row]] = msgspec.json.Decoder(list[row])

    def read(self, line: int, block: bytes) -> Iterator[Found[pa.RecordBatch]]:
        """The samples of a block of whole lines, of which the first has this number."""
        columns = self._plain.read(block)
        if columns is None:
            yield from self.read_slowly(line, block)
        else:
            lines = pa.array(np.arange(line, line + len(columns["value"])))
            yield from readable(columns, lines, self._options, self._file)

    def read_slowly(self, line: int, block: bytes) -> Iterator[Found[pa.RecordBatch]]:
        """The same, one line after the other."""
        columns, lines, places, faults = self._columns(line, block)
        wrong = _convert(columns)
        faults += [(lines[i], places[i] + reason) for i, reason in wrong.items()]
        for at, reason in sorted(faults, key=itemgetter(0)):
            yield Unreadable(self._file, at, reason)
        arrays = {
            name: pa.array(column, pa.float64() if name == "value" else pa.string())
            for name, column in zip(NAMES, columns, strict=True)
        }
        numbers = pa.array(lines, pa.int64())
        if wrong:
            good = pa.array([i not in wrong for i in range(len(lines))])
            arrays = {name: array.filter(good) for name, array in arrays.items()}
            numbers = numbers.filter(good)
        if len(numbers):
            yield from readable(arrays, numbers, self._options, self._file)

    def _columns(
        self, line: int, block: bytes
    ) -> tuple[list[list[Any]], list[int], list[str], list[tuple[int, str]]]:
        """The values of a block by column, the line of each row and its place in that, and faults.

        The place is "", or that in a request: `data[2]: `.
        """
        columns: list[list[Any]] = [[] for _ in NAMES]
        lines: list[int] = []
        places: list[str] = []
        faults: list[tuple[int, str]] = []
        rows: list[Row] = []
        for at, row in enumerate(self._decoded(block), line):
            if isinstance(row, str):
                faults.append((at, row))
                continue
            if row is None:
                continue
            member = self._enclosing_member(row)
            if member is None:
                rows.append(row)
                lines.append(at)
                places.append("")
                continue
            self._append(columns, rows)
            rows = []
            enclosed = self._enclosed(row[member])
            if isinstance(enclosed, str):
                faults.append((at, f"{member}: {enclosed}"))
                continue
            within = _places_within(member, len(enclosed))
            wrong = [i for i, one in enumerate(enclosed) if isinstance(one, str)]
            faults += [(at, f"{within[i]}{enclosed[i]}") for i in wrong]
            good = [one for one in enclosed if not isinstance(one, str)]
            lines += [at] * len(good)
            if wrong:
                within = [within[i] for i, one in enumerate(enclosed) if not isinstance(one, str)]
            places += within
            self._append(columns, good, row)
        self._append(columns, rows)
        return columns, lines, places, faults

    def _decoded(self, block: bytes) -> Sequence[Row | str | None]:
        """Each line's row, why it is none, or None for a line without an item."""
        try:
            rows = self._line.decode_lines(block)
        except MISREAD:
            rows = []
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        if len(rows) == count and {} not in rows:
            return rows
        return [
            None if not text or text.isspace() else self._row(text) for text in block.split(b"\n")
        ]

    def _row(self, text: bytes | msgspec.Raw) -> Row | str | None:
        try:
            row = self._line.decode(text)
        except MISREAD as error:
            return reason_of(error)
        return None if not row and only_rejected(bytes(text)) else row

    def _enclosing_member(self, row: Row) -> str | None:
        """The member with a list of samples, if a line is a request."""
        for member in self._enclosing:
            if member in row and row[member] != _NULL:
                return member
        return None

    def _enclosed(self, samples: msgspec.Raw) -> Sequence[Row | str] | str:
        """The samples of a request, or what is wrong with each or with all."""
        try:
            return self._list.decode(samples)
        except MISREAD:
            try:
                return [self._row(element) or {} for element in _ELEMENTS.decode(samples)]
            except MISREAD as error:
                return reason_of(error)

    def _append(
        self, columns: list[list[Any]], rows: list[Row], request: Row | None = None
    ) -> None:
        """Append the values of rows; a request has defaults for the user and the metric."""
        for at, members in enumerate(self._members):
            values = _values(rows, members)
            if request is not None and at in {_USER, _METRIC} and None in values:
                (default,) = _values([request], members)
                values = [default if one is None else one for one in values]
            columns[at] += values


@lru_cache(maxsize=16)
def _places_within(member: str, count: int) -> Sequence[str]:
    return [f"{member}[{i}]: " for i in range(count)]


def _values(rows: Sequence[Row], members: Sequence[str]) -> list[Any]:
    """The first value that each row has in one of these members."""
    first, *others = members
    values = [row.get(first) for row in rows]
    for member in others:
        if None in values:
            values = [
                row.get(member) if one is None else one
                for one, row in zip(values, rows, strict=True)
            ]
    return values


def _convert(columns: list[list[Any]]) -> dict[int, str]:
    """Make values numbers, and user ids and times text; why that is not possible, by place."""
    wrong: dict[int, str] = {}
    values, users = columns[_VALUE], columns[_USER]
    for i in _places(values, str):
        text = values[i]
        values[i] = number(text)
        if values[i] is None:
            wrong[i] = not_a_number(text)
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


class _PlainLines:
    """Reads blocks in which every line is a sample of the plain form, by Arrow."""

    def __init__(self, members: Mapping[str, Sequence[str]], options: FileOptions) -> None:
        self._members = members
        self._required = [name for name in REQUIRED if options.default(name) is None]
        types = dict.fromkeys(OTHER_FORMS, _NOTHING)
        for name in reversed(NAMES):
            kind = pa.float64() if name == "value" else pa.string()
            types |= dict.fromkeys(members[name], kind)
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
        columns = {}
        for name, members in self._members.items():
            used = (one for one in members if table[one].null_count < lines)
            columns[name] = table[next(used, members[0])].combine_chunks()
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
