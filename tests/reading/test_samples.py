"""A user's samples are read in pages that together are exactly what was received."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import data_of, filled, send
from samples.making import SentSample, far_samples, latest_by_identity, samples
from uptake.reading import BadCursor, Page, Unknown
from uptake.reading.samples import SamplePage, SampleView, page, summaries
from uptake.reading.series import EARLIEST, LATEST, SampleQuery
from uptake.samples import times
from uptake.testing.store.model import ModelStore

Rows = list[SampleView]

some_samples = st.lists(samples(), min_size=1, max_size=12)
uploads = st.lists(some_samples | st.lists(far_samples(), min_size=1, max_size=6), max_size=6)


def read(
    store: ModelStore, limit: int, start: int = EARLIEST, end: int = LATEST, cursor: str = ""
) -> SamplePage:
    """A page of a user's steps."""
    return page(data_of(store), SampleQuery("steps", start, end), Page(cursor, limit))


def walk(store: ModelStore, limit: int, start: int = EARLIEST, end: int = LATEST) -> list[Rows]:
    """All pages, from the first to the one without `next`."""
    pages, cursor = [], ""
    while True:
        found = read(store, limit, start, end, cursor)
        pages.append(found.samples)
        if found.next is None:
            return pages
        cursor = found.next


def whole(received: list[list[SentSample]]) -> Rows:
    """What must be shown of uploads, by the law in its plainest form."""
    stored = latest_by_identity([sample for upload in received for sample in upload])
    shown: list[Any] = [{"metric": "steps", **row} for row in stored]
    return shown


def instant(row: SampleView) -> int:
    """When a sample starts, in ticks."""
    return times.read(str(row["start_date"]))[0]


@given(uploads, st.integers(1, 10))
def test_pages_contain_each_sample_once(received: list[list[SentSample]], limit: int) -> None:
    """Whatever the limit: every page except the last is full."""
    pages = walk(filled(received), limit)
    expected = whole(received)
    assert [row for rows in pages for row in rows] == expected
    assert [len(rows) for rows in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == max(1, -(-len(expected) // limit))


@given(st.lists(some_samples, min_size=1, max_size=6), st.integers(1, 6), st.data())
def test_from_is_inclusive_and_to_is_exclusive(
    received: list[list[SentSample]], limit: int, data: st.DataObject
) -> None:
    """With bounds at the start of a sample, and one tick beside it."""
    expected = whole(received)
    edges = [instant(row) + beside for row in expected for beside in (-1, 0, 1)]
    start, end = (data.draw(st.sampled_from([EARLIEST, *edges, LATEST])) for _ in "ab")
    rows = [row for rows in walk(filled(received), limit, start, end) for row in rows]
    assert rows == [row for row in expected if start <= instant(row) < end]


@given(
    st.lists(some_samples, min_size=1, max_size=4),
    st.lists(some_samples, max_size=4),
    st.integers(1, 5),
)
def test_a_cursor_stays_valid_while_samples_arrive(
    before: list[list[SentSample]], later: list[list[SentSample]], limit: int
) -> None:
    """No sample is returned twice, and none of the first samples is missed."""
    store = filled(before)
    arriving = iter(later)
    met: Rows = []
    found = read(store, limit)
    while True:
        met += found.samples
        if found.next is None:
            break
        if (upload := next(arriving, None)) is not None:
            send(store, upload)
        found = read(store, limit, cursor=found.next)
    places = [_identity(row) for row in met]
    assert len(places) == len(set(places))
    assert set(places) >= {_identity(row) for row in whole(before)}
    assert [instant(row) for row in met] == sorted(instant(row) for row in met)


def _identity(row: SampleView) -> tuple[object, ...]:
    end = None if row["end_date"] is None else times.read(str(row["end_date"]))[0]
    return instant(row), end, row["device_name"], row["unit"]


@given(uploads)
def test_a_summary_counts_each_sample_once(received: list[list[SentSample]]) -> None:
    """And has the first and the last start in the format in which they were sent."""
    found = summaries(data_of(filled(received)))
    expected = whole(received)
    assert list(found) == (["steps"] if expected else [])
    for summary in found.values():
        assert summary.count == len(expected)
        assert summary.first == expected[0]["start_date"]
        assert summary.last == expected[-1]["start_date"]


def test_each_metric_is_read_separately() -> None:
    """A summary for each metric, and pages of the requested one."""
    store = filled([])
    sent = SentSample("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)
    send(store, [sent], "bpm")
    assert list(summaries(data_of(store))) == ["bpm"]
    assert walk(store, 5) == [[]]
    send(store, [sent], "steps")
    assert list(summaries(data_of(store))) == ["steps", "bpm"]
    assert walk(store, 5) == [[{"metric": "steps", **sent.shown}]]


def test_a_user_without_data_is_unknown() -> None:
    """A user with other data only has no samples."""
    assert walk(filled([]), 5) == [[]]
    with pytest.raises(Unknown):
        page(data_of(filled([]), "bert"), SampleQuery("steps"), Page())
    with pytest.raises(Unknown):
        page(data_of(filled([]), "anna", "other"), SampleQuery("steps"), Page())


def packed(place: object) -> str:
    """A cursor that this server did not give, in the form of those it gives."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


BAD_CURSORS = {
    "nothing": "=",
    "one letter": "A",
    "not base64": "!!!!",
    "not ASCII": "\u00e9",
    "a surrogate": "\ud800",
    "not msgpack": "wcHBwQ",
    "cut short": packed((0, 0, "Watch", 0))[:-4],
    "a number": packed(5),
    "too few parts": packed((0, 0, "Watch")),
    "too many parts": packed((0, 0, "Watch", 0, 0)),
    "parts of another kind": packed(("0", 0, "Watch", 0)),
    "no text": packed((0, 0, None, 0)),
    "too large a number": packed((1 << 63, 0, "Watch", 0)),
    "deeply nested": base64.urlsafe_b64encode(b"\x91" * 5000).decode(),
}


@pytest.mark.parametrize("cursor", BAD_CURSORS.values(), ids=BAD_CURSORS)
def test_an_invalid_cursor_is_rejected(cursor: str) -> None:
    """With `BadCursor` and no other error."""
    store = filled([[SentSample("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)]])
    with pytest.raises(BadCursor):
        read(store, 5, cursor=cursor)


@given(
    st.text(min_size=1) | st.binary(min_size=1).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_any_text_is_a_cursor_or_is_rejected(cursor: str) -> None:
    """With `BadCursor` and no other error."""
    store = filled([[SentSample("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)]])
    try:
        found = read(store, 5, cursor=cursor)
    except BadCursor:
        return
    assert found.next is None


@given(st.tuples(*[st.integers(-(1 << 62), 1 << 62)] * 2, st.text(), st.integers()))
def test_a_forged_cursor_is_a_position_or_is_rejected(place: tuple[int, int, str, int]) -> None:
    """Before the first entry, after the last, or between."""
    try:
        cursor = packed(place)
    except OverflowError:
        return
    sent = SentSample("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)
    try:
        found = read(filled([[sent]]), 5, cursor=cursor)
    except BadCursor:
        return
    here = (times.read(sent.start)[0], -1, "Watch", 0)
    assert found.samples == ([{"metric": "steps", **sent.shown}] if here > place else [])
