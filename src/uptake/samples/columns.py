"""A batch of samples as columns, and those columns as bytes.

Bytes: one byte with the version, then a frame, compressed by zstd unless it is tiny: the length of
a msgpack header in four bytes, the header `[count, devices, versions, first start, exponent, bases,
scales, widths]` and the columns' own bytes, in the order of `COLUMNS` and the values last. A column
is kept as `(number - base) / scale` in unsigned little-endian integers of its width, byte planes
apart, which is what makes it small; one that never changes has width 0 and no bytes. Starts are
kept as differences. Values that are decimals of at most three places are kept as integers with
their exponent, the others as the bits of their float64.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, TypeVar

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.packed import COMPRESSED, HEADER_LENGTH, NOT_DECIMAL, PLAIN, unpack
from uptake.samples.times import Int64s

UNITS = ("count", "count/min", "count/s")
NO_END = -1
"""The duration of a sample that was told without an end."""

PLAIN_BYTES = 512
"""Frames up to this size are not compressed: it would take longer than writing them."""

COMPRESSION_LEVEL = 1
"""Higher levels win 1 % of the size for 30 % more time on shuffled columns (measured)."""

DIGEST_BYTES = 16
MAX_EXPONENT = 3
_EXACT = 2.0**53

COLUMNS = ("start", "duration", "start_format", "end_format", "device", "version", "unit")

Name = TypeVar("Name", str, str | None)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Samples of one user and one metric.

    Attributes:
        numbers: a row of integers for each of `COLUMNS`, a column for each sample.
        value: the numbers that were measured, always positive.
        devices: the device names in use, sorted.
        versions: the device versions in use, sorted, None first.
    """

    numbers: Int64s
    value: NDArray[np.float64]
    devices: tuple[str, ...]
    versions: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.value)

    @property
    def start(self) -> Int64s:
        """Instants in ticks (`TICKS_PER_SECOND` a second)."""
        return _row(self.numbers, 0)

    @property
    def duration(self) -> Int64s:
        """Ticks from start to end; `NO_END` when no end was told."""
        return _row(self.numbers, 1)

    @property
    def start_format(self) -> Int64s:
        """How the starts were told (`times.format_time`)."""
        return _row(self.numbers, 2)

    @property
    def end_format(self) -> Int64s:
        """How the ends were told; 0 where there is none."""
        return _row(self.numbers, 3)

    @property
    def device(self) -> Int64s:
        """Indexes into `devices`."""
        return _row(self.numbers, 4)

    @property
    def version(self) -> Int64s:
        """Indexes into `versions`."""
        return _row(self.numbers, 5)

    @property
    def unit(self) -> Int64s:
        """Indexes into `UNITS`."""
        return _row(self.numbers, 6)

    def take(self, which: Int64s | slice | NDArray[np.bool_]) -> "Columns":
        """The samples at these places, in that order; the tables of names stay whole."""
        return Columns(self.numbers[:, which], self.value[which], self.devices, self.versions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and rows(self) == rows(other)

    __hash__ = None  # type: ignore[assignment]


def _row(numbers: Int64s, number: int) -> Int64s:
    row: Int64s = numbers[number]
    return row


def read(  # noqa: PLR0913, PLR0917 - one argument a column
    device_names: Sequence[str],
    device_versions: Sequence[str | None],
    starts: Sequence[str],
    ends: Sequence[str | None],
    units: Sequence[str],
    values: Sequence[float],
) -> Columns:
    """Read samples as they are told on a wire, in that order, all sequences of one length.

    Raises:
        ValueError: a time is not ISO 8601 or ends before it starts, or a unit is not of `UNITS`.
    """
    numbers = np.zeros((len(COLUMNS), len(values)), np.int64)
    _read_times(starts, ends, numbers)
    devices, numbers[4] = table_of(device_names)
    versions, numbers[5] = table_of(device_versions)
    known, unit = table_of(units)
    numbers[6] = np.array([UNITS.index(name) for name in known], np.int64)[unit]
    return Columns(numbers, np.array(values, np.float64), devices, versions)


def build(  # noqa: PLR0913, PLR0917 - one argument a column
    device_names: Sequence[str],
    device_versions: Sequence[str | None],
    starts: Sequence[str],
    ends: Sequence[str | None],
    units: Sequence[str],
    values: Sequence[float],
) -> Columns:
    """As `read`, put in order and without repeats by `latest`."""
    return latest(read(device_names, device_versions, starts, ends, units, values))


def _read_times(starts: Sequence[str], ends: Sequence[str | None], numbers: Int64s) -> None:
    where: Any = slice(None)
    if None in ends:
        where = [i for i, end in enumerate(ends) if end is not None]
        numbers[1] = NO_END
    # All at once: most of the cost is that of a call, not that of a text.
    ticks, told = times.read_all([*starts, *(end for end in ends if end is not None)])
    count = len(starts)
    numbers[0], numbers[2] = ticks[:count], told[:count]
    duration = ticks[count:] - numbers[0, where]
    if (duration < 0).any():
        raise ValueError("a sample ends before it starts")
    numbers[1, where], numbers[3, where] = duration, told[count:]


def table_of(names: Sequence[Name]) -> tuple[tuple[Name, ...], Int64s]:
    """The distinct names in order (None first), and for each name its place among them."""
    distinct = set(names)
    if len(distinct) == 1:
        return tuple(distinct), np.zeros(len(names), np.int64)
    table = sorted(distinct, key=lambda name: (name is not None, name or ""))
    place = {name: i for i, name in enumerate(table)}
    return tuple(table), np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def latest(columns: Columns) -> Columns:
    """Put samples in order and, of those that are the same, keep the one that stands last.

    Two samples are the same when start, end, device name and unit are equal; the order is by
    start, duration, device name and unit.
    """
    start = columns.start
    if (start[1:] > start[:-1]).all():
        return columns
    ordered = columns.take(np.argsort(start, kind="stable"))
    together = np.flatnonzero(ordered.start[1:] == ordered.start[:-1])
    if not len(together):
        return ordered
    # Those that start together are seldom in any other order than that in which they came.
    if not _in_order(ordered.numbers, together):
        ordered = columns.take(np.lexsort((columns.unit, columns.device, columns.duration, start)))
    identity = ordered.numbers[[1, 4, 6]]
    repeated = together[(identity[:, together + 1] == identity[:, together]).all(axis=0)]
    if not len(repeated):
        return ordered
    # The sorts are stable: within a run of equals the one received last stands last.
    kept = np.ones(len(ordered), bool)
    kept[repeated] = False
    return _in_use(ordered.take(kept))


def _in_order(numbers: Int64s, places: Int64s) -> bool:
    """Whether the samples at these places come before the next by duration, device and unit."""
    duration, device, unit = (row[places + 1] - row[places] for row in numbers[[1, 4, 6]])
    late = (duration < 0) | ((duration == 0) & ((device < 0) | ((device == 0) & (unit < 0))))
    return not late.any()


def _in_use(columns: Columns) -> Columns:
    """The same samples, without the names that only those that were left out had."""
    numbers = columns.numbers
    devices, numbers[4] = _used(columns.devices, columns.device)
    versions, numbers[5] = _used(columns.versions, columns.version)
    return Columns(numbers, columns.value, devices, versions)


def _used(table: tuple[Name, ...], places: Int64s) -> tuple[tuple[Name, ...], Int64s]:
    used = np.bincount(places, minlength=len(table)) > 0
    return tuple(compress(table, used)), (np.cumsum(used) - 1)[places]


def rows(columns: Columns) -> list[dict[str, Any]]:
    """The samples as they are shown: one dict each with the names that the wire uses."""
    shown = []
    for (start, duration, start_format, end_format, device, version, unit), value in zip(
        columns.numbers.T.tolist(), columns.value.tolist(), strict=True
    ):
        end = None if duration == NO_END else times.format_time(start + duration, end_format)
        shown.append(
            {
                "device_name": columns.devices[device],
                "device_version": columns.versions[version],
                "start_date": times.format_time(start, start_format),
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
    """Encode at least one sample; equal columns always give equal bytes."""
    exponent, value = _whole(columns.value)
    table = np.concatenate([columns.numbers, value[np.newaxis]])
    first = int(table[0, 0])
    # The functions themselves, not the methods and helpers that lead to them: of a small batch
    # those take half the time.
    np.subtract(columns.numbers[0, 1:], columns.numbers[0, :-1], out=table[0, 1:])
    table[0, 0] = table[0, -1] if len(columns) > 1 else 0
    base = np.minimum.reduce(table, axis=1)
    table -= base[:, np.newaxis]
    scale = np.maximum(np.gcd.reduce(table, axis=1), 1)
    widths = [_width(top) for top in (np.maximum.reduce(table, axis=1) // scale).tolist()]
    scales = scale.tolist()
    packed = msgspec.msgpack.encode(
        [
            len(columns),
            columns.devices,
            columns.versions,
            first,
            exponent,
            base.tolist(),
            scales,
            widths,
        ]
    )
    parts = [len(packed).to_bytes(HEADER_LENGTH, "little"), packed]
    for row, step, width in zip(table, scales, widths, strict=True):
        if width:
            narrow = (row if step == 1 else row // step).astype(f"<u{width}")
            parts.append(narrow.view(np.uint8).reshape(-1, width).T.tobytes())
    frame = b"".join(parts)
    if len(frame) <= PLAIN_BYTES:
        return PLAIN + frame
    return COMPRESSED + _compressor().compress(frame)


def _whole(value: NDArray[np.float64]) -> tuple[int, Int64s]:
    """Values as integers, with the power of ten they were multiplied by where that is exact."""
    if np.maximum.reduce(value) < _EXACT / 10**MAX_EXPONENT:
        for exponent in range(MAX_EXPONENT + 1):
            scaled = np.rint(value * 10**exponent)
            if np.logical_and.reduce(scaled / 10**exponent == value):
                return exponent, scaled.astype(np.int64)
    # The bits of positive doubles are in the order of the doubles.
    return NOT_DECIMAL, value.view(np.int64)


def _width(top: int) -> int:
    """Bytes that hold every integer up to this one."""
    return _WIDTHS[top.bit_length()]


_WIDTHS = [0, *[1] * 8, *[2] * 8, *[4] * 16, *[8] * 32]
"""By the bits of a number."""

_local = threading.local()


def _compressor() -> zstandard.ZstdCompressor:
    # One compressor serves one thread at a time, and is costly to make.
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
    compressor: zstandard.ZstdCompressor = _local.compressor
    return compressor


def from_bytes(encoded: bytes) -> Columns:
    """Decode what `to_bytes` made.

    Raises:
        ValueError: the bytes are of a version that this program does not know.
    """
    packed = unpack(encoded)
    numbers = np.empty((len(COLUMNS), packed.count), np.int64)
    value = np.empty(packed.count)
    packed.fill(numbers, value)
    return Columns(numbers, value, tuple(packed.devices), tuple(packed.versions))
