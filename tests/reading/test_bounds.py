"""Answers of lists have a bound in bytes: a page ends before it, and the next goes on."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import data_of, filled
from samples.making import SentSample
from uptake.reading import Page, bounds, samples, sync
from uptake.reading.bounds import ANSWER_BYTES, Listing, TooMuch
from uptake.reading.series import SampleQuery
from uptake.testing.store.model import ModelStore

GENEROUS_SECONDS = 30.0


def one(number: int, device: str) -> SentSample:
    """A sample of a minute of its own."""
    day, minute = divmod(number, 1440)
    hour, minute = divmod(minute, 60)
    return SentSample(
        device, None, f"2026-01-{day + 1:02}T{hour:02}:{minute:02}:00Z", None, "count", 1
    )


def pages(store: ModelStore, limit: int) -> Iterator[Any]:
    """All pages of samples."""
    cursor = None
    while True:
        page = samples.page(data_of(store), SampleQuery("steps"), Page(cursor, limit))
        yield page
        cursor = page.next
        if cursor is None:
            return


def test_twenty_thousand_devices_take_linear_time() -> None:
    """The time does not grow with the square of their number."""
    count = 20_000
    store = filled([[one(i, f"Device {i:05}") for i in range(count)]])
    began = time.monotonic()
    found = sync.page(data_of(store), SampleQuery("steps"), Page(None, 10_000))
    assert time.monotonic() - began < GENEROUS_SECONDS
    assert [device.device_name for device in found.devices[:2]] == ["Device 00000", "Device 00001"]
    assert sum(len(device.days) for device in found.devices) == count
    assert len(msgspec.json.encode(found)) < ANSWER_BYTES


def test_a_list_of_devices_over_the_size_limit_is_rejected() -> None:
    """Every page lists all devices, so no page would fit."""
    store = filled([[one(i, chr(1) * 1_000_000 + str(i)) for i in range(6)]])
    with pytest.raises(TooMuch, match="`from`"):
        sync.page(data_of(store), SampleQuery("steps"), Page(None, 1))


def test_days_over_the_size_limit_are_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least one day on each page; each day once."""
    store = filled([[one(1440 * i + j, f"Device {j}") for i in range(9) for j in range(4)]])
    monkeypatch.setattr(sync, "ANSWER_BYTES", 1500)
    cursor, found = None, []
    while True:
        page = sync.page(data_of(store), SampleQuery("steps"), Page(cursor, 10_000))
        shown = sorted({day.day for device in page.devices for day in device.days})
        assert 1 <= len(shown) < 9
        found += shown
        cursor = page.next
        if cursor is None:
            break
    assert found == [f"2026-01-0{i}" for i in range(1, 10)]


def test_samples_with_long_names_have_shorter_pages() -> None:
    """Each sample is on one page."""
    count = 1200
    store = filled([[one(i, "x" * 40_000) for i in range(count)]])
    found = list(pages(store, 1000))
    assert len(found) > 1
    assert all(len(msgspec.json.encode(page)) <= ANSWER_BYTES for page in found)
    assert len({row["start_date"] for page in found for row in page.samples}) == count


@given(
    st.lists(st.integers(1, 40), max_size=300),
    st.integers(1, 300),
    st.integers(1, 400),
)
def test_pages_of_entries_fit_and_leave_nothing_out(
    sizes: list[int], limit: int, room: int
) -> None:
    """Whatever the sizes: only a page with a single entry exceeds the limit."""
    entries = list(enumerate(sizes, 1))

    def fetch(after: int, count: int) -> list[tuple[int, int]]:
        return entries[after : after + count]

    listing = Listing(fetch, lambda e: e[0], int, 0, lambda e: e[1])
    found, cursor, more = [], None, True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "ANSWER_BYTES", room)
        while more:
            page, cursor = listing.page(Page(cursor, limit))
            more = cursor is not None
            assert len(page) <= limit
            assert len(page) == 1 or sum(size for _, size in page) <= room
            assert page or not entries
            found += page
    assert found == entries
