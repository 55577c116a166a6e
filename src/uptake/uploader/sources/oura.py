"""Oura's *Export data*: the folder `App Data` of CSV files, in its zip, or one of the files.

Layout: columns are separated by semicolons, have the names of Oura's API (`v2/usercollection`), and
are in any order. `heartrate.csv` has a row for each value, `dailyactivity.csv` the steps of each
day. A day begins at 4 o'clock in the morning, at `timestamp` if the file has that column.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pyarrow as pa

from uptake.samples import times
from uptake.time_units import TICKS_PER_DAY
from uptake.uploader.sources import FileOptions, Found, Source
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.readings import (
    Cells,
    Reading,
    day_of,
    member,
    numeric,
    source_of,
    table_rows,
)

DEVICE = "Oura Ring"
"""The name of the device, unless another one is given: files have none."""

_BEATS = frozenset({"timestamp", "bpm", "source"})
_DAYS = frozenset({"id", "day", "steps", "active_calories"})


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    found: list[Source[pa.RecordBatch]] = []
    for file in files:
        columns = set(
            file.head.decode("utf-8-sig", "replace").partition("\n")[0].strip().split(";")
        )
        if columns == _BEATS:
            found.append(_beats(file.source, options))
        elif columns >= _DAYS:
            found.append(_days(file.source, options))
    return found


EXPORT = SampleExport("an Oura export", frozenset({".csv"}), _open)


def _beats(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    device = options.device or DEVICE

    def make(line: int, row: Cells) -> Iterator[Found[Reading]]:
        start, value = member(row, "timestamp"), numeric(member(row, "bpm"))
        yield Reading(line, "bpm", device, None, start, None, value)

    return source_of(source, table_rows(source, [*_BEATS], delimiter=";"), make, options)


def _days(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    device = options.device or DEVICE

    def make(line: int, row: Cells) -> Iterator[Found[Reading]]:
        start = row.get("timestamp")
        if start is None:
            day = day_of(member(row, "day"))
            start, end = (f"{one}T04:00:00" for one in (day, day + timedelta(days=1)))
        else:
            ticks, form = times.read(start)
            end = times.format_time(ticks + TICKS_PER_DAY, form)
        yield Reading(line, "steps", device, None, start, end, numeric(member(row, "steps")))

    return source_of(source, table_rows(source, [*_DAYS], delimiter=";"), make, options)
