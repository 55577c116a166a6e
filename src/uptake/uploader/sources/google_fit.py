"""Google Fit in Google Takeout: the folder `Fit` of an archive, or one of its files.

Layout: a file of `All Data` is an object with a `Data Source`, an id as the REST API of Google Fit
describes it for `dataStreamId`, and an array `Data Points` of such points as that API returns. A
file of `Daily activity metrics` is a table of a day's quarters of an hour, with the average of the
heart rate.

Google Fit derives values from others: it counts the steps of a phone from its sensor, and merges
the values of all apps and devices. A metric is read from the first of these that an export has:
what Google Fit merged, what it estimated, all that apps and devices wrote, the daily tables. The
others have the same steps and heart rates again, and are counted as skipped.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from uptake.samples.metrics import Metric
from uptake.uploader.sources import FileOptions, Found, Source
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.json_arrays import item_rows
from uptake.uploader.sources.readings import (
    NANOSECONDS,
    Cells,
    Reading,
    iso_of_epoch,
    member,
    numeric,
    skipped_file,
    source_of,
    table_rows,
)

DEVICE = "Google Fit"
"""The name of the device where a point has none."""

REPEATED = "values that another file of Google Fit has too"

_TYPES: dict[str, Metric] = {"step_count.delta": "steps", "heart_rate.bpm": "bpm"}
_TYPE = "|".join(map(re.escape, _TYPES))
_POINTS = re.compile(r'\s*\{(?:\s*"Data Source"\s*:\s*"[^"]*"\s*,)?\s*"Data Points"\s*:\s*\[')
_STREAM = re.compile(rf'"Data Source"\s*:\s*"((?:raw|derived):com\.google\.({_TYPE}):[^"]*)"')
_POINT = re.compile(rf'"dataTypeName"\s*:\s*"com\.google\.({_TYPE})"')
_RANKS = (
    re.compile(r"^derived:.*:merge_(?:step_deltas|heart_rate_bpm)$"),
    re.compile(r"^derived:.*:estimated_steps$"),
)

_TABLES = len(_RANKS) + 1
"""The rank of the daily tables, after that of all that apps and devices wrote."""

_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv", re.IGNORECASE)
_QUARTERS = ("Start time", "End time")
_COLUMNS: dict[Metric, str] = {"steps": "Step count", "bpm": "Average heart rate (bpm)"}


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    ranks = [(rank, file, metric) for file in files for metric, rank in _ranks(file)]
    best = {metric: min(rank for rank, _, one in ranks if one == metric) for *_, metric in ranks}
    wanted: dict[str, list[Metric]] = {file.source.file: [] for _, file, _ in ranks}
    for rank, file, metric in ranks:
        if rank == best[metric]:
            wanted[file.source.file].append(metric)
    return [
        _source(file, wanted[file.source.file], options)
        for file in files
        if file.source.file in wanted
    ]


def _source(
    file: ExportFile, metrics: Sequence[Metric], options: FileOptions
) -> Source[pa.RecordBatch]:
    if not metrics:
        return skipped_file(file.source.file, REPEATED)
    if _DAY.fullmatch(file.inside.name):
        return _quarters(file, metrics, options)
    return _points(file, metrics[0], options)


EXPORT = SampleExport("an export of Google Fit", frozenset({".json", ".csv"}), _open)


def _ranks(file: ExportFile) -> Iterable[tuple[Metric, int]]:
    """The metrics of a file, each with its place in the order of preference."""
    head = file.head.decode("utf-8-sig", "replace")
    if _POINTS.match(head):
        stream, point = _STREAM.search(head), _POINT.search(head)
        if stream:
            ranks = [i for i, pattern in enumerate(_RANKS) if pattern.match(stream[1])]
            yield _TYPES[stream[2]], min(ranks, default=len(_RANKS))
        elif point:
            yield _TYPES[point[1]], len(_RANKS)
    elif _DAY.fullmatch(file.inside.name):
        header = head.partition("\n")[0].strip().split(",")
        if header[:2] == [*_QUARTERS]:
            yield from ((metric, _TABLES) for metric, name in _COLUMNS.items() if name in header)


def _points(file: ExportFile, metric: Metric, options: FileOptions) -> Source[pa.RecordBatch]:
    def make(line: int, point: Any) -> Iterator[Found[Reading]]:
        start, end = (_nanoseconds(point, f"{which}TimeNanos") for which in ("start", "end"))
        ended = None if start == end else iso_of_epoch(end, NANOSECONDS)
        device = _device(point.get("originDataSourceId"), options)
        begun = iso_of_epoch(start, NANOSECONDS)
        yield Reading(line, metric, device, None, begun, ended, _value(point))

    return source_of(file.source, item_rows(file.source, _POINTS), make, options)


def _nanoseconds(point: object, name: str) -> int:
    time = member(point, name)
    if isinstance(time, str | int) and not isinstance(time, bool) and str(time).isdecimal():
        return int(time)
    raise ValueError(f"the time {time!r:.60} is not a number")


def _value(point: dict[str, Any]) -> float:
    """The value of a point: `[{"value": {"intVal": 12}}]`, in the API without `value`."""
    values = point.get("fitValue") or member(point, "value")
    first = values[0] if isinstance(values, list) and values else None
    typed = first.get("value", first) if isinstance(first, dict) else None
    return numeric(
        member(typed, "fpVal" if isinstance(typed, dict) and "fpVal" in typed else "intVal")
    )


def _device(stream: object, options: FileOptions) -> str:
    """The app and the device in the id of a stream; never the device's own id, which follows.

    The id is `raw:com.google.heart_rate.bpm:PACKAGE:MANUFACTURER:MODEL:ID:NAME`.
    """
    parts = stream.split(":") if isinstance(stream, str) else []
    app = parts[2].strip() if len(parts) > 2 else ""
    measured = " ".join(" ".join(parts[3:5]).split()) if len(parts) > 5 else ""
    if app and measured:
        return f"{app} ({measured})"
    return app or measured or options.device or DEVICE


def _quarters(
    file: ExportFile, metrics: Sequence[Metric], options: FileOptions
) -> Source[pa.RecordBatch]:
    day = file.inside.stem
    rows = table_rows(file.source, [*_QUARTERS, *_COLUMNS.values()])
    device = options.device or DEVICE

    def make(line: int, row: Cells) -> Iterator[Found[Reading]]:
        start, end = (member(row, column) for column in _QUARTERS)
        end_day = day if end > start else date.fromisoformat(day) + timedelta(days=1)
        for metric in metrics:
            value = row.get(_COLUMNS[metric])
            if value is not None:
                begun, ended = f"{day}T{start}", f"{end_day}T{end}"
                yield Reading(line, metric, device, None, begun, ended, numeric(value))

    return source_of(file.source, rows, make, options)
