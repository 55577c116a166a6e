"""A user's samples are read in pages that together are exactly what was received."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import filled, send
from samples.making import Told, far_samples, latest_by_identity, samples
from uptake.reading import BadCursor, Unknown
from uptake.reading.samples import SamplePage, page, summaries
from uptake.reading.series import EARLIEST, LATEST
from uptake.samples import times
from uptake.testing.store.model import ModelStore

Rows = list[dict[str, object]]

some_samples = st.lists(samples(), min_size=1, max_size=12)
uploads = st.lists(some_samples | st.lists(far_samples(), min_size=1, max_size=6), max_size=6)


def read(
    store: ModelStore, limit: int, start: int = EARLIEST, end: int = LATEST, cursor: str = ""
) -> SamplePage:
    """A page of a user's steps."""
    return page(
        store,
        "default",
        "anna",
        "steps",
        start=start,
        end=end,
        cursor=cursor or None,
        limit=limit,
    )


def walk(store: ModelStore, limit: int, start: int = EARLIEST, end: int = LATEST) -> list[Rows]:
    """All pages, from the first to the one that says it is the last."""
    pages, cursor = [], ""
    while True:
        found = read(store, limit, start, end, cursor)
        pages.append(found.samples)
        if found.next is None:
            return pages
        cursor = found.next


def whole(received: list[list[Told]]) -> Rows:
    """What must be shown of uploads, by the law in its plainest form."""
    kept = latest_by_identity([sample for upload in received for sample in upload])
    return [{"metric": "steps", **row} for row in kept]


def instant(row: dict[str, object]) -> int:
    """When a sample starts, in ticks."""
    return times.read(str(row["start_date"]))[0]


@given(uploads, st.integers(1, 10))
def test_all_pages_together_are_the_whole(received: list[list[Told]], limit: int) -> None:
    """Whatever the limit is: none twice, none left out, each page full but the last."""
    pages = walk(filled(received), limit)
    expected = whole(received)
    assert [row for rows in pages for row in rows] == expected
    assert [len(rows) for rows in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == max(1, -(-len(expected) // limit))


@given(st.lists(some_samples, min_size=1, max_size=6), st.integers(1, 6), st.data())
def test_from_belongs_to_a_range_and_to_does_not(
    received: list[list[Told]], limit: int, data: st.DataObject
) -> None:
    """Edges that are the start of a sample, or one tick beside it."""
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
def test_a_cursor_holds_while_samples_arrive(
    before: list[list[Told]], later: list[list[Told]], limit: int
) -> None:
    """No sample is met twice, and none that was there from the beginning is missed."""
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


def _identity(row: dict[str, object]) -> tuple[object, ...]:
    end = None if row["end_date"] is None else times.read(str(row["end_date"]))[0]
    return instant(row), end, row["device_name"], row["unit"]


@given(uploads)
def test_a_summary_counts_each_sample_once(received: list[list[Told]]) -> None:
    """And tells when the first and the last start, as these were told."""
    found = summaries(filled(received), "default", "anna")
    expected = whole(received)
    assert list(found) == (["steps"] if expected else [])
    for summary in found.values():
        assert summary.count == len(expected)
        assert summary.first == expected[0]["start_date"]
        assert summary.last == expected[-1]["start_date"]


def test_metrics_are_read_apart() -> None:
    """A summary for each that there is, pages of the one that was asked for."""
    store = filled([])
    told = Told("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)
    send(store, [told], "bpm")
    assert list(summaries(store, "default", "anna")) == ["bpm"]
    assert walk(store, 5) == [[]]
    send(store, [told], "steps")
    assert list(summaries(store, "default", "anna")) == ["steps", "bpm"]
    assert walk(store, 5) == [[{"metric": "steps", **told.shown}]]


def test_a_user_of_whom_nothing_was_kept_is_unknown() -> None:
    """One of whom something else was kept has no samples."""
    assert walk(filled([]), 5) == [[]]
    with pytest.raises(Unknown):
        page(filled([]), "default", "bert", "steps", cursor=None, limit=5)
    with pytest.raises(Unknown):
        page(filled([]), "other", "anna", "steps", cursor=None, limit=5)


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
def test_a_cursor_that_was_never_given_is_rejected(cursor: str) -> None:
    """Whatever it is: never another error."""
    store = filled([[Told("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)]])
    with pytest.raises(BadCursor):
        read(store, 5, cursor=cursor)


@given(
    st.text(min_size=1) | st.binary(min_size=1).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_any_text_is_a_cursor_or_is_rejected(cursor: str) -> None:
    """Nothing that can be put into a query does anything else."""
    store = filled([[Told("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)]])
    try:
        found = read(store, 5, cursor=cursor)
    except BadCursor:
        return
    assert found.next is None


@given(st.tuples(*[st.integers(-(1 << 62), 1 << 62)] * 2, st.text(), st.integers()))
def test_a_cursor_made_by_hand_leads_to_a_place(place: tuple[int, int, str, int]) -> None:
    """It shows what comes after that place, or is rejected."""
    try:
        cursor = packed(place)
    except OverflowError:
        return
    told = Told("Watch", None, "2024-02-29T12:00:00Z", None, "count", 7)
    try:
        found = read(filled([[told]]), 5, cursor=cursor)
    except BadCursor:
        return
    here = (times.read(told.start)[0], -1, "Watch", 0)
    assert found.samples == ([{"metric": "steps", **told.shown}] if here > place else [])
