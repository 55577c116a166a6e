"""Samsung Health's *Download personal data*: a folder of CSV files and `jsons`, or a zip of it.

Layout: the first line of a CSV file names its data type, the second the columns. Some columns begin
with the name of a type of the Samsung Health SDK for Android, which documents them. A cell
`binning_data` names a JSON file with the values of short spans. The spans of a heart rate have
times in milliseconds since 1970. A day of steps has 144 spans of ten minutes, in the order of the
day, as Samsung's example `StepDiary` reads them.

Steps are those that each device counted (`pedometer_step_count`). Only if there are none, the
merged steps of `step_daily_trend` are read; else that file is counted as skipped.

Times of CSV files are in UTC, and `time_offset` is the offset of the place. Some versions of the
app are reported to write local times. A heart rate with a JSON file has its time in both forms, and
shows which of them an export has.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from uptake.samples.metrics import Metric
from uptake.time_units import SECONDS_PER_DAY
from uptake.uploader.sources import (
    LEFT_OUT,
    FileOptions,
    Found,
    Progress,
    Skipped,
    Source,
    Unreadable,
)
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.json_arrays import items
from uptake.uploader.sources.readings import (
    MILLISECONDS,
    Cells,
    Reading,
    iso_of_epoch,
    made,
    member,
    numeric,
    skipped_file,
    source_of,
    table_rows,
)

DEVICE = "Samsung Health"
"""The name of the device where the export has none."""

COMBINED = "steps that are the sum of several devices"
REPEATED = "steps that the steps of each minute have too"
OF_ONE_DEVICE = "steps of one device that those of all devices have too"

MAX_DEVICES = 10_000
"""Devices that are read; an export has some tens."""

COMPARED_ROWS = 1000
"""Rows with a JSON file that are looked at to see in which time an export writes."""

TOLERANCE = 300_000
"""Milliseconds by which the time of a row and that of its first value may differ."""

DAY_SPANS = 144
"""Spans of ten minutes in a day."""

_TYPE = re.compile(r"\ufeff?com\.samsung\.s?health\.([a-z0-9_.]+),[0-9]+,[0-9]+\s*$")
_STEPS = ("tracker.pedometer_step_count", "step_count")
_BEATS = ("tracker.heart_rate", "heart_rate")
_DAYS = ("step_daily_trend",)
_DEVICES = ("device_profile",)
_PREFIXES: dict[Metric, str] = {
    "steps": "com.samsung.health.step_count.",
    "bpm": "com.samsung.health.heart_rate.",
}
_SUMS = frozenset({"combined", "all_target"})
"""Manufacturers of the devices that are the sum of several."""

_ALL_DEVICES = "-2"
"""The `source_type` of the merged steps of a day."""

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)")
_OFFSET = re.compile(r"UTC([+-])([0-9]{2}):?([0-9]{2})")


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    types = {file.source.file: _type_of(file) for file in files if _is_csv(file)}
    jsons = {file.inside.name: file.source for file in files if not _is_csv(file)}

    def of(kinds: Sequence[str]) -> list[Input]:
        return [file.source for file in files if types.get(file.source.file) in kinds]

    steps, beats, days = of(_STEPS), of(_BEATS), of(_DAYS)
    export = _Export(options, of(_DEVICES), beats, jsons)
    return [
        *(_Table(one, "steps", export).source() for one in steps),
        *(_Table(one, "bpm", export).source() for one in beats),
        *(
            skipped_file(one.file, REPEATED) if steps else _Days(one, export).source()
            for one in days
        ),
    ]


EXPORT = SampleExport("a Samsung Health export", frozenset({".csv", ".json"}), _open)


def _is_csv(file: ExportFile) -> bool:
    return file.inside.suffix.lower() != ".json"


def _type_of(file: ExportFile) -> str | None:
    line = file.head.decode("utf-8", "replace").partition("\n")[0]
    found = _TYPE.match(line)
    return found[1] if found else None


@dataclass
class _Export:
    """What the tables of an export have in common."""

    options: FileOptions
    profiles: Sequence[Input]
    beats: Sequence[Input]
    jsons: Mapping[str, Input]

    @cached_property
    def devices(self) -> dict[str, str | None]:
        """The names of the devices by their ids; None for the sum of several."""
        names: dict[str, str | None] = {}
        for profile in self.profiles:
            rows = table_rows(profile, ["deviceuuid", "manufacturer", "model", "name"], skip_rows=1)
            for one in islice(rows(Progress()), MAX_DEVICES):
                if isinstance(one, LEFT_OUT):
                    continue
                _, row = one
                maker = (row.get("manufacturer") or "").strip()
                model = (row.get("model") or row.get("name") or "").strip()
                is_sum = maker.lower() in _SUMS
                names[row.get("deviceuuid") or ""] = None if is_sum else f"{maker} {model}".strip()
        return names

    def device(self, row: Cells, prefix: str) -> str | None:
        """The device of a row; None if it is the sum of several."""
        known = self.devices.get(_cell(row, prefix, "deviceuuid") or "", "")
        return known if known is None else known or self.options.device or DEVICE

    @cached_property
    def is_local(self) -> bool:
        """Whether times of tables are local, as the JSON file of a heart rate shows."""
        if not self.jsons:
            return False  # nor can a table from a stream be read twice
        for one in self.beats:
            rows = table_rows(one, [_PREFIXES["bpm"] + "start_time", "start_time"], skip_rows=1)
            for found in islice(rows(Progress()), COMPARED_ROWS):
                if isinstance(found, LEFT_OUT):
                    continue
                _, row = found
                offset = _offset(_cell(row, _PREFIXES["bpm"], "time_offset"))
                first = next(self.values(row, _PREFIXES["bpm"]), None)
                if not offset or first is None or isinstance(first, Unreadable):
                    continue
                try:
                    clock = _milliseconds(_cell(row, _PREFIXES["bpm"], "start_time"))
                    ahead = clock - _whole(member(first[1], "start_time"))
                except ValueError:
                    continue
                if abs(ahead) < TOLERANCE:
                    return False
                if abs(ahead - 1000 * offset) < TOLERANCE:
                    return True
        return False

    def values(self, row: Cells, prefix: str) -> Iterator[tuple[int, Any] | Unreadable]:
        """The values of the JSON file that a row names; none if there is no such file."""
        source = self.values_file(row, prefix)
        if source is not None:
            try:
                with source.open(Progress()) as stream:
                    yield from items(stream, source.file)
            except OSError as error:
                yield Unreadable(source.file, 0, f"cannot be read: {error.strerror or error}")

    def values_file(self, row: Cells, prefix: str) -> Input | None:
        """The JSON file that a row names."""
        name = _cell(row, prefix, "binning_data")
        return self.jsons.get(PurePosixPath(name).name) if name else None

    def time(self, text: str | None, offset: int | None) -> str:
        """A time of a table with its offset."""
        milliseconds = _milliseconds(text)
        if self.is_local:
            milliseconds -= 1000 * (offset or 0)
        return iso_of_epoch(milliseconds, MILLISECONDS, offset)


def _cell(row: Cells, prefix: str, name: str) -> str | None:
    """A cell of a column, which newer versions write after the name of a type."""
    return row.get(prefix + name) or row.get(name)


def _offset(text: str | None) -> int | None:
    """Seconds of `UTC+0100`."""
    found = _OFFSET.fullmatch((text or "").strip())
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds


def _milliseconds(text: str | None) -> int:
    """The reading of a clock, as if it were one in UTC."""
    found = _TIME.fullmatch((text or "").strip())
    if found is None:
        raise ValueError(f"the time {text!r:.60} is not like 2024-03-05 07:08:09.000")
    moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"the time {value!r:.60} is not a number")  # noqa: TRY004 - of a file
    return value


class _Table:
    """The steps or the heart rates of an export."""

    def __init__(self, source: Input, metric: Metric, export: _Export) -> None:
        self._source = source
        self._metric = metric
        self._export = export
        self._prefix = _PREFIXES[metric]
        self._value = "count" if metric == "steps" else "heart_rate"
        wanted = [*(self._prefix + name for name in ("start_time", self._value)), "start_time"]
        self._rows = table_rows(source, wanted, skip_rows=1)

    def source(self) -> Source[pa.RecordBatch]:
        """The source of its samples."""
        return source_of(self._source, self._rows, self._readings, self._export.options)

    def _readings(self, line: int, row: Cells) -> Iterator[Found[Reading]]:
        device = self._export.device(row, self._prefix)
        if device is None:
            yield Skipped(self._source.file, 1, COMBINED)
            return
        offset = _offset(_cell(row, self._prefix, "time_offset"))
        are_none = True
        for reading in self._of_spans(line, row, device, offset):
            yield reading
            are_none = are_none and isinstance(reading, LEFT_OUT)
        if are_none:
            start, end = (_cell(row, self._prefix, name) for name in ("start_time", "end_time"))
            value = member({self._value: _cell(row, self._prefix, self._value)}, self._value)
            begun = self._export.time(start, offset)
            ended = None if end is None or end == start else self._export.time(end, offset)
            yield Reading(line, self._metric, device, None, begun, ended, numeric(value))

    def _of_spans(
        self, line: int, row: Cells, device: str, offset: int | None
    ) -> Iterator[Found[Reading]]:
        """The heart rates of the JSON file that a row names, of which the row has the average."""
        source = self._export.values_file(row, self._prefix)
        if source is None or self._metric != "bpm":
            return

        def make(_: int, item: Any) -> Iterator[Reading]:
            start, end = (_whole(member(item, name)) for name in ("start_time", "end_time"))
            begun, ended = (iso_of_epoch(one, MILLISECONDS, offset) for one in (start, end))
            value = numeric(member(item, "heart_rate"))
            yield Reading(line, "bpm", device, None, begun, None if start == end else ended, value)

        yield from made(self._export.values(row, self._prefix), make, source.file)


class _Days:
    """The merged steps of the days of an export, in local time."""

    def __init__(self, source: Input, export: _Export) -> None:
        self._source = source
        self._export = export
        self._rows = table_rows(source, ["day_time", "count", "source_type"], skip_rows=1)

    def source(self) -> Source[pa.RecordBatch]:
        """The source of its samples."""
        return source_of(self._source, self._rows, self._readings, self._export.options)

    def _readings(self, line: int, row: Cells) -> Iterator[Found[Reading]]:
        if row.get("source_type") != _ALL_DEVICES:
            yield Skipped(self._source.file, 1, OF_ONE_DEVICE)
            return
        day = member(row, "day_time").strip()
        midnight = int(day) if day.isdecimal() else _milliseconds(day)
        spans = list(islice(self._export.values(row, ""), DAY_SPANS + 1))
        if len(spans) != DAY_SPANS or any(isinstance(one, Unreadable) for one in spans):
            yield self._reading(line, midnight, SECONDS_PER_DAY, numeric(member(row, "count")))
            return
        seconds = SECONDS_PER_DAY // DAY_SPANS
        for place, (_, span) in enumerate(spans):  # type: ignore[misc]
            value = span.get("count") if isinstance(span, dict) else None
            if value:
                start = midnight + 1000 * seconds * place
                yield self._reading(line, start, seconds, numeric(value))

    def _reading(self, line: int, start: int, seconds: int, value: float) -> Reading:
        name = self._export.options.device or DEVICE
        begun, ended = (
            iso_of_epoch(one, MILLISECONDS).removesuffix("Z")
            for one in (start, start + 1000 * seconds)
        )
        return Reading(line, "steps", name, None, begun, ended, value)
