"""Fitbit's data: Google Takeout's folder `Fitbit` or `Google Health`, and Fitbit's own CSV export.

Layout, as in the `README.txt` files of such archives:

- `Physical Activity_GoogleData/steps_*.csv` and `heart_rate_*.csv` have a row for each value, with
  its time in UTC and its source.
- `Global Export Data/steps-*.json` and `heart_rate-*.json` have the values of the tracker alone,
  with times in UTC; steps are those of a minute. The files of other metrics look like those of
  steps, and so do those of resting heart rates like those of heart rates: here the name of a file
  decides too.
- `fitbit_export_*.csv`, from fitbit.com, has tables one after the other. That of activities has the
  steps of each day, in local time.

The tables have the values of the JSON files too: of a metric that both have, the JSON files are
counted as skipped.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from uptake.samples.metrics import Metric
from uptake.uploader.sources import FileOptions, Found, Progress, Skipped, Source
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_arrays import item_rows
from uptake.uploader.sources.readings import (
    Cells,
    Reading,
    day_of,
    member,
    numeric,
    skipped_file,
    source_of,
    table_rows,
)
from uptake.uploader.sources.streams import read_up_to

DEVICE = "Fitbit"
"""The name of the device where a file has none."""

REPEATED = "values that a CSV file of Fitbit has too"
NOT_MEASURED = "no heart rate measured"

MAX_EXPORT_BYTES = 16 << 20
"""Of the export of fitbit.com, which has at most 31 days: some thousands."""

_NAMES: dict[str, Metric] = {"steps": "steps", "heart_rate": "bpm"}
_NAME = re.compile(r"(steps|heart_rate)[-_][0-9]{4}-[0-9]{2}-[0-9]{2}.*")
_ITEMS = re.compile(r'\s*\[\s*\{[^{}]*"dateTime"')
_COLUMNS: dict[Metric, str] = {"steps": "steps", "bpm": "beats per minute"}
_SOURCE = "data source"
_TIME = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})")

_DAYS = re.compile(r'(?:^|\n)Activities\r?\n(?="?Date"?,"?Calories Burned"?,"?Steps"?,)')


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    tables = {file.source.file: metric for file in files if (metric := _of_table(file))}
    found: list[Source[pa.RecordBatch]] = []
    for file in files:
        source, metric = file.source, _of_json(file)
        if source.file in tables:
            found.append(_table(source, tables[source.file], options))
        elif metric in tables.values():
            found.append(skipped_file(source.file, REPEATED))
        elif metric is not None:
            found.append(_json(source, metric, options))
        elif _DAYS.search(_text(file)):
            found.append(_days(source, options))
    return found


EXPORT = SampleExport("an export of Fitbit", frozenset({".json", ".csv"}), _open)


def _text(file: ExportFile) -> str:
    return file.head.decode("utf-8-sig", "replace")


def _of_name(file: ExportFile) -> Metric | None:
    named = _NAME.fullmatch(file.inside.name.lower())
    return _NAMES[named[1]] if named else None


def _of_table(file: ExportFile) -> Metric | None:
    metric = _of_name(file)
    header = _text(file).partition("\n")[0].strip()
    return metric if metric and header == f"timestamp,{_COLUMNS[metric]},{_SOURCE}" else None


def _of_json(file: ExportFile) -> Metric | None:
    metric = _of_name(file)
    return metric if metric and _ITEMS.match(_text(file)) else None


def _table(source: Input, metric: Metric, options: FileOptions) -> Source[pa.RecordBatch]:
    file, column = source.file, _COLUMNS[metric]
    rows = table_rows(source, ["timestamp", column, _SOURCE])

    def make(line: int, row: Cells) -> Iterator[Found[Reading]]:
        value = row.get(column)
        if value is None:
            yield Skipped(file, 1, NOT_MEASURED)
            return
        name = row.get(_SOURCE) or options.device or DEVICE
        yield Reading(line, metric, name, None, member(row, "timestamp"), None, numeric(value))

    return source_of(source, rows, make, options)


def _json(source: Input, metric: Metric, options: FileOptions) -> Source[pa.RecordBatch]:
    file, name = source.file, options.device or DEVICE

    def make(line: int, item: Any) -> Iterator[Found[Reading]]:
        value = numeric(member(item, "value", "bpm") if metric == "bpm" else member(item, "value"))
        if metric == "bpm" and value == 0:
            yield Skipped(file, 1, NOT_MEASURED)
            return
        start = _time(member(item, "dateTime"))
        end = f"{(start + timedelta(minutes=1)).isoformat()}Z" if metric == "steps" else None
        yield Reading(line, metric, name, None, f"{start.isoformat()}Z", end, value)

    return source_of(source, item_rows(source), make, options)


def _time(text: object) -> datetime:
    found = _TIME.fullmatch(str(text))
    if found is None:
        raise ValueError(f"the time {text!r:.60} is not like 03/05/24 07:08:00")
    month, day, year, clock = found.groups()
    return datetime.fromisoformat(f"20{year}-{month}-{day}T{clock}")


def _days(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    name = options.device or DEVICE

    def rows(progress: Progress) -> Iterator[tuple[int, Cells]]:
        with source.open(progress) as stream:
            text = read_up_to(stream, MAX_EXPORT_BYTES).decode("utf-8-sig", "replace")
        begun = _DAYS.search(text)
        start = begun.end() if begun else len(text)
        lines = io.StringIO(text[start:], newline="")
        first = 1 + text.count("\n", 0, start)
        reader = csv.reader(lines)
        header = next(reader, [])
        for cells in reader:
            if len(cells) != len(header):
                return  # the end of the table
            yield first + reader.line_num - 1, dict(zip(header, cells, strict=True))

    def make(line: int, row: Cells) -> Iterator[Found[Reading]]:
        begun = day_of(member(row, "Date"))
        steps = numeric(member(row, "Steps").replace(",", ""))
        end = f"{begun + timedelta(days=1)}T00:00:00"
        yield Reading(line, "steps", name, None, f"{begun}T00:00:00", end, steps)

    return source_of(source, rows, make, options)
