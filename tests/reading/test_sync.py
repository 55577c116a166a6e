"""The state of a user's samples is complete, and independent of how they arrived."""

from datetime import date
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import data_of, filled
from samples.making import SentSample, columns_of, far_samples, samples
from uptake.reading import BadCursor, Page, Unknown, sync
from uptake.reading.series import EARLIEST, LATEST, SampleQuery
from uptake.samples import times
from uptake.samples.digests import day_digests
from uptake.testing.store.model import ModelStore

DAY = 864_000_000_000
EPOCH = date(1970, 1, 1).toordinal()

Devices = dict[str, dict[str, Any]]


@st.composite
def days_between(draw: st.DrawFn) -> SentSample:
    """Samples of some days, some of them without any."""
    sample = draw(samples())
    day = draw(st.sampled_from(["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-09"]))
    start = day + sample.start[10:]
    return sample._replace(start=start, end=None)


some = st.lists(days_between(), min_size=1, max_size=12)
uploads = st.lists(some, min_size=1, max_size=4)


def ask(
    store: ModelStore, limit: int = 10_000, start: int = EARLIEST, end: int = LATEST
) -> tuple[Devices, int]:
    """All pages as one, and how many there were."""
    found: Devices = {}
    cursor, pages = None, 0
    while True:
        query = SampleQuery("steps", start, end)
        page = sync.page(data_of(store), query, Page(cursor, limit))
        pages += 1
        for device in msgspec.to_builtins(page.devices):
            name = device["device_name"]
            assert len(device["days"]) <= limit
            if name not in found:
                found[name] = device
            else:
                assert device | {"days": []} == found[name] | {"days": []}
                found[name]["days"] += device["days"]
        if page.next is None:
            return found, pages
        cursor = page.next


def plain(received: list[SentSample], start: int = EARLIEST, end: int = LATEST) -> Devices:
    """The same worked out one sample at a time."""
    stored = {sample.identity: sample for sample in received}.values()
    inside = [one for one in stored if start <= times.read(one.start)[0] < end]
    found: Devices = {}
    for name in sorted({one.device for one in inside}):
        mine = sorted(
            (one for one in inside if one.device == name),
            key=lambda one: (times.read(one.start)[0], one.unit),
        )
        days = day_digests(columns_of(mine))
        empty = [(a.day + 1, b.day) for a, b in pairwise(days) if b.day - a.day > 1]
        found[name] = {
            "device_name": name,
            "count": len(mine),
            "first": mine[0].start,
            "last": mine[-1].start,
            "gaps": [{"from": _text(a), "to": _text(b)} for a, b in empty],
            "days": [
                {"day": _text(one.day), "count": one.count, "digest": one.digest} for one in days
            ],
        }
    return found


def _text(day: int) -> str:
    return date.fromordinal(EPOCH + day).isoformat()


@given(uploads, st.integers(1, 5))
def test_every_device_and_day_is_returned_once(
    received: list[list[SentSample]], limit: int
) -> None:
    """Counts, bounds, gaps and digests, whatever the page size and the batches."""
    expected = plain([sample for upload in received for sample in upload])
    found, pages = ask(filled(received), limit)
    assert found == expected
    days = {day["day"] for device in expected.values() for day in device["days"]}
    assert pages == -(-len(days) // limit)


@given(uploads, st.data())
def test_from_is_inclusive_and_to_is_exclusive(
    received: list[list[SentSample]], data: st.DataObject
) -> None:
    """With bounds at the start of a sample, and one tick beside it."""
    together = [sample for upload in received for sample in upload]
    edges = [times.read(one.start)[0] + beside for one in together for beside in (-1, 0, 1)]
    start, end = (data.draw(st.sampled_from(edges)) for _ in "ab")
    assert ask(filled(received), 3, start, end)[0] == plain(together, start, end)


@given(st.lists(far_samples(), min_size=1, max_size=6))
def test_samples_of_any_year_are_returned(received: list[SentSample]) -> None:
    """With their UTC days, which may be in the year 0 or 10000."""
    found, _ = ask(filled([received]))
    stored = {sample.identity for sample in received}
    assert sum(device["count"] for device in found.values()) == len(stored)
    for device in found.values():
        assert sum(day["count"] for day in device["days"]) == device["count"]


def test_more_samples_than_are_processed_at_a_time_are_complete() -> None:
    """Of two devices, in batches that span several days."""
    batches = []
    for number in range(0, 240_000, 12_000):
        batch = [
            SentSample(
                "Watch" if i % 3 else "iPhone",
                None,
                times.format_time(17_672_256_000_000_000 + (number + i) * 70 * 10_000_000, 0),
                None,
                "count",
                1 + i % 50,
            )
            for i in range(12_000)
        ]
        batches.append(batch)
    found, _ = ask(filled(batches))
    assert {name: device["count"] for name, device in found.items()} == {
        "Watch": 160_000,
        "iPhone": 80_000,
    }
    together = columns_of([sample for batch in batches for sample in batch])
    expected = [(one.device_name, one.count, one.digest) for one in day_digests(together)]
    assert [
        (name, day["count"], day["digest"])
        for name, device in found.items()
        for day in device["days"]
    ] == expected


def test_a_user_without_data_is_unknown() -> None:
    """A user with other data only has no devices."""
    assert ask(filled([])) == ({}, 1)
    with pytest.raises(Unknown):
        sync.page(data_of(filled([]), "bert"), SampleQuery("steps"), Page())


@pytest.mark.parametrize("cursor", ["=", "!!!!", "wcHBwQ", "kwAAAA"])
def test_an_invalid_cursor_is_rejected(cursor: str) -> None:
    """With `BadCursor` and no other error."""
    with pytest.raises(BadCursor):
        sync.page(data_of(filled([])), SampleQuery("steps"), Page(cursor))
