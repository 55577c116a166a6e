"""Samples in CSV and Parquet files, and the batches that all sources of samples make.

In CSV an empty cell is a missing value, in quotes or not. A value becomes the nearest double of the
number in the file, times become ISO 8601 (see `values`), and defaults replace missing cells. Rows
that lack something are reported. Rows of 0 steps are counted as skipped: devices write them for
every minute without a step, and no endpoint accepts them.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.samples import metrics
from uptake.uploader.sources import (
    SAMPLES,
    FileOptions,
    Found,
    Originals,
    Progress,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
    read_each,
)
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.parquet_tables import (
    Converted,
    ParquetTable,
    as_ids,
    as_text,
    shortest,
)
from uptake.uploader.sources.values import iso_times, with_ends
from uptake.uploader.wires import NAMES_IN_REQUESTS

NAMES = tuple(name for name in SAMPLES.names if name != "line")
"""What a column can be mapped to, besides its names in requests."""

_COLUMNS = {name: column for column, names in NAMES_IN_REQUESTS.items() for name in names}

REQUIRED = ("metric", "device_name", "start_date", "value", "unit")
METRICS = pa.array(list(metrics.METRICS))
_CODED = ("user_id", "metric", "device_name", "device_version", "unit")
_CODES = pa.dictionary(pa.int32(), pa.string())
_NUMBER = r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*"
"""Decimal digits, with an optional sign, point and exponent."""

_TEXT = re.compile(_NUMBER)


def number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    if _TEXT.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _numbers(texts: pa.Array) -> pa.Array:
    is_number = pc.match_substring_regex(texts, f"^{_NUMBER}$")
    bare = pc.utf8_trim(texts, " \t+")
    return pc.if_else(is_number, bare, pa.scalar(None, pa.string())).cast(pa.float64())


def names_of(column: str) -> tuple[str, ...]:
    """The names of a column of samples in files: its own, and those in requests."""
    return (column, *NAMES_IN_REQUESTS.get(column, ()))


def mapped(columns: Mapping[str, str], file: str) -> dict[str, str]:
    """A mapping of columns of samples to columns of a file.

    Raises:
        UnknownSource: samples do not have a column of the name.
    """
    known = {_COLUMNS.get(name, name): column for name, column in columns.items()}
    for name in known:
        if name not in NAMES:
            raise UnknownSource(f"{file}: samples have no {name!r}, but {', '.join(NAMES)}")
    return known


def resolved(found: Sequence[str], options: FileOptions, file: str) -> dict[str, str]:
    """The table's column for each column of samples that it has.

    Raises:
        UnknownSource: a required column is missing, or one that the mapping names.
    """
    columns = mapped(options.columns, file)
    places: dict[str, str] = {}
    for name in NAMES:
        column = columns.get(name)
        if column is None:
            own = next((one for one in names_of(name) if one in found), None)
            if own is not None:
                places[name] = own
        elif column in found:
            places[name] = column
        else:
            raise UnknownSource(f"{file}: no column {column!r}; found: {', '.join(found)}")
    for name in REQUIRED:
        if name not in places and options.default(name) is None:
            raise UnknownSource(
                f"{file}: no column {name!r}, and none is mapped to it; found: {', '.join(found)};"
                f" map one of them: --map {name}=COLUMN"
            )
    return places


def readable(
    columns: Mapping[str, pa.Array], lines: pa.Array, options: FileOptions, file: str
) -> Iterator[Found[pa.RecordBatch]]:
    """The samples of some rows: first those that cannot be read, then a batch of the others.

    Args:
        columns: strings by the names of samples; `value` may be numbers. Null means missing.
        lines: the rows' places.
        options: defaults for what is missing.
        file: its name.
    """
    full = {name: _filled(columns.get(name), options.default(name), len(lines)) for name in NAMES}
    given = full["value"]
    values = given if pa.types.is_float64(given.type) else _numbers(given)
    finite = pc.is_finite(values)
    full["value"] = pc.if_else(finite, values, pa.scalar(None, pa.float64()))
    good = pc.is_in(full["metric"], METRICS)
    for name in ("device_name", "start_date", "value", "unit"):
        good = pc.and_(good, full[name].is_valid())
    if pc.all(good).as_py() is False:
        for row in pc.indices_nonzero(pc.invert(good)).to_pylist():
            texts = {name: full[name][row].as_py() for name in NAMES}
            value = given[row].as_py()
            text = msgspec.json.encode(
                {name: one for name, one in (texts | {"value": value}).items() if one is not None}
            )
            yield Unreadable(file, lines[row].as_py(), _fault(texts, value), text)
        full = {name: column.filter(good) for name, column in full.items()}
        lines = lines.filter(good)
    for name in ("start_date", "end_date"):
        full[name] = iso_times(full[name], options.time_unit)
    full["end_date"] = with_ends(full["start_date"], full["end_date"], options.duration)
    yield from without_zeros(batch(full, lines), file)


def without_zeros(samples: pa.RecordBatch, file: str) -> Iterator[Found[pa.RecordBatch]]:
    """A batch without zeros of metrics that add up, and their number."""
    zero = samples.column("value").to_numpy() == 0
    if zero.any():
        metric = samples.column("metric")
        codes, skipped = metric.indices.to_numpy(), np.zeros_like(zero)
        for name in metrics.SUMMED:
            these = zero & (codes == metric.dictionary.index(name).as_py())
            if these.any():
                skipped |= these
                yield Skipped(file, int(these.sum()), f"0 {name}")
        samples = samples.filter(pa.array(~skipped))
    if samples.num_rows:
        yield samples


def batch(columns: Mapping[str, pa.Array], lines: pa.Array) -> pa.RecordBatch:
    """A batch of `SAMPLES`, with dictionaries for columns of names."""
    arrays = [_coded(columns[name]) if name in _CODED else columns[name] for name in NAMES]
    return pa.RecordBatch.from_arrays([*arrays, lines], names=SAMPLES.names)


def _coded(column: pa.Array) -> pa.Array:
    return column if column.type == _CODES else pc.dictionary_encode(column)


def _filled(column: pa.Array | None, default: str | None, count: int) -> pa.Array:
    if column is None:
        return pa.repeat(pa.scalar(default, pa.string()), count)
    if default is not None and column.null_count:
        return pc.fill_null(column, default)
    return column


def _fault(row: Mapping[str, object], value: object) -> str:
    lacking = [name for name in REQUIRED if row[name] is None and name != "value"]
    if lacking:
        return f"lacks {', '.join(lacking)}"
    if value is None:
        return "lacks value"
    if row["value"] is None:
        return not_a_number(value)
    return f"the metric {_short(row['metric'])} is none of {', '.join(metrics.METRICS)}"


def not_a_number(value: object) -> str:
    """Why a value is not a number; nothing is guessed about a comma."""
    hint = "; the decimal separator is a point" if "," in str(value) else ""
    return f"the value {_short(value)} is not a number{hint}"


def _short(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def sample_table(source: Input, kind: str, options: FileOptions) -> Source[pa.RecordBatch]:
    """A source of samples from a CSV or Parquet file.

    Raises:
        UnknownSource: it is not such a file, lacks columns, or has them of other types.
        OSError: it cannot be opened.
    """
    file = source.file
    originals: Originals | None = None
    if kind == "csv":
        known = mapped(options.columns, file)
        wanted = [*(known.get(name, name) for name in NAMES), *_COLUMNS]
        csv = CsvTable(source, options, wanted, quoted_empty=False)
        places = resolved(csv.columns, options, file)
        parts, originals = csv.parts, csv.originals
    else:
        table = ParquetTable(source)
        columns = resolved(table.columns, options, file)
        _require_types(table, columns)
        places = {name: name for name in columns}
        conversions = {
            name: (column, _CONVERT.get(name, as_text)) for name, column in columns.items()
        }

        def parts(progress: Progress) -> Iterator[Found[Part]]:
            return table.parts(conversions, progress)

    def read(part: Part) -> Iterator[Found[pa.RecordBatch]]:
        arrays = {name: part.batch[place] for name, place in places.items()}
        return readable(arrays, part.lines, options, file)

    return Source(file, source.size, lambda progress: read_each(parts(progress), read), originals)


def _require_types(table: ParquetTable, places: dict[str, str]) -> None:
    others = [place for name, place in places.items() if name != "user_id"]
    table.require_types(places.get("user_id", ""), others)
    value = table.schema.field(places["value"]).type
    if pa.types.is_boolean(value) or pa.types.is_temporal(value):
        raise UnknownSource(
            f"{table.file}: column {places['value']!r} is of type {value}, not numbers"
        )


def _numeric(column: pa.Array) -> Converted:
    """Numbers as they are, text as text."""
    kind = column.type
    if pa.types.is_floating(kind):
        return Converted(shortest(column))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return Converted(column.cast(pa.float64(), safe=False))
    return as_text(column)


_CONVERT = {"user_id": as_ids, "value": _numeric}
