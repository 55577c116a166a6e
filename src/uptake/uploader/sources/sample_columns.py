"""Columns of a file made into batches of samples; rows that lack what a sample has are reported.

What is coerced, besides what `sample_times` states: a value is the nearest double of the number in
the file, and what rows do not have, defaults fill in. Left out and counted: rows of 0 steps, which
devices write for every minute without a step and no endpoint takes.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.samples import metrics
from uptake.uploader.sources import SAMPLES, Skipped, UnknownSource, Unreadable
from uptake.uploader.sources.numbers import finite, numbers
from uptake.uploader.sources.sample_times import iso_times, with_ends

NAMES = tuple(name for name in SAMPLES.names if name != "line")
"""What a column can be mapped to, `data_type` apart, which is the wires' name of `metric`."""

REQUIRED = ("metric", "device_name", "start_date", "value", "unit")
METRICS = pa.array(list(metrics.METRICS))
_CODED = ("user_id", "metric", "device_name", "device_version", "unit")
_CODES = pa.dictionary(pa.int32(), pa.string())


_DEFAULTS = frozenset({"user_id", "metric", "unit", "device_name"})


class Defaults(msgspec.Struct, frozen=True):
    """What holds for rows that do not have it themselves.

    Attributes:
        user_id, metric, unit, device_name: of rows without.
        duration: seconds from the start to the end of rows without an end.
        time_unit: of times that are numbers, a key of `TIME_UNITS`; None when none are.
    """

    user_id: str | None = None
    metric: str | None = None
    unit: str | None = None
    device_name: str | None = None
    duration: int | None = None
    time_unit: str | None = None

    def of(self, name: str) -> str | None:
        """The default of a column; None when it has none."""
        return getattr(self, name, None) if name in _DEFAULTS else None


def mapped(columns: Mapping[str, str], file: str) -> dict[str, str]:
    """A mapping of names of samples to names in a file.

    Raises:
        UnknownSource: it names something that samples do not have.
    """
    known = {
        ("metric" if name == "data_type" else name): column for name, column in columns.items()
    }
    for name in known:
        if name not in NAMES:
            raise UnknownSource(f"{file}: samples have no {name!r}, but {', '.join(NAMES)}")
    return known


def resolved(
    found: Sequence[str], columns: Mapping[str, str], defaults: Defaults, file: str
) -> dict[str, str]:
    """Which of a table's columns each column of samples is, as far as they are there.

    Raises:
        UnknownSource: a column that is needed is missing, or one that the mapping names.
    """
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
        if name not in places and defaults.of(name) is None:
            raise UnknownSource(
                f"{file}: no column {name!r}, and none is mapped to it; found: {', '.join(found)}"
            )
    return places


def readable(
    columns: Mapping[str, pa.Array], lines: pa.Array, defaults: Defaults, file: str
) -> Iterator[pa.RecordBatch | Unreadable | Skipped]:
    """The samples of some rows: first what cannot be read, then a batch of the rest.

    Args:
        columns: by the names of samples, of strings, `value` of strings or numbers; null means that
            the row does not have it.
        lines: the rows' places.
        defaults: for what rows or the whole file do not have.
        file: its name.
    """
    full = {name: _filled(columns.get(name), defaults.of(name), len(lines)) for name in NAMES}
    given = full["value"]
    full["value"] = finite(given) if pa.types.is_float64(given.type) else numbers(given)
    known = pc.is_in(full["metric"], METRICS)
    good = known
    for name in ("device_name", "start_date", "value", "unit"):
        good = pc.and_(good, full[name].is_valid())
    if pc.all(good).as_py() is False:
        for row in pc.indices_nonzero(pc.invert(good)).to_pylist():
            reason = _fault({name: full[name][row].as_py() for name in NAMES}, given[row].as_py())
            yield Unreadable(file, lines[row].as_py(), reason)
        full = {name: column.filter(good) for name, column in full.items()}
        lines = lines.filter(good)
    for name in ("start_date", "end_date"):
        full[name] = iso_times(full[name], defaults.time_unit)
    full["end_date"] = with_ends(full["start_date"], full["end_date"], defaults.duration)
    yield from without_zeros(batch(full, lines), file)


def without_zeros(samples: pa.RecordBatch, file: str) -> Iterator[pa.RecordBatch | Skipped]:
    """A batch without zeros of metrics that add up, and how many there were."""
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
    """A batch of `SAMPLES`, what repeats in it as dictionaries."""
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
