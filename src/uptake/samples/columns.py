"""A batch of samples as columns, and those columns as bytes.

Bytes, version 1: one byte with the version, then a zstd frame of a msgpack header
`[count, devices, versions, columns]` followed by the columns' own bytes, in the header's order.
An integer column is `[constant]` when it never changes, else `[base, scale, width]` and
`(value - base) / scale` as unsigned little-endian integers of that width, byte planes apart, which
is what makes them small. Starts are kept as differences. Values that are decimals of at most three
places are kept as integers with their exponent, the others as float64.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.times import Int64s

UNITS = ("count", "count/min", "count/s")
NO_END = -1
"""The duration of a sample that was told without an end."""

VERSION = 1
DIGEST_BYTES = 16
COMPRESSION_LEVEL = 1
"""Higher levels win 1 % of the size for 30 % more time on shuffled columns (measured)."""

MAX_EXPONENT = 3
_EXACT = 2.0**53

Name = TypeVar("Name", str, str | None)


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of one user and one metric, ordered by `start`, `duration`, device name and unit.

    No two of them are the same sample. All arrays have one length.

    Attributes:
        start: instants in ticks (`times.TICKS` a second).
        duration: ticks from start to end; `NO_END` when no end was told.
        start_told, end_told: how the times were told (`times.tell`); 0 where there is no end.
        device, version: indexes into `devices` and `versions`.
        unit: indexes into `UNITS`.
        value: the numbers, always positive.
        devices: the device names in use, sorted.
        versions: the device versions in use, sorted, None first.
    """

    start: Int64s
    duration: Int64s
    start_told: Int64s
    end_told: Int64s
    device: Int64s
    version: Int64s
    unit: Int64s
    value: NDArray[np.float64]
    devices: tuple[str, ...]
    versions: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: Int64s | slice | NDArray[np.bool_]) -> "Columns":
        """The samples at these places, in that order; the tables of names stay whole."""
        return replace(self, **{name: getattr(self, name)[which] for name in ARRAYS})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and rows(self) == rows(other)

    __hash__ = None  # type: ignore[assignment]


ARRAYS = tuple(field.name for field in fields(Columns))[:8]


def build(  # noqa: PLR0913, PLR0917 - one argument a column
    device_names: Sequence[str],
    device_versions: Sequence[str | None],
    starts: Sequence[str],
    ends: Sequence[str | None],
    units: Sequence[str],
    values: Sequence[float],
) -> Columns:
    """Make columns of samples as they are told on a wire, all sequences of one length.

    Of samples that are the same (`merge.latest`), the one that stands last is kept.

    Raises:
        ValueError: a time is not ISO 8601 or ends before it starts.
    """
    start, start_told = times.read_all(starts)
    duration, end_told = _durations(start, ends)
    devices, device = table_of(device_names)
    versions, version = table_of(device_versions)
    unit = np.fromiter(map(UNITS.index, units), np.int64, len(units))
    value = np.array(values, np.float64)
    columns = Columns(
        start, duration, start_told, end_told, device, version, unit, value, devices, versions
    )
    return latest(columns)


def _durations(start: Int64s, ends: Sequence[str | None]) -> tuple[Int64s, Int64s]:
    told = [i for i, end in enumerate(ends) if end is not None]
    where = slice(None) if len(told) == len(ends) else told
    duration = np.full(len(ends), NO_END, np.int64)
    end_told = np.zeros(len(ends), np.int64)
    end, end_told[where] = times.read_all([end for end in ends if end is not None])
    duration[where] = end - start[where]
    if (duration[where] < 0).any():
        raise ValueError("a sample ends before it starts")
    return duration, end_told


def table_of(names: Sequence[Name]) -> tuple[tuple[Name, ...], Int64s]:
    """The distinct names in order (None first), and for each name its place among them."""
    table = sorted(set(names), key=lambda name: (name is not None, name or ""))
    if len(table) == 1:
        return tuple(table), np.zeros(len(names), np.int64)
    place = {name: i for i, name in enumerate(table)}
    return tuple(table), np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def latest(columns: Columns) -> Columns:
    """Put samples in order and, of those that are the same, keep the one that stands last.

    Two samples are the same when start, end, device name and unit are equal.
    """
    if (np.diff(columns.start) > 0).all():
        return columns
    order = np.lexsort((columns.unit, columns.device, columns.duration, columns.start))
    ordered = columns.take(order)
    repeated = np.ones(max(len(ordered) - 1, 0), bool)
    for name in ("start", "duration", "device", "unit"):
        repeated &= np.diff(getattr(ordered, name)) == 0
    # The sort is stable: within a run of equals the one received last stands last.
    return ordered.take(np.append(~repeated, True)) if repeated.any() else ordered


def rows(columns: Columns) -> list[dict[str, Any]]:
    """The samples as they are shown: one dict each with the names that the wire uses."""
    shown = []
    for start, duration, start_told, end_told, device, version, unit, value in zip(
        *(getattr(columns, name).tolist() for name in ARRAYS), strict=True
    ):
        end = None if duration == NO_END else times.tell(start + duration, end_told)
        shown.append(
            {
                "device_name": columns.devices[device],
                "device_version": columns.versions[version],
                "start_date": times.tell(start, start_told),
                "end_date": end,
                "value": int(value) if value.is_integer() else value,
                "unit": UNITS[unit],
            }
        )
    return shown


def digest(encoded: bytes) -> bytes:
    """A digest of a batch's bytes: equal for the same samples told in the same way."""
    return hashlib.sha256(encoded).digest()[:DIGEST_BYTES]


def to_bytes(columns: Columns) -> bytes:
    """Encode columns; equal columns always give equal bytes."""
    exponent, value = _decimals(columns.value)
    parts = [
        _pack(np.diff(columns.start, prepend=columns.start[:1])),
        *(_pack(getattr(columns, name)) for name in ARRAYS[1:7]),
        _pack(value) if exponent is not None else ([], _planes(value)),
    ]
    header = [
        len(columns),
        columns.devices,
        columns.versions,
        int(columns.start[0]) if len(columns) else 0,
        exponent,
        [how for how, _ in parts],
    ]
    packed = msgspec.msgpack.encode(header)
    frame = b"".join([len(packed).to_bytes(4, "little"), packed, *(data for _, data in parts)])
    return bytes([VERSION]) + zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(frame)


def _decimals(value: NDArray[np.float64]) -> tuple[int | None, NDArray[Any]]:
    """Values as integers and the power of ten that they were multiplied by, where that is exact."""
    if len(value) and value.max() * 10**MAX_EXPONENT < _EXACT:
        for exponent in range(MAX_EXPONENT + 1):
            scaled = np.rint(value * 10**exponent)
            if (scaled / 10**exponent == value).all():
                return exponent, scaled.astype(np.int64)
    return None, value


def _pack(column: Int64s) -> tuple[list[int], bytes]:
    if not len(column):
        return [0], b""
    base, top = int(column.min()), int(column.max())
    if base == top:
        return [base], b""
    offsets = column - base
    scale = int(np.gcd.reduce(offsets))
    width = next(width for width in (1, 2, 4, 8) if (top - base) // scale < 1 << 8 * width)
    return [base, scale, width], _planes((offsets // scale).astype(f"<u{width}"))


def _planes(column: NDArray[Any]) -> bytes:
    return column.view(np.uint8).reshape(len(column), -1).T.tobytes()


def from_bytes(encoded: bytes) -> Columns:
    """Decode what `to_bytes` made.

    Raises:
        ValueError: the bytes are of a version that this program does not know.
    """
    if encoded[:1] != bytes([VERSION]):
        raise ValueError("sample columns of a newer version")
    frame = zstandard.ZstdDecompressor().decompress(encoded[1:])
    body = 4 + int.from_bytes(frame[:4], "little")
    count, devices, versions, first, exponent, hows = msgspec.msgpack.decode(frame[4:body])
    data = memoryview(frame)[body:]
    arrays = []
    for how in hows:
        width = 8 if not how else how[2] if len(how) > 1 else 0
        arrays.append(_unpack(how, data[: count * width], count))
        data = data[count * width :]
    arrays[0] = arrays[0].cumsum() + first
    value = arrays[7] if exponent is None else arrays[7] / 10**exponent
    named = dict(zip(ARRAYS, [*arrays[:7], value], strict=True))
    return Columns(**named, devices=tuple(devices), versions=tuple(versions))


def _unpack(how: list[int], data: memoryview, count: int) -> NDArray[Any]:
    if len(how) == 1:
        return np.full(count, how[0], np.int64)
    planes = np.frombuffer(data, np.uint8).reshape(-1, count).T
    if not how:
        return np.ascontiguousarray(planes).view("<f8").reshape(count)
    base, scale, width = how
    column = np.ascontiguousarray(planes).view(f"<u{width}").reshape(count)
    return column.astype(np.int64) * scale + base
