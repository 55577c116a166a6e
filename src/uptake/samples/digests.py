"""Digests of samples and of days of samples, by which two sides find the samples that one lacks.

A sample becomes a row of 64-bit words: the first 16 bytes of SHA-256 of the device's name (UTF-8)
as two little-endian words; its start in ticks of 100 ns since 1970-01-01T00:00:00Z, two's
complement; its end likewise, or -2^63 without an end; the first 8 bytes of SHA-256 of the unit as a
little-endian word; the bits of its value as an IEEE 754 double. A lane starts with a seed and
continues with `mix(lane ^ word)` for each word, where `mix` is the finaliser of SplitMix64 (Steele,
Lea and Flood 2014). Two lanes with the seeds of `SEEDS`, concatenated as 16 hexadecimal digits
each, are the sample's digest. A day's digest is the exclusive or of the digests of the distinct
samples that start on it, in UTC.

The digests detect accidental loss and change. They are not cryptographic: samples can be
constructed so that two sets have the same digest.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import NO_END, UNITS, Columns
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_DAY

Words = NDArray[np.uint64]
"""One or two rows (a lane each) of a word for each sample."""

SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
"""Arbitrary numbers that differ and never change."""

ENDLESS = -(1 << 63)

_SHIFTS = tuple(np.uint64(shift) for shift in (30, 27, 31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_CHUNK = 16_384
"""Samples in a step, so that intermediate results fit into the cache."""


class DayDigest(msgspec.Struct, frozen=True, gc=False):
    """The samples of one device that start on one day.

    Attributes:
        device_name: the device.
        day: days since 1970-01-01, UTC.
        count: the number of samples.
        digest: 32 hexadecimal digits.
    """

    device_name: str
    day: int
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class DayTotals:
    """The columns of many `DayDigest`s, with indexes of devices; a digest is two words."""

    device: Int64s
    day: Int64s
    count: Int64s
    digest: Words

    def take(self, which: Int64s | slice) -> "DayTotals":
        """The days at these places, in that order."""
        return DayTotals(*(getattr(self, name)[..., which] for name in DayTotals.__slots__))

    def rows(self) -> Iterator[tuple[int, int, int, str]]:
        """The device, day, count and digest of each day."""
        for device, day, count, high, low in zip(
            self.device.tolist(),
            self.day.tolist(),
            self.count.tolist(),
            *self.digest.tolist(),
            strict=True,
        ):
            yield device, day, count, f"{high:016x}{low:016x}"


def day_totals(columns: Columns) -> DayTotals:
    """Returns the days of each device, sorted by device and day.

    Args:
        columns: at least one sample of one user and one metric, without repeats.
    """
    lanes = digests(columns)
    day = columns.start // TICKS_PER_DAY
    order = np.lexsort((day, columns.device))
    device, day = columns.device[order], day[order]
    begins = np.flatnonzero(np.append(True, (device[1:] != device[:-1]) | (day[1:] != day[:-1])))
    totals = np.bitwise_xor.reduceat(lanes[:, order], begins, axis=1)
    counts = np.diff(np.append(begins, len(columns)))
    return DayTotals(device[begins], day[begins], counts, totals)


def day_digests(columns: Columns) -> list[DayDigest]:
    """Returns the days of each device, sorted by device and day.

    Clients compare them with the response of `GET /uptake/v1/users/{user_id}/sync`.

    Args:
        columns: samples of one user and one metric, without repeats.
    """
    if not len(columns):
        return []
    return [
        DayDigest(columns.devices[device], day, count, digest)
        for device, day, count, digest in day_totals(columns).rows()
    ]


def digests(columns: Columns) -> Words:
    """The digests of samples, two rows of words."""
    lanes = identities(columns)
    return follow(lanes, columns.value.view(np.uint64))


def identities(columns: Columns) -> Words:
    """The identities of samples of one user and metric: their digests without the value."""
    start = columns.start
    end = np.where(columns.duration == NO_END, ENDLESS, start + columns.duration)
    return identify(
        words_of(columns.devices)[:, columns.device],
        start,
        end,
        words_of(UNITS)[:1, columns.unit],
    )


def identify(device: Words, start: Int64s, end: Int64s, unit: Words) -> Words:
    """The identities of samples from their words; `ENDLESS` for samples without an end."""
    lanes = np.empty((len(SEEDS), len(start)), np.uint64)
    lanes[:] = np.array(SEEDS, np.uint64)[:, np.newaxis]
    words = (device[0], device[1], start.view(np.uint64), end.view(np.uint64), unit[0])
    return follow(lanes, *words)


def follow(lanes: Words, *words: Words) -> Words:
    """Lanes continued with further words, one for each sample."""
    followed = lanes.copy()
    for at in range(0, lanes.shape[-1], _CHUNK):
        some = followed[..., at : at + _CHUNK]
        for word in words:
            some ^= word[at : at + _CHUNK]
            _mix(some)
    return followed


def _mix(lanes: Words) -> None:
    for shift, factor in zip(_SHIFTS, (*_FACTORS, None), strict=True):
        lanes ^= lanes >> shift
        if factor is not None:
            lanes *= factor


def words_of(names: Sequence[Any]) -> Words:
    """Two rows of words, one column for each name; the words of None are those of no name."""
    words = np.array([_words(name) for name in names], np.uint64)
    return np.ascontiguousarray(words.reshape(-1, 2).T)


@lru_cache(maxsize=4096)
def _words(name: str | None) -> tuple[int, int]:
    if name is None:
        return 0, 0
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
