"""FIT files of Garmin's and others' devices: activities and monitoring, alone or in an archive.

Layout: Garmin's FIT protocol and its profile, which the library `fitdecode` (extra `fit`) reads.
The heart rates of `record` and `monitoring` are used, and the cycles of walking and running in
`monitoring`, which are steps. A device counts these from midnight on, so a sample is what was added
since the message before. What was counted before a file begins is in another file.

Times are in UTC. The offset is the difference of the two times in `monitoring_info` or `activity`,
and the latter is the last message of a file. Therefore the values of a file are collected up to its
end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from uptake.samples.metrics import Metric
from uptake.time_units import SECONDS_PER_DAY
from uptake.uploader.sources import (
    FileOptions,
    Found,
    Progress,
    Skipped,
    Source,
    UnknownSource,
    Unreadable,
)
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.readings import Reading, batches, iso_of_epoch

MAGIC = b".FIT"
HEADER_BYTES = (12, 14)
"""Sizes of headers; their bytes 8 to 11 are `MAGIC`."""

MAX_COLLECTED = 500_000
"""Values of a file that are collected: six days of one a second. The rest has no offset."""

EPOCH = 631_065_600
"""Seconds from 1970 to the beginning of FIT's time, the last day of 1989."""

MIN_TIME = 0x10000000
"""Less is the time since a device was switched on."""

MAX_TIME = 0xFFFFFFFE
"""Times are unsigned numbers of 32 bits."""

SECONDS_PER_QUARTER = 900
"""Offsets are whole quarters of an hour; clocks of devices differ by some seconds."""

DEVICE = "FIT"
"""The name of the device where a file has none."""

BEFORE = "steps that were counted before the file begins"
NOT_MEASURED = "no heart rate measured"

_TIME = 253
_LOCAL_TIMES = {34: 5, 103: 0}
"""The fields with the local time in `activity` and `monitoring_info`."""

_WALKING, _RUNNING = 6, 1
_CREATOR = 0
"""The `device_index` of the device that wrote the file."""


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    return [_source(file.source, options) for file in files if _is_fit(file.head)]


EXPORT = SampleExport("a FIT file", frozenset({".fit"}), _open)


def _is_fit(head: bytes) -> bool:
    return head[8:12] == MAGIC and head[0] in HEADER_BYTES


def _source(source: Input, options: FileOptions) -> Source[pa.RecordBatch]:
    file = source.file
    try:
        import fitdecode  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        raise UnknownSource(
            f"{file}: FIT files are read with fitdecode, which is not installed;"
            " install it: pip install fitdecode"
        ) from None

    def read(progress: Progress) -> Iterator[Found[pa.RecordBatch]]:
        yield from batches(_readings(source, progress, options), file, options)

    return Source(file, source.size, read)


class _Message(NamedTuple):
    """What is used of a message.

    Attributes:
        number: its place in the file.
        kind: its number in the profile.
        integers: raw values by the number of the field; of a list, the first.
        texts: values as text, enumerated ones with their names in the profile.
    """

    number: int
    kind: int
    integers: Mapping[int, int]
    texts: Mapping[int, str]


@dataclass
class _File:
    """What is collected of one file; several may follow each other in a stream.

    Attributes:
        values: of each sample the place, the metric, start and end in FIT's time, and the value.
        offset: seconds east of UTC.
        name, version: of the device that wrote the file.
        time: of the last message that has one.
        counted: steps since midnight, and their time, by activity.
        begins_at_midnight: whether nothing was counted before.
        before: messages with steps from before the file begins.
        unmeasured: messages without a heart rate.
    """

    values: list[tuple[int, Metric, int, int | None, float]] = field(default_factory=list)
    offset: int | None = None
    name: str = ""
    version: str | None = None
    time: int = 0
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)
    begins_at_midnight: bool = False
    begin: int = 0
    before: int = 0
    unmeasured: int = 0

    def add(self, message: _Message) -> None:
        """Add what is used of a message."""
        integers, texts = message.integers, message.texts
        time, local = integers.get(_TIME), integers.get(_LOCAL_TIMES.get(message.kind, -1))
        if time is not None:
            self.time = time
        if time is not None and local is not None:
            self.offset = _offset(local - time)
        match message.kind:
            case 0:  # file_id: the maker, and the name of the product or its number
                names = (texts.get(1, ""), texts.get(8) or texts.get(2, ""))
                self.name = " ".join(" ".join(names).split())
            case 23 if integers.get(0) == _CREATOR and 5 in integers:  # device_info
                self.version = f"{integers[5] / 100:.2f}"
            case 103 if time is not None and local is not None:  # monitoring_info
                self.begins_at_midnight = local % SECONDS_PER_DAY == 0
                self.begin = time
            case 20:  # record
                self._beat(message.number, integers.get(3))
            case 55:  # monitoring
                self._monitor(message)

    def _beat(self, number: int, value: int | None) -> None:
        if value == 0:
            self.unmeasured += 1
        elif value is not None:
            self.values.append((number, "bpm", self.time, None, value))

    def _monitor(self, message: _Message) -> None:
        integers = message.integers
        short = integers.get(26)  # the last 16 bits of the time
        if short is not None and _TIME not in integers:
            self.time += (short - self.time) & 0xFFFF
        self._beat(message.number, integers.get(27))
        activity = integers.get(5, integers.get(24, 0) & 0x1F)
        cycles = integers.get(3, integers.get(9))
        if activity not in {_WALKING, _RUNNING} or cycles is None:
            return
        known = self.counted.get(activity)
        self.counted[activity] = cycles, self.time
        if known is None and not self.begins_at_midnight:
            self.before += cycles > 0
            return
        base, since = known or (0, self.begin)
        steps = cycles - base if cycles >= base else cycles  # counted from a midnight since then
        if steps:
            self.values.append((message.number, "steps", since, self.time, steps))

    def readings(self, file: str, options: FileOptions) -> Iterator[Found[Reading]]:
        """The samples so far, and what was left out."""
        name = options.device or self.name or DEVICE
        for number, metric, start, end, value in self.values:
            if not all(MIN_TIME <= time <= MAX_TIME for time in (start, end or start)):
                yield Unreadable(file, number, "has no time: the clock of the device was not set")
                continue
            begun = iso_of_epoch(EPOCH + start, 0, self.offset)
            ended = None if end is None else iso_of_epoch(EPOCH + end, 0, self.offset)
            yield Reading(number, metric, name, self.version, begun, ended, value)
        for count, reason in ((self.before, BEFORE), (self.unmeasured, NOT_MEASURED)):
            if count:
                yield Skipped(file, count, reason)
        self.values, self.before, self.unmeasured = [], 0, 0


def _offset(seconds: int) -> int | None:
    """The difference of two clocks as an offset; None if it is none."""
    nearest = round(seconds / SECONDS_PER_QUARTER) * SECONDS_PER_QUARTER
    return nearest if abs(nearest) < SECONDS_PER_DAY else None


def _readings(source: Input, progress: Progress, options: FileOptions) -> Iterator[Found[Reading]]:
    """The samples of all files in a stream; where it is damaged, what was read before, and why."""
    from fitdecode import FitCRC, FitDataMessage, FitHeader, FitReader  # noqa: PLC0415 - an extra
    from fitdecode.reader import CrcCheck, ErrorHandling  # noqa: PLC0415

    name, number, file = source.file, 0, _File()
    with source.open(progress) as stream:
        reader = FitReader(
            stream,
            processor=None,
            check_crc=CrcCheck.READONLY,
            error_handling=ErrorHandling.IGNORE,
        )
        frames = iter(reader)
        while True:
            try:
                frame = next(frames, None)
            except OSError:
                yield from file.readings(name, options)
                raise
            except Exception as error:  # noqa: BLE001 - the library raises many for damaged files
                yield from file.readings(name, options)
                reason = " ".join(str(error).split()) or type(error).__name__
                yield Unreadable(name, number, f"the rest cannot be read: {reason:.200}")
                return
            if frame is None:
                return
            number += 1
            if isinstance(frame, FitHeader):
                file = _File()
            elif isinstance(frame, FitDataMessage):
                file.add(_message(number, frame))
            elif isinstance(frame, FitCRC):
                yield from file.readings(name, options)
                if not frame.matched:
                    yield Unreadable(name, number, "the checksum is wrong: the file is damaged")
            if len(file.values) > MAX_COLLECTED:
                yield from file.readings(name, options)


def _message(number: int, frame: Any) -> _Message:
    integers: dict[int, int] = {}
    texts: dict[int, str] = {}
    for one in frame.fields:
        place = one.def_num
        if one.field_def is None and place != _TIME:
            continue  # a part of another field
        if one.field_def is not None and one.field_def.is_dev:
            continue
        raw = one.raw_value
        if isinstance(raw, tuple | bytes) and raw:
            raw = raw[0]
        if isinstance(raw, int):
            integers[place] = raw
        if one.value is not None:
            texts[place] = str(one.value)
    return _Message(number, frame.global_mesg_num, integers, texts)
