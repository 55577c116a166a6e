"""Parquet files as batches of rows, streamed within row groups.

Columns are read as text, as user ids, or as plain values. As text, whole numbers are their digits
(`17.0` in a floating-point column too, below 2^53), other numbers the shortest text that reads back
as the same number of their own type (the float32 72.3 is `72.3`), booleans `true` and `false`,
decimals all their digits, and dates and times ISO 8601, see `values`. NaN in a floating-point
column is a missing value. Rows with infinity, or with dates and times outside the years 1 to 9999,
are reported. Columns of dictionaries are read as their values. Columns of lists, structs, maps,
bytes, times of day and durations are rejected by name.

Times in the old INT96 form are read exactly, also those outside the range of 64-bit nanoseconds, in
which other programs turn 9999-12-31 into a day in 1816.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from uptake.uploader.sources import Found, Progress, UnknownSource, Unreadable, until_broken
from uptake.uploader.sources.csv_tables import Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.values import (
    EXACT_BITS,
    id_of,
    int96,
    iso,
    iso_of_parts,
    out_of_range,
)

ROWS = 16_384
"""Read at a time."""

BUFFER_BYTES = 1 << 20
"""Of a column chunk in memory, so that a row group of any size takes no more."""

DAMAGED = (pa.ArrowException, UnicodeDecodeError, MemoryError)
"""Raised for files with wrong sizes, types or encodings."""

OUT_OF_RANGE = "the time is outside the years 1 to 9999"


@dataclass(frozen=True, slots=True)
class Converted:
    """A column as it is sent, and why some rows cannot be."""

    values: pa.Array
    faults: dict[int, str] = field(default_factory=dict)


Convert = Callable[[pa.Array], Converted]


class ParquetTable:
    """A Parquet file.

    Attributes:
        file: its name.
        schema: its columns.
        columns: their names.
    """

    def __init__(self, source: Input) -> None:
        self.file = source.file
        self._source = source
        try:
            with pq.ParquetFile(source.seekable()) as table:
                self.schema: pa.Schema = table.schema_arrow
                self.columns: list[str] = self.schema.names
                self._int96 = [
                    column.path
                    for column in map(table.schema.column, range(len(table.schema)))
                    if column.physical_type == "INT96" and column.path in self.columns
                ]
        except DAMAGED as error:
            raise UnknownSource(f"{self.file}: not a Parquet file: {error}") from error
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise UnknownSource(f"{self.file}: two columns are named {', '.join(twice)}")

    def parts(
        self, columns: Mapping[str, tuple[str, Convert]], progress: Progress
    ) -> Iterator[Found[Part]]:
        """The rows with these columns; of each part first those that cannot be converted.

        Args:
            columns: for each name in the parts, the file's column and its conversion.
            progress: how much is read.
        """
        return until_broken(self._converted(columns, progress), self.file, DAMAGED)

    def _converted(
        self, columns: Mapping[str, tuple[str, Convert]], progress: Progress
    ) -> Iterator[Found[Part]]:
        wanted = list(dict.fromkeys(column for column, _ in columns.values()))
        for first, batch in self._batches(wanted, progress):
            lines = pa.array(np.arange(first, first + batch.num_rows))
            converted = {name: convert(batch[at]) for name, (at, convert) in columns.items()}
            arrays = [column.values for column in converted.values()]
            rows = pa.RecordBatch.from_arrays(arrays, names=list(converted))
            faults: dict[int, str] = {}
            for name, column in converted.items():
                for row, reason in column.faults.items():
                    faults.setdefault(row, f"column {name[:60]!r}: {reason}")
            for row, reason in sorted(faults.items()):
                texts = {name: column.values[row].as_py() for name, column in converted.items()}
                for name, (at, _) in columns.items():
                    if row in converted[name].faults:
                        texts[name] = msgspec.Raw(_unquoted(batch[at][row]))
                text = msgspec.json.encode(
                    {columns[name][0]: one for name, one in texts.items() if one is not None}
                )
                yield Unreadable(self.file, first + row, reason, text)
            if faults:
                good = pc.invert(pc.is_in(pa.array(range(len(lines))), pa.array(list(faults))))
                rows, lines = rows.filter(good), lines.filter(good)
            yield Part(rows, lines)

    def _batches(
        self, columns: Sequence[str], progress: Progress
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows with these columns, each batch with the number of its first, from 1 on."""
        size, first = self._source.size, 1
        old = [name for name in columns if name in self._int96]
        coarse = self._read(old, "s") if old else None
        for batch in self._read(columns, None):
            if coarse is not None:
                seconds = next(coarse)
                for name in old:
                    exact = int96(seconds[name], batch[name])
                    batch = batch.set_column(batch.schema.get_field_index(name), name, exact)  # noqa: PLW2901
            yield first, batch
            first += batch.num_rows
            progress.position = size * (first - 1) // max(self._rows, 1)

    def _read(self, columns: Sequence[str], int96_unit: str | None) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(
            self._source.seekable(),
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            coerce_int96_timestamp_unit=int96_unit,
        ) as table:
            self._rows = table.metadata.num_rows
            yield from table.iter_batches(ROWS, columns=list(columns), use_threads=False)

    def require_types(self, ids: str, others: Sequence[str]) -> None:
        """Check that a column has user ids, if there is one, and others text.

        Raises:
            UnknownSource: a column is of another type.
        """
        for name in [*others, *([ids] if ids in self.columns else [])]:
            kind = self.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            checks, what = (_IDS, "user ids") if name == ids else (_TEXT, "text")
            if not any(check(kind) for check in checks):
                raise UnknownSource(f"{self.file}: column {name!r} is of type {kind}, not {what}")


def _unquoted(value: pa.Scalar) -> bytes:
    """A value that cannot be sent, as text that is no JSON, so that nothing takes it for one."""
    try:
        text = str(value.as_py())
    except (ValueError, OverflowError):
        text = str(value.value)
    return f"<{text}>".encode()


_IDS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_null,
)
_TEXT = (*_IDS, pa.types.is_boolean, pa.types.is_timestamp, pa.types.is_date)


def as_text(column: pa.Array) -> Converted:
    """A column as strings.

    Raises:
        pa.ArrowException: it cannot be converted.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_dictionary(column, as_text)
    if pa.types.is_temporal(kind) or pa.types.is_struct(kind):
        return _of_times(column)
    if pa.types.is_floating(kind):
        numbers = as_values(column)
        return Converted(_digits(numbers.values), numbers.faults)
    if pa.types.is_decimal(kind):
        return Converted(_decimals(column))
    return Converted(column if kind == pa.string() else column.cast(pa.string()))


def as_ids(column: pa.Array) -> Converted:
    """A column of user ids as strings, by the rules of `user_ids`."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_dictionary(column, as_ids)
    if not pa.types.is_floating(kind) and not pa.types.is_decimal(kind):
        return as_text(column)
    bits = kind.bit_width if pa.types.is_floating(kind) else 64
    doubles = column.cast(pa.float64(), safe=False)
    exact = pc.and_(
        pc.equal(pc.round(doubles), doubles), pc.less(pc.abs(doubles), float(1 << EXACT_BITS[bits]))
    )
    if pa.types.is_floating(kind) and pc.all(exact, min_count=0).as_py() is not False:
        return Converted(doubles.cast(pa.int64()).cast(pa.string()))
    ids: list[str | None] = []
    faults: dict[int, str] = {}
    for row, value in enumerate(column.to_pylist()):
        ids.append(None)
        try:
            ids[row] = None if value is None else _id_of(value, bits)
        except ValueError as error:
            faults[row] = str(error)
    return Converted(pa.array(ids, pa.string()), faults)


def _id_of(value: Any, bits: int) -> str:
    if isinstance(value, float):
        return id_of(value, bits)
    if value != value.to_integral_value():
        raise ValueError(f"the user_id {value} is neither text nor a whole number")
    return str(int(value))


def as_values(column: pa.Array) -> Converted:
    """Numbers and booleans as they are, all else as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_dictionary(column, as_values)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return Converted(column)
    if not pa.types.is_floating(kind):
        return as_text(column)
    doubles = shortest(column)
    doubles = pc.if_else(pc.is_nan(doubles), pa.scalar(None, pa.float64()), doubles)
    infinite = pc.indices_nonzero(pc.is_inf(doubles)).to_pylist()
    return Converted(doubles, dict.fromkeys(infinite, "infinity is not a number"))


def shortest(column: pa.Array) -> pa.Array:
    """Floating-point numbers as the doubles with the same shortest text: the float32 72.3 as 72.3.

    Widened bit by bit, it would be 72.30000305175781, which is not in the file.
    """
    if column.type == pa.float32():
        return column.cast(pa.string()).cast(pa.float64())
    if column.type == pa.float16():
        halves = [None if one is None else np.float16(one) for one in column.to_pylist()]
        return pa.array([None if one is None else float(str(one)) for one in halves], pa.float64())
    return column


def _digits(doubles: pa.Array) -> pa.Array:
    """Doubles as text, whole ones without a point."""
    whole = pc.and_(
        pc.equal(pc.round(doubles), doubles),
        pc.less(pc.abs(doubles), float(1 << EXACT_BITS[64])),
    )
    digits = pc.if_else(whole, doubles, pa.scalar(None, pa.float64())).cast(pa.int64(), safe=False)
    return pc.if_else(whole, digits.cast(pa.string()), doubles.cast(pa.string()))


def _decimals(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    return pa.array(
        [None if one is None else f"{one:f}" for one in column.to_pylist()], pa.string()
    )


def _of_times(column: pa.Array) -> Converted:
    """Dates and timestamps; structs are what `int96` makes of those that are stored as INT96."""
    parts = pa.types.is_struct(column.type)
    outside = out_of_range(column.field("seconds") if parts else column)
    faults = dict.fromkeys(outside, OUT_OF_RANGE)
    if faults:
        good = np.ones(len(column), np.bool_)
        good[outside] = False
        column = pc.if_else(pa.array(good), column, pa.scalar(None, column.type))
    if parts:
        return Converted(iso_of_parts(column), faults)
    texts = iso(column) if pa.types.is_timestamp(column.type) else column.cast(pa.string())
    return Converted(texts, faults)


def _of_dictionary(column: pa.Array, convert: Convert) -> Converted:
    distinct = convert(column.dictionary)
    faults: dict[int, str] = {}
    if distinct.faults:
        for row, place in enumerate(column.indices.to_pylist()):
            if place in distinct.faults:
                faults[row] = distinct.faults[place]
    return Converted(distinct.values.take(column.indices), faults)
