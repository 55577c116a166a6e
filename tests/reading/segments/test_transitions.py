"""Who enters and leaves a segment has exactly one event."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from store.engines import ENGINES, new_database
from uptake.model import clock
from uptake.reading.segments.queries import MEGABYTE, Segments
from uptake.reading.segments.transitions import Transitions, difference
from uptake.store.sql_store import SqlStore
from uptake.store.webhook_ports import SEGMENT_ENTERED, SEGMENT_LEFT, Webhook
from uptake.testing.store.making import attributes, put
from uptake.testing.store.webhooks import stored
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

PRO = b'{"attribute": "plan", "op": "eq", "value": "pro"}'
FREE = b'{"attribute": "plan", "op": "eq", "value": "free"}'
RECENT = b'{"seen": "last", "op": "ge", "days_ago": 2}'


class Watched:
    """A store with a segment `pro` and a webhook that receives its events."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.segments = Segments(store, 100 * MEGABYTE)
        self.transitions = Transitions(store, self.segments, lambda: False)
        self.segments.put("default", "pro", PRO)
        self.webhook = stored(store, events=(SEGMENT_ENTERED, SEGMENT_LEFT))
        self._seen: set[tuple[str, int]] = set()

    def set(self, plan: str, *users: str, received_at: int | None = None) -> None:
        """Store an attribute of users."""
        records = (attributes(user, plan=plan) for user in users)
        put(self.store, *records, received_at=received_at or clock.now())

    def look(self, webhook: Webhook | None = None) -> list[tuple[str, str]]:
        """Look, and return the new events, sorted: what happened, and the user."""
        self.transitions.look()
        page = self.store.outbox_page(webhook or self.webhook, ("", -1), 10_000)
        new = [one for one in page if (one.user_id, one.sequence) not in self._seen]
        self._seen |= {(one.user_id, one.sequence) for one in new}
        for one in new:
            assert msgspec.json.decode(one.content)["data"]["segment"] == "pro"
        return sorted((one.type.removeprefix("segment."), one.user_id) for one in new)

    def members(self) -> list[str]:
        """The stored members."""
        return self.store.stored_members("default", "pro", "", 10_000)


@pytest.fixture(params=ENGINES)
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    """A store on each engine."""
    with closing(new_database(request, tmp_path)()) as store:
        yield Watched(store)


def test_users_who_enter_and_leave_have_an_event_each(watched: Watched) -> None:
    """From the second look on. Who returns between two looks, or does not move, has none."""
    watched.set("pro", "1", "2", "3")
    watched.set("free", "4", "5")
    assert watched.look() == []
    assert watched.members() == ["1", "2", "3"]
    assert watched.look() == []
    watched.set("free", "1")
    watched.set("pro", "4", "6")
    watched.set("pro", "2")
    watched.set("free", "3")
    watched.set("pro", "3", "5")
    watched.set("free", "5")
    assert watched.look() == [("entered", "4"), ("entered", "6"), ("left", "1")]
    assert watched.members() == ["2", "3", "4", "6"]
    assert watched.look() == []


def test_a_changed_filter_reports_the_difference(watched: Watched) -> None:
    """So that a copy at the receiver stays the same; a deleted segment reports nothing."""
    watched.set("pro", "1", "2")
    watched.set("free", "3")
    watched.look()
    watched.segments.put("default", "pro", FREE)
    watched.set("free", "2")
    assert watched.look() == [("entered", "3"), ("left", "1")]
    watched.segments.delete("default", "pro")
    assert watched.look() == []
    assert watched.store.segment_watches("default") == []
    assert watched.members() == []


def test_members_are_stored_only_while_a_webhook_receives_events(watched: Watched) -> None:
    """Of this segment; afterwards they are deleted."""
    watched.segments.put("default", "other", FREE)
    watched.set("pro", "1")
    watched.look()
    names = [one.segment for one in watched.store.segment_watches("default")]
    assert names == ["other", "pro"]
    only = stored(watched.store, events=(SEGMENT_LEFT,), segments=("pro", "missing"))
    watched.store.remove_webhook("default", watched.webhook.id)
    watched.set("free", "1")
    assert watched.look(only) == [("left", "1")]
    assert [one.segment for one in watched.store.segment_watches("default")] == ["pro"]
    watched.store.remove_webhook("default", only.id)
    watched.look()
    assert watched.store.segment_watches("default") == []


def test_an_erased_user_leaves_without_an_event_of_the_segment(watched: Watched) -> None:
    """No stored member is left, and a user who is readmitted enters again."""
    watched.set("pro", "1", "2")
    watched.look()
    watched.store.erase("default", "1", "erasure", clock.now())
    assert watched.members() == ["2"]
    assert watched.look() == []
    watched.store.readmit("default", "1")
    watched.set("pro", "1")
    assert watched.look() == [("entered", "1")]


def test_time_alone_moves_users_of_a_filter_with_days(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an hour, without a change of their data."""
    watched.segments.put("default", "pro", RECENT)
    now = clock.now()
    watched.set("any", "old", received_at=now - 47 * 3600 * MICROSECONDS_PER_SECOND)
    watched.set("any", "new", received_at=now)
    watched.look()
    assert watched.members() == ["new", "old"]
    later = now + 2 * 3600 * MICROSECONDS_PER_SECOND
    monkeypatch.setattr(clock, "now", lambda: later)
    assert watched.look() == [("left", "old")]
    monkeypatch.setattr(clock, "now", lambda: now + 3 * MICROSECONDS_PER_DAY)
    assert watched.look() == [("left", "new")]


def test_a_position_that_is_lost_compares_all_users(watched: Watched) -> None:
    """As after a restore: a backup does not have the log of changes."""
    watched.set("pro", "1", "2")
    watched.look()
    (watch,) = watched.store.segment_watches("default")
    watched.store.put_segment_watch("default", msgspec.structs.replace(watch, position=None))
    watched.set("free", "1")
    watched.set("pro", "3")
    assert watched.look() == [("entered", "3"), ("left", "1")]
    (watch,) = watched.store.segment_watches("default")
    assert watch.position is not None


def test_many_users_are_compared_in_pages(watched: Watched) -> None:
    """The first look stores them, a changed filter exchanges them, and no one is counted twice."""
    users = [f"{number:05d}" for number in range(2500)]
    watched.set("pro", *users)
    assert watched.look() == []
    assert watched.members() == users
    watched.segments.put("default", "pro", FREE)
    watched.set("free", *users[::2])
    assert watched.look() == [("left", user) for user in users[1::2]]
    assert watched.members() == users[::2]


def test_difference_yields_what_only_one_sequence_has() -> None:
    """In order, also at the ends."""
    assert list(difference("acde", "bcf")) == [
        ("a", True),
        ("b", False),
        ("d", True),
        ("e", True),
        ("f", False),
    ]
    assert list(difference("", "ab")) == [("a", False), ("b", False)]
    assert list(difference("ab", "")) == [("a", True), ("b", True)]
