"""A batch of samples as columns, and those columns as bytes.

Bytes: one byte with the version, then a frame, compressed by zstd unless it is tiny: the length of
a msgpack header in four bytes, the header `[count, devices, versions, first start, exponent, bases,
scales, widths]` and the columns' own bytes, in the order of `COLUMNS` and the values last. A column
is stored as `(number - base) / scale` in unsigned little-endian integers of its width, one byte
plane after the other, which compresses well; a constant column has width 0 and no bytes. Starts are
stored as differences. Values that are decimals of at most three places are stored as integers with
their exponent, others as the bits of their float64.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.packed import (
    COMPRESSED,
    HEADER_LENGTH,
    NOT_DECIMAL,
    PLAIN,
    Scheme,
    compressed,
    fill_all,
    unpack,
    unpack_all,
)
from uptake.samples.time_formats import time_texts
from uptake.samples.times import Int64s

UNITS = ("count", "count/min", "count/s")
NO_END = -1
"""The duration of a sample without an end."""

PLAIN_BYTES = 512
"""Frames up to this size are not compressed: compressing them costs more than writing them."""

COMPRESSION_LEVEL = 1
"""Higher levels save 1 % of the size for 30 % more time on shuffled columns (measured)."""

DIGEST_BYTES = 16
MAX_EXPONENT = 3
_EXACT = 2.0**53

COLUMNS = ("start", "duration", "start_format", "end_format", "device", "version", "unit")

Name = TypeVar("Name", str, str | None)


class _Named(Protocol):
    """What has the tables of names of samples."""

    @property
    def devices(self) -> tuple[str, ...]: ...
    @property
    def versions(self) -> tuple[str | None, ...]: ...


class _Numbers(Protocol):
    @property
    def numbers(self) -> Int64s: ...


class column:  # noqa: N801 - used like `property`
    """A row of `numbers` as an attribute."""

    def __init__(self, number: int, doc: str) -> None:
        self._number = number
        self.__doc__ = doc

    def __get__(self, owner: _Numbers, _: object = None) -> Int64s:
        row: Int64s = owner.numbers[self._number]
        return row


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Samples of one user and one metric.

    Attributes:
        numbers: a row of integers for each of `COLUMNS`, a column for each sample.
        value: the measured values, always positive.
        devices: the device names in use, sorted.
        versions: the device versions in use, sorted, None first.
    """

    numbers: Int64s
    value: NDArray[np.float64]
    devices: tuple[str, ...]
    versions: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.value)

    start = column(0, "Instants in ticks (`times.TICKS` a second).")
    duration = column(1, "Ticks from start to end; `NO_END` for samples without an end.")
    start_format = column(2, "The formats of the starts (`times.format_time`).")
    end_format = column(3, "The formats of the ends; 0 for samples without an end.")
    device = column(4, "Indexes into `devices`.")
    version = column(5, "Indexes into `versions`.")
    unit = column(6, "Indexes into `UNITS`.")

    def take(self, which: Int64s | slice | NDArray[np.bool_]) -> "Columns":
        """The samples at these places, in that order; the tables of names do not change."""
        return Columns(self.numbers[:, which], self.value[which], self.devices, self.versions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and rows(self) == rows(other)

    __hash__ = None  # type: ignore[assignment]


class Sample(msgspec.Struct, gc=False):
    """A sample of the wire; its limits are not checked."""

    device_name: str
    start_date: str
    unit: str
    value: float
    device_version: str | None = None
    end_date: str | None = None


def read(samples: Sequence[Sample]) -> Columns:
    """Reads samples, in order.

    Raises:
        ValueError: a time is not ISO 8601 or ends before it starts, or a unit is not of `UNITS`.
    """
    numbers = np.zeros((len(COLUMNS), len(samples)), np.int64)
    starts = [sample.start_date for sample in samples]
    _read_times(starts, [sample.end_date for sample in samples], numbers)
    devices, numbers[4] = table_of([sample.device_name for sample in samples])
    versions, numbers[5] = table_of([sample.device_version for sample in samples])
    known, unit = table_of([sample.unit for sample in samples])
    numbers[6] = np.array([UNITS.index(name) for name in known], np.int64)[unit]
    value = np.array([sample.value for sample in samples], np.float64)
    return Columns(numbers, value, devices, versions)


def _read_times(starts: Sequence[str], ends: Sequence[str | None], numbers: Int64s) -> None:
    where: Any = slice(None)
    present: Sequence[Any] = ends
    if None in ends:
        where = [i for i, end in enumerate(ends) if end is not None]
        present = [ends[i] for i in where]
        numbers[1] = NO_END
    # All at once: a call costs more than a text.
    ticks, formats = times.read_all([*starts, *present])
    count = len(starts)
    numbers[0], numbers[2] = ticks[:count], formats[:count]
    duration = ticks[count:] - numbers[0, where]
    if (duration < 0).any():
        raise ValueError("a sample ends before it starts")
    numbers[1, where], numbers[3, where] = duration, formats[count:]


def table_of(names: Sequence[Name]) -> tuple[tuple[Name, ...], Int64s]:
    """The distinct names, sorted (None first), and the index of each name in them."""
    distinct = set(names)
    if len(distinct) == 1:
        return tuple(distinct), np.zeros(len(names), np.int64)
    table = sorted(distinct, key=lambda name: (name is not None, name or ""))
    place = {name: i for i, name in enumerate(table)}
    return tuple(table), np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def concatenated(
    numbers: Int64s,
    value: NDArray[np.float64],
    batches: Sequence[_Named],
    counts: Sequence[int],
) -> Columns:
    """The concatenated samples of batches, with common tables of names."""
    devices, numbers[4] = _renamed(numbers[4], [batch.devices for batch in batches], counts)
    versions, numbers[5] = _renamed(numbers[5], [batch.versions for batch in batches], counts)
    return Columns(numbers, value, devices, versions)


def _renamed(
    places: Int64s, tables: Sequence[Sequence[Name]], counts: Sequence[int]
) -> tuple[tuple[Name, ...], Int64s]:
    if all(table == tables[0] for table in tables):
        return tuple(tables[0]), places
    names, place = table_of([name for table in tables for name in table])
    begins = np.cumsum([0, *map(len, tables[:-1])], dtype=np.int64)
    return names, place[places + np.repeat(begins, counts)]


def latest(columns: Columns) -> Columns:
    """Sorts samples and removes repeats, of which the last one is retained.

    Samples are repeats of each other if start, end, device name and unit are equal. The order is by
    start, duration, device name and unit.
    """
    start = columns.start
    if (start[1:] > start[:-1]).all():
        return columns
    ordered = columns.take(np.argsort(start, kind="stable"))
    together = np.flatnonzero(ordered.start[1:] == ordered.start[:-1])
    if not len(together):
        return ordered
    # Samples with the same start are usually in order already.
    if not _in_order(ordered.numbers, together):
        ordered = columns.take(np.lexsort((columns.unit, columns.device, columns.duration, start)))
    identity = ordered.numbers[[1, 4, 6]]
    repeated = together[(identity[:, together + 1] == identity[:, together]).all(axis=0)]
    if not len(repeated):
        return ordered
    # The sorts are stable: in a run of repeats the one received last is the last.
    retained = np.ones(len(ordered), bool)
    retained[repeated] = False
    return in_use(ordered.take(retained))


def _in_order(numbers: Int64s, places: Int64s) -> bool:
    """Whether each of these samples sorts before the next by duration, device and unit."""
    duration, device, unit = (row[places + 1] - row[places] for row in numbers[[1, 4, 6]])
    late = (duration < 0) | ((duration == 0) & ((device < 0) | ((device == 0) & (unit < 0))))
    return not late.any()


def in_use(columns: Columns) -> Columns:
    """The same samples, without names that are not used any more."""
    numbers = columns.numbers
    devices, numbers[4] = _used(columns.devices, columns.device)
    versions, numbers[5] = _used(columns.versions, columns.version)
    return Columns(numbers, columns.value, devices, versions)


def _used(table: tuple[Name, ...], places: Int64s) -> tuple[tuple[Name, ...], Int64s]:
    used = np.bincount(places, minlength=len(table)) > 0
    return tuple(compress(table, used)), (np.cumsum(used) - 1)[places]


def rows(columns: Columns) -> list[dict[str, Any]]:
    """The samples as dicts with the names of the wire."""
    starts = time_texts(columns.start, columns.start_format)
    has_end = columns.duration != NO_END
    ends = np.full(len(columns), None, object)
    ends[has_end] = time_texts(
        (columns.start + columns.duration)[has_end], columns.end_format[has_end]
    )
    return [
        {
            "device_name": columns.devices[device],
            "device_version": columns.versions[version],
            "start_date": start,
            "end_date": end,
            "value": int(value) if value.is_integer() else value,
            "unit": UNITS[unit],
        }
        for start, end, device, version, unit, value in zip(
            starts,
            ends.tolist(),
            *columns.numbers[4:7].tolist(),
            columns.value.tolist(),
            strict=True,
        )
    ]


def digest(encoded: bytes) -> bytes:
    """A digest of a batch's bytes: equal for equal samples in equal formats."""
    return hashlib.sha256(encoded).digest()[:DIGEST_BYTES]


def to_bytes(columns: Columns, level: int = COMPRESSION_LEVEL) -> bytes:
    """Encode at least one sample; equal columns always give equal bytes."""
    exponent, value = _whole(columns.value)
    table = np.concatenate([columns.numbers, value[np.newaxis]])
    first = int(table[0, 0])
    np.subtract(columns.numbers[0, 1:], columns.numbers[0, :-1], out=table[0, 1:])
    table[0, 0] = table[0, -1] if len(columns) > 1 else 0
    scheme, planes = to_planes(table)
    packed = msgspec.msgpack.encode(
        [len(columns), columns.devices, columns.versions, first, exponent, *scheme]
    )
    frame = b"".join([len(packed).to_bytes(HEADER_LENGTH, "little"), packed, *planes])
    if len(frame) <= PLAIN_BYTES:
        return PLAIN + frame
    return COMPRESSED + compressed(frame, level)


def to_planes(table: Int64s) -> tuple[Scheme, list[bytes]]:
    """Encode rows of at least one number. The rows are changed."""
    # Ufuncs instead of methods, which take half the time of a small batch.
    base = np.minimum.reduce(table, axis=1)
    table -= base[:, np.newaxis]
    scale = np.maximum(np.gcd.reduce(table, axis=1), 1)
    tops = (np.maximum.reduce(table, axis=1) // scale).tolist()
    widths = [_WIDTHS[top.bit_length()] for top in tops]
    scales = scale.tolist()
    parts = []
    for row, step, width in zip(table, scales, widths, strict=True):
        if width:
            narrow = (row if step == 1 else row // step).astype(f"<u{width}")
            parts.append(narrow.view(np.uint8).reshape(-1, width).T.tobytes())
    return (base.tolist(), scales, widths), parts


_WIDTHS = [0, *[1] * 8, *[2] * 8, *[4] * 16, *[8] * 32]
"""Bytes of an integer by its bits."""


def _whole(value: NDArray[np.float64]) -> tuple[int, Int64s]:
    """Values as integers and the exponent of their factor, a power of ten, if that is exact."""
    if np.maximum.reduce(value) < _EXACT / 10**MAX_EXPONENT:
        for exponent in range(MAX_EXPONENT + 1):
            scaled = np.rint(value * 10**exponent)
            if np.logical_and.reduce(scaled / 10**exponent == value):
                return exponent, scaled.astype(np.int64)
    # The bits of positive doubles sort like the doubles.
    return NOT_DECIMAL, value.view(np.int64)


def from_bytes(encoded: bytes) -> Columns:
    """Decode the bytes of `to_bytes`.

    Raises:
        ValueError: the bytes have an unknown version, or are damaged.
    """
    packed = unpack(encoded)
    numbers = np.empty((len(COLUMNS), packed.count), np.int64)
    value = np.empty(packed.count)
    packed.fill(numbers, value)
    return Columns(numbers, value, packed.devices, packed.versions)


def from_all_bytes(encoded: Sequence[bytes]) -> tuple[Columns, list[int]]:
    """Decode many batches together. Returns their samples, one batch after the other, and counts.

    Raises:
        ValueError: as `from_bytes`.
    """
    batches = unpack_all(encoded)
    counts = [packed.count for packed in batches]
    numbers = np.empty((len(COLUMNS), sum(counts)), np.int64)
    value = np.empty(sum(counts))
    fill_all(batches, numbers, value)
    return concatenated(numbers, value, batches, counts), counts
