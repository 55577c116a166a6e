"""Zones have the offsets of Python's own."""

import importlib.resources
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.samples import zones

TICKS = 10_000_000
DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = st.integers(1850, 2200)
ZONES = st.sampled_from(sorted(zones.names()))


def changes(name: str) -> list[tuple[int, int]]:
    """When the offset of a zone changes and to what, in seconds (RFC 9636, version 2 data)."""
    data = (importlib.resources.files("tzdata.zoneinfo") / name).read_bytes()

    def sizes(at: int) -> tuple[int, ...]:
        return struct.unpack(">6L", data[at + 20 : at + 44])

    isut, isstd, leap, times, types, chars = sizes(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    _, _, _, times, types, _ = sizes(at)
    at += 44
    moments = struct.unpack(f">{times}q", data[at : at + 8 * times])
    kinds = data[at + 8 * times : at + 9 * times]
    at += 9 * times
    offsets = [struct.unpack(">l", data[at + 6 * i : at + 6 * i + 4])[0] for i in range(types)]
    found: list[tuple[int, int]] = []
    for moment, kind in zip(moments, kinds, strict=True):
        if not found or offsets[kind] != found[-1][1]:
            found.append((moment, offsets[kind]))
    return found


def shown(zone: str, second: int) -> datetime:
    """The reading of a zone's clock."""
    return (EPOCH + timedelta(seconds=second)).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)


def reading(zone: str, second: int) -> int:
    """The same in seconds since the epoch."""
    return (shown(zone, second) - EPOCH) // timedelta(seconds=1)


def over(zone: str, year: int) -> zones.Offsets:
    """The offsets of a year and the next."""
    low, high = (
        (datetime(y, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(seconds=1) * TICKS
        for y in (year, year + 2)
    )
    return zones.offsets(zone, low, high)


def test_no_two_changes_are_within_three_days() -> None:
    """In no zone: samples of the clock every three days find all changes."""
    names = sorted(zones.names())
    assert len(names) > 500
    for name in names:
        moments = [moment for moment, _ in changes(name)]
        gaps = [b - a for a, b in pairwise(moments)]
        assert min(gaps, default=4 * DAY) > 3 * DAY


@given(ZONES, YEARS, st.data())
def test_offsets_equal_pythons(zone: str, year: int, data: st.DataObject) -> None:
    """At any second of the year, and just before and at every change."""
    offsets = over(zone, year)
    first = (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
    seconds = data.draw(st.lists(st.integers(first, first + 365 * DAY), min_size=1))
    for change in offsets.since.tolist()[1:]:
        seconds += [change // TICKS - 1, change // TICKS]
    found = offsets.at(np.array(seconds) * TICKS) // TICKS
    assert found.tolist() == [reading(zone, second) - second for second in seconds]


@given(ZONES, YEARS, st.integers(2, 360 * 24 * 4))
def test_a_reading_begins_when_clocks_first_show_it_or_a_later_one(
    zone: str, year: int, quarter: int
) -> None:
    """Also if clocks are put forward, back, or over a whole day."""
    wanted = (datetime(year, 1, 2, tzinfo=UTC) - EPOCH) // timedelta(seconds=1) + quarter * 900
    begin = int(over(zone, year).begin(np.array([wanted * TICKS]))[0]) // TICKS
    assert reading(zone, begin) >= wanted
    assert all(reading(zone, begin - before) < wanted for before in (1, 60, 3600, 5400, DAY))


@given(ZONES, YEARS, st.integers(1, 360 * 24 * 4), st.sampled_from([60, 3600]))
def test_a_grid_has_an_edge_at_every_new_hour_and_offset(
    zone: str, year: int, quarter: int, size: int
) -> None:
    """And nowhere else."""
    low = (datetime(year, 1, 2, tzinfo=UTC) - EPOCH) // timedelta(seconds=1) + quarter * 900 + 7
    high = low + 5 * size
    edges = (over(zone, year).grid(low * TICKS, high * TICKS, size * TICKS) // TICKS).tolist()

    def label(second: int) -> tuple[int, int]:
        return reading(zone, second) // size, reading(zone, second) - second

    assert edges[0] <= low
    assert edges[-1] >= high
    cells = list(pairwise(edges))
    for begin, end in cells:
        assert {label(begin), label((begin + end) // 2)} == {label(end - 1)}
        assert label(end - 1) != label(end)
        assert label(begin - 1) != label(begin)


def test_offsets_continue_beyond_the_range_of_python() -> None:
    """On the first and the last day."""
    low, high = -719_162 * DAY * TICKS, 2_932_897 * DAY * TICKS
    offsets = zones.offsets("Asia/Kathmandu", high - TICKS, high + TICKS)
    assert offsets.at(np.array([high])).tolist() == [20_700 * TICKS]
    offsets = zones.offsets("Asia/Kathmandu", low - TICKS, low + TICKS)
    assert offsets.at(np.array([low])).tolist() == [20_476 * TICKS]


@pytest.mark.parametrize(
    "name", ["", "europe/berlin", "Europe", "../UTC", "localtime", "right/UTC"]
)
def test_only_iana_names_are_zones(name: str) -> None:
    """No folder, no file of the machine, nothing that depends on it."""
    assert name not in zones.names()
