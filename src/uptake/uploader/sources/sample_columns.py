"""Columns of a file made into batches of samples; rows that lack something are reported.

A value becomes the nearest double of the number in the file, times become ISO 8601 (see
`sample_times`), and defaults replace missing cells. Rows of 0 steps are counted as skipped: devices
write them for every minute without a step, and no endpoint accepts them.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.samples import metrics
from uptake.uploader.sources import SAMPLES, Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.options import FileOptions
from uptake.uploader.sources.sample_times import iso_times, with_ends

NAMES = tuple(name for name in SAMPLES.names if name != "line")
"""What a column can be mapped to, besides `data_type`, which is the wires' name of `metric`."""

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


def mapped(columns: Mapping[str, str], file: str) -> dict[str, str]:
    """A mapping of columns of samples to columns of a file.

    Raises:
        UnknownSource: samples do not have a column of the name.
    """
    known = {
        ("metric" if name == "data_type" else name): column for name, column in columns.items()
    }
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
            own = "data_type" if name == "metric" and "metric" not in found else name
            if own in found:
                places[name] = own
        elif column in found:
            places[name] = column
        else:
            raise UnknownSource(f"{file}: no column {column!r}; found: {', '.join(found)}")
    for name in REQUIRED:
        if name not in places and options.default(name) is None:
            raise UnknownSource(
                f"{file}: no column {name!r}, and none is mapped to it; found: {', '.join(found)}"
            )
    return places


def readable(
    columns: Mapping[str, pa.Array], lines: pa.Array, options: FileOptions, file: str
) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
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
            reason = _fault({name: full[name][row].as_py() for name in NAMES}, given[row].as_py())
            yield Unreadable(file, lines[row].as_py(), reason)
        full = {name: column.filter(good) for name, column in full.items()}
        lines = lines.filter(good)
    for name in ("start_date", "end_date"):
        full[name] = iso_times(full[name], options.time_unit)
    full["end_date"] = with_ends(full["start_date"], full["end_date"], options.duration)
    yield from without_zeros(batch(full, lines), file)


def without_zeros(samples: pa.RecordBatch, file: str) -> Iterator[pa.RecordBatch | Skipped]:
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
        return f"the value {_short(value)} is no number"
    return f"the metric {_short(row['metric'])} is none of {', '.join(metrics.METRICS)}"


def _short(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
