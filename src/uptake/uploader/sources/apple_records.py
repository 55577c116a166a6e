"""The records of an Apple Health export: steps and heart rates, found in pieces of its text.

Almost all are exactly as Apple writes them, and a regular expression finds those. Any other element
`Record` is parsed by a real XML parser, which also finds out what is wrong with it. Records of
other types are ignored, whatever is in them.

Apple's names become those of samples. Any spaces in names become simple ones, units in other
languages become `count` and `count/min`, and only the parts with known names of a device's
description are read. The others have hardware ids, or times that change from export to export, and
are never sent.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from uptake.samples.metrics import METRICS, Aggregation, Metric
from uptake.uploader.sources import FileOptions, Found, Unreadable
from uptake.uploader.sources.sample_tables import batch, not_a_number, number, without_zeros
from uptake.uploader.sources.values import iso_times, with_ends

MAX_ORIGINS = 20_000
"""Remembered at a time: an export has some hundreds, as each has the address of an object in it."""

PREFIX = "HKQuantityTypeIdentifier"
"""What the names of all quantity types begin with."""

TYPES: dict[str, Metric] = {PREFIX + one.apple_type: name for name, one in METRICS.items()}

_DEVICE = re.compile(r"<<HKDevice: 0x[0-9a-fA-F]+>,?\s*(.*?)>?\s*\Z", re.DOTALL)
_PARTS = re.compile(r"(?:^|,\s*)([^,:<>]{1,60}):")
"""Where a part begins: `name:`, `creation date:`. Values have commas too: `Watch6,10`."""

_READ = frozenset({"name", "manufacturer", "model", "hardware", "firmware", "software"})
_SPACES = re.compile(r"\s+")
_COUNTING = re.compile(r"[^\s/%]+")
_TIMES = ((("min", "мин", "分"), "count/min"), (("s", "сек", "秒"), "count/s"))
"""How words for minutes and seconds begin."""

_BLANK = ""

_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"
_TIME_BYTES = 25
_NO_TIME = b"0000-00-00 00:00:00 +0000"
_WANTED = [one.apple_type.encode() for one in METRICS.values()]
_TYPE = PREFIX.encode() + b"(?:" + b"|".join(_WANTED) + b")"
_RECORD = re.compile(
    rb'<Record (type="' + _TYPE + rb'"(?: (?:sourceName|sourceVersion|device|unit)="[^"<]*+")++)'
    rb'(?: creationDate="' + _TIME + rb'")?+'
    rb' startDate="(' + _TIME + rb')" endDate="(' + _TIME + rb')"'
    rb' value="([0-9]{1,15}+(?:\.[0-9]{1,20}+)?+)"/?+>'
    # or another one that may be wanted: it names no other type in the usual place.
    rb'|<Record(?! type="(?!' + _TYPE + rb'")[A-Za-z]++")'
    rb"(?![\w.:-])"
)
_NAMES = tuple(b"Identifier" + name for name in _WANTED)
_MARKS = (*_NAMES, b"&#")
"""What a piece with a wanted record has; `&#` as any character can be written so."""

_CONTROLS = bytes(range(9)) + b"\x0b\x0c" + bytes(range(14, 32))
"""Characters that XML does not allow (XML 1.0, section 2.2) and iOS has been seen to write."""


class Origin(NamedTuple):
    """What the records of a source have in common."""

    metric: str
    device_name: str
    device_version: str | None
    unit: str


Row = tuple[Origin, bytes, bytes | None, bytes | float]
"""A sample as it is in the file: its origin, its times and its value."""


class Records:
    """Makes samples of the pieces of one file."""

    def __init__(self, file: str, options: FileOptions) -> None:
        self._file = file
        self._options = options
        self._origins: dict[bytes, Origin | None] = {}

    def read(self, line: int, piece: bytes) -> Iterator[Found[pa.RecordBatch]]:
        """The samples of a piece that begins on this line; first what cannot be read."""
        if len(self._origins) > MAX_ORIGINS:
            self._origins.clear()
        if not any(mark in piece for mark in _MARKS):
            return  # records stand together by type, so this is most of a large export
        known = self._origins
        rows: list[Row] = []
        places: list[int] = []
        odd: list[int] = []
        unreadable: list[tuple[int, str]] = []
        for match in _RECORD.finditer(piece):
            head, start, end, value = match.groups()
            if head is not None:
                origin = known.get(head) or self._origin(head)
                if origin is not None:
                    rows.append((origin, start, end, value))
                    places.append(match.start())
                    continue
            row = self._odd(piece, match.start())
            if isinstance(row, str):
                unreadable.append((match.start(), row))
            elif row is not None:
                odd.append(len(rows))
                rows.append(row)
                places.append(match.start())
        line_ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n"))
        for place, reason in unreadable:
            tag = b" ".join(piece[place : piece.find(b">", place) + 1].split())
            at = line + int(np.searchsorted(line_ends, place))
            yield Unreadable(self._file, at, reason, tag)
        if rows:
            lines = line + np.searchsorted(line_ends, np.array(places))
            yield from without_zeros(self._batch(rows, odd, lines), self._file)

    def _origin(self, head: bytes) -> Origin | None:
        """The origin in the attributes before the times; None when they need a closer look."""
        if head not in self._origins:
            attributes = _attributes(b"<Record " + head + b"/>")
            origin = _origin_of(attributes) if isinstance(attributes, dict) else None
            self._origins[head] = origin
        return self._origins[head]

    def _odd(self, piece: bytes, place: int) -> Row | str | None:
        """A record of another form: a sample, or why it is none; None if it has another type."""
        end = piece.find(b"<", place + 1)
        text = piece[place:] if end < 0 else piece[place:end]
        attributes = _attributes(text)
        if isinstance(attributes, str):
            attributes = _attributes(text.translate(None, _CONTROLS))
        if isinstance(attributes, str):
            ours = any(name in text for name in _NAMES)
            return f"the record is not well-formed: {attributes}" if ours else None
        if metric_of(attributes.get("type")) is None:
            return None
        return _row(attributes)

    def _batch(self, rows: list[Row], odd: list[int], lines: NDArray[np.int64]) -> pa.RecordBatch:
        origins, starts, ends, values = zip(*rows, strict=True)
        distinct = {origin: i for i, origin in enumerate(dict.fromkeys(origins))}
        codes = np.fromiter((distinct[origin] for origin in origins), np.int32, len(rows))
        columns = {
            name: _coded([getattr(origin, name) for origin in distinct], codes)
            for name in ("metric", "device_name", "device_version", "unit")
        }
        columns["user_id"] = _coded([self._options.user], np.zeros(len(rows), np.int32))
        columns["start_date"] = _times(starts, odd)
        ended = _times(ends, odd)
        columns["end_date"] = with_ends(columns["start_date"], ended, self._options.duration)
        columns["value"] = pa.array(np.fromiter(map(float, values), np.float64, len(rows)))
        return batch(columns, pa.array(lines, pa.int64()))


def _attributes(element: bytes) -> dict[str, str] | str:
    """The attributes of the element that a text begins with, or what is wrong with it."""
    found: list[dict[str, str]] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda _, attributes: found.append(attributes)
    try:
        parser.Parse(element, False)
    except expat.ExpatError as error:
        if not found:
            return expat.ErrorString(error.code)
    return found[0] if found else "unclosed token"


def _row(attributes: dict[str, str]) -> Row | str:
    """A sample of an element of a wanted type, or what keeps it from being one."""
    origin = _origin_of(attributes)
    lacking = [name for name in ("startDate", "value") if name not in attributes]
    if origin is None:
        lacking.insert(0, "sourceName")
    if lacking or origin is None:
        return f"the record lacks {', '.join(lacking)}"
    value = number(attributes["value"])
    if value is None:
        return not_a_number(attributes["value"])
    end = attributes.get("endDate")
    start = attributes["startDate"].encode()
    return origin, start, end if end is None else end.encode(), value


def _coded(values: list[str | None], codes: NDArray[np.int32]) -> pa.Array:
    """A column that repeats some values, by the places of these in a list with repeats."""
    distinct = {
        value: i for i, value in enumerate(v for v in dict.fromkeys(values) if v is not None)
    }
    places = pa.array([distinct.get(value) for value in values], pa.int32())  # type: ignore[arg-type]
    return pa.DictionaryArray.from_arrays(
        places.take(pa.array(codes)), pa.array(list(distinct), pa.string())
    )


_WHOLE_TIME = re.compile(_TIME)


def _times(times: tuple[bytes | None, ...], odd: list[int]) -> pa.Array:
    """Times as ISO 8601: `2024-03-05 07:08:09 +0100` as `2024-03-05T07:08:09+01:00`.

    Args:
        times: as they stand in the file.
        odd: the places of those that may be of another form, which `iso_times` reads.
    """
    others = {i: times[i] for i in odd if not _WHOLE_TIME.fullmatch(times[i] or b"")}
    if others:
        times = tuple(_NO_TIME if i in others else time for i, time in enumerate(times))
    given = np.frombuffer(b"".join(times), np.uint8).reshape(-1, _TIME_BYTES)  # type: ignore[arg-type]
    iso = given.copy()
    iso[:, 10] = ord("T")
    iso[:, 19:22] = given[:, 20:23]
    iso[:, 22] = ord(":")
    offsets = np.arange(len(times) + 1, dtype=np.int32) * _TIME_BYTES
    column = pa.StringArray.from_buffers(len(times), pa.py_buffer(offsets), pa.py_buffer(iso))
    if not others:
        return column
    texts = column.to_pylist()
    for i, time in others.items():
        texts[i] = None if time is None else time.decode()
    return iso_times(pa.array(texts, pa.string()))


def metric_of(kind: str | None) -> Metric | None:
    """The metric of a record's type; None when it is not one of samples."""
    return TYPES.get(kind or _BLANK)


def _origin_of(attributes: dict[str, str]) -> Origin | None:
    """The origin of a record of a wanted type; None when it has no name.

    The device's name is the name of the source: each phone, watch and app is one source in Apple
    Health. The `device` attribute contains the address of an object in the memory of the phone that
    made the export, so it differs from export to export. Of its parts, the software's version is
    used, and a name where the source has none.
    """
    metric = TYPES[attributes["type"]]
    parts = _device_parts(attributes.get("device", _BLANK))
    name = _plain(attributes.get("sourceName", _BLANK)) or next(
        (parts[part] for part in ("name", "model", "hardware", "manufacturer") if part in parts),
        _BLANK,
    )
    if not name:
        return None
    version = parts.get("software") or parts.get("firmware")
    version = version or _plain(attributes.get("sourceVersion", _BLANK)) or None
    return Origin(metric, name, version, _unit_of(attributes.get("unit", _BLANK), metric))


def _device_parts(device: str) -> dict[str, str]:
    match = _DEVICE.fullmatch(device.strip())
    if match is None:
        return {}
    _, *parts = _PARTS.split(match[1])
    named = zip(parts[::2], parts[1::2], strict=True)
    return {name: _plain(value) for name, value in named if name in _READ and _plain(value)}


def _plain(name: str) -> str:
    """A name with simple spaces: whether Apple writes a no-break one has changed over time."""
    return _SPACES.sub(" ", name).strip()


def _unit_of(unit: str, metric: Metric) -> str:
    """A unit as the wires write it: `Anz./min` and `bpm` are `count/min`.

    For metrics that add up, any word is `count`, as every language has its own. An unknown unit is
    returned unchanged, for the receiver to validate.
    """
    definition = METRICS[metric]
    unit = _plain(unit)
    if not unit:
        return definition.unit
    counted, slash, time = unit.partition("/")
    if not slash:
        if definition.aggregation is Aggregation.MEAN:
            return definition.unit if unit.lower() in definition.unit_names else unit
        return "count" if _COUNTING.fullmatch(unit) else unit
    if _COUNTING.fullmatch(counted.strip()):
        for begins, name in _TIMES:
            if time.strip().lower().startswith(begins):
                return name
    return unit
