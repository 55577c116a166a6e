"""Rollups of unrealistic samples, which can be sent nevertheless."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reading.filled import data_of, filled
from samples.making import SentSample, far_samples
from uptake.reading import BadCursor, Page, Unknown, rollups, to_cursor
from uptake.reading.rollup_rows import RollupQuery
from uptake.samples import times
from uptake.testing.store.model import ModelStore

EVERY = st.sampled_from(["minute", "hour", "day", "week", "month"])
ZONES = st.sampled_from([None, "UTC", "America/New_York", "Pacific/Kiritimati", "Europe/Dublin"])


def page(
    store: ModelStore, query: RollupQuery, limit: int = 10_000, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """A page as it is shown."""
    found = rollups.page(data_of(store), query, Page(cursor, limit))
    body = json.loads(msgspec.json.encode(found))
    return body["buckets"], body["next"]


def one(start: str, end: str | None, value: float = 10, **members: str) -> SentSample:
    """A sample."""
    return SentSample(
        members.get("device", "Watch"), None, start, end, members.get("unit", "count"), value
    )


@given(
    st.lists(far_samples(), min_size=1, max_size=4),
    EVERY,
    ZONES,
    st.tuples(st.sampled_from(["steps", "bpm"]), st.booleans()),
)
def test_all_valid_samples_roll_up(
    received: list[SentSample], every: Any, zone: str | None, asked: tuple[Any, bool]
) -> None:
    """Any year, length, unit and value; the figures are valid JSON on every page."""
    metric, each = asked
    store = filled([received], metric)
    query = RollupQuery(metric, every, zone, each=each, explain=True)
    cursor = None
    for _ in range(3):
        found, cursor = page(store, query, 20, cursor)
        figures = [row[name] for row in found for name in row if name in {"sum", "mean", "max"}]
        assert len(found) <= 20
        assert all(isinstance(figure, float) for figure in figures)
        if cursor is None:
            break


def test_a_sample_over_all_years_has_a_share_in_every_day() -> None:
    """3,652,059 days; the last of them ends in the year 10000."""
    store = filled([[one("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 30_000)]])
    found, cursor = page(store, RollupQuery("steps"), 2)
    assert [(row["start"], row["count"]) for row in found] == [
        ("0001-01-01T00:00:00+00:00", 1),
        ("0001-01-02T00:00:00+00:00", 0),
    ]
    assert found[0]["sum"] == pytest.approx(30_000 / 3_652_059)
    assert cursor is not None
    last = to_cursor((times.read("9999-12-30T00:00:00Z")[0], 0, ""))
    found, cursor = page(store, RollupQuery("steps"), 2, last)
    assert [(row["start"], row["end"]) for row in found] == [
        ("9999-12-31T00:00:00+00:00", "+10000-01-01T00:00:00+00:00")
    ]
    assert cursor is None


def test_months_of_many_centuries_are_paged() -> None:
    """Every month of ten thousand years."""
    store = filled([[one("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 30_000)]])
    total, count, cursor = 0.0, 0, None
    while True:
        found, cursor = page(store, RollupQuery("steps", "month"), 10_000, cursor)
        total += sum(row["sum"] for row in found)
        count += len(found)
        if cursor is None:
            break
    assert count == 9999 * 12
    assert total == pytest.approx(30_000)


@pytest.mark.parametrize("batches", [1, 2])
def test_minutes_in_distant_years_are_one_page(batches: int) -> None:
    """The time between them is skipped, in one batch or two."""
    minutes = [
        one("0080-05-01T10:00:00Z", "0080-05-01T10:01:00Z"),
        one("9020-05-01T10:00:00Z", "9020-05-01T10:01:00Z"),
    ]
    store = filled([minutes] if batches == 1 else [[minute] for minute in minutes])
    for every in ("minute", "hour"):
        found, cursor = page(store, RollupQuery("steps", every), 5)
        assert [row["sum"] for row in found] == [10, 10]
        assert cursor is None


def test_samples_that_all_overlap_count_in_full() -> None:
    """As from a device that sends the sum since midnight every minute."""
    day = [
        one("2026-01-31T00:00:00Z", f"2026-01-31T{minute // 60:02}:{minute % 60:02}:00Z", minute)
        for minute in range(1, 1440)
    ]
    store = filled([day])
    expected = sum(range(1, 1440))
    for every in ("minute", "hour", "day"):
        found, cursor = page(store, RollupQuery("steps", every))
        assert sum(row["sum"] for row in found) == pytest.approx(expected)
        assert cursor is None


def test_sums_beyond_a_double_are_the_largest_double() -> None:
    """`count/s` has no limit; other buckets are not affected."""
    huge = [
        one(f"2026-01-31T00:{i:02}:00Z", f"2026-01-31T00:{i:02}:30Z", 1.7e308, unit="count/s")
        for i in range(3)
    ]
    store = filled([[*huge, one("2026-02-01T00:00:00Z", "2026-02-01T00:01:00Z", 5)]])
    found, _ = page(store, RollupQuery("steps", explain=True))
    assert [row["sum"] for row in found] == [1.7976931348623157e308, 5]
    store = filled([[*huge, one("2026-02-01T00:00:00Z", None, 60)]], "bpm")
    found, _ = page(store, RollupQuery("bpm"))
    assert [row["mean"] for row in found] == [1.7976931348623157e308, 60]


def test_a_thousand_devices_at_once_are_merged() -> None:
    """Each has a minute of its own and one that all share, which counts once."""
    many = []
    for i in range(1000):
        hour, minute = divmod(i, 60)
        start = f"2026-01-31T{hour:02}:{minute:02}:00Z"
        many += [
            one(
                start,
                times.format_time(times.read(start)[0] + 600_000_000, 0),
                7,
                device=f"Phone {i}",
            ),
            one("2026-01-31T23:00:00Z", "2026-01-31T23:01:00Z", 9, device=f"Phone {i}"),
        ]
    found, _ = page(filled([many]), RollupQuery("steps", explain=True))
    assert [(row["sum"], row["count"], len(row["devices"])) for row in found] == [
        (7009, 2000, 1000)
    ]


def test_a_user_without_data_is_unknown() -> None:
    """A user with other data only has no buckets."""
    assert page(filled([]), RollupQuery("steps")) == ([], None)
    with pytest.raises(Unknown):
        rollups.page(data_of(filled([]), "bert"), RollupQuery("steps"), Page())


@given(st.text(min_size=1))
def test_any_text_is_a_cursor_or_is_rejected(cursor: str) -> None:
    """With `BadCursor` and no other error."""
    store = filled([[one("2026-01-31T10:00:00Z", None)]])
    try:
        page(store, RollupQuery("steps"), 5, cursor)
    except BadCursor:
        return


@given(st.tuples(*[st.integers(-(1 << 62), 1 << 62)] * 2, st.text()), EVERY, ZONES)
def test_a_forged_cursor_is_a_position_or_is_rejected(
    place: tuple[int, int, str], every: Any, zone: str | None
) -> None:
    """Before the first entry, after the last, or between."""
    store = filled([[one("2026-01-31T10:00:00Z", "2026-02-01T10:00:00Z")]])
    found, _ = page(store, RollupQuery("steps", every, zone), 5, to_cursor(place))
    assert len(found) <= 5


@pytest.mark.parametrize("reverse", [False, True])
def test_samples_that_start_together_have_an_order(reverse: bool) -> None:
    """Of offsets of one moment, a day begins with that of the sample without an end."""
    start = "2026-03-29T00:30:00+00:00"
    sent = [one(start, start), one("2026-03-29T01:30:00+01:00", None)]
    for batches in ([sent[::-1] if reverse else sent], [[each] for each in sent]):
        store = filled(batches, "steps")
        found, _ = page(store, RollupQuery("steps", "day", None))
        assert [(row["start"], row["end"], row["count"]) for row in found] == [
            ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+00:00", 2)
        ]
