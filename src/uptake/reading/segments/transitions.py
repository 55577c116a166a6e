"""Finds who entered and left the segments that webhooks receive events of.

The members of such a segment are stored. The log of changes names the users to compare with them;
all users are compared where the log does not reach back, when the filter changed, and from time to
time for a filter that depends on the time. Who enters and leaves between two looks has no event.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import structlog

from uptake.model import clock
from uptake.reading.segments import DeadlineExceeded, TooLarge
from uptake.reading.segments import filters as f
from uptake.reading.segments.parse import InvalidFilter, read
from uptake.reading.segments.queries import Segments
from uptake.store.base import ChangeFeed, SegmentRegistry
from uptake.store.definitions import Segment
from uptake.store.webhook_ports import (
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    SegmentWatch,
    SegmentWatches,
    Webhook,
    Webhooks,
)
from uptake.time_units import MICROSECONDS_PER_SECOND

COMPARE_SECONDS = 3600
"""How often all users are compared for a filter that depends on the time, as `in the last 7 days`:
users leave and enter it without a change. Days begin at most once an hour in a time zone."""

AT_ONCE = 5000
"""Changed users that are compared at a time."""

PAGE = 1000
"""Stored members that are read, and changes of members that are stored, at a time."""

_log = structlog.get_logger()


class TransitionStore(SegmentRegistry, ChangeFeed, SegmentWatches, Webhooks, Protocol):
    """The ports that transitions use."""


class Transitions:
    """Compares segments with their stored members.

    Args:
        store: where webhooks, segments, changes and members are.
        segments: finds the users that match a filter.
        stopping: whether the process stops.
    """

    def __init__(
        self, store: TransitionStore, segments: Segments, stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._segments = segments
        self._stopping = stopping

    def look(self) -> None:
        """Write the events of all segments that webhooks receive events of.

        Raises:
            StoreUnavailable: the next look continues.
        """
        wanted: dict[str, list[Webhook]] = {}
        for webhook in self._store.webhooks():
            if {SEGMENT_ENTERED, SEGMENT_LEFT} & set(webhook.events):
                wanted.setdefault(webhook.project, []).append(webhook)
        for project in sorted({*wanted, *self._store.watched_projects()}):
            self._look_at_project(project, wanted.get(project, []))

    def _look_at_project(self, project: str, webhooks: Sequence[Webhook]) -> None:
        watches = {watch.segment: watch for watch in self._store.segment_watches(project)}
        for segment in self._wanted(project, webhooks):
            watch = watches.pop(segment.name, None)
            if self._stopping():
                return
            try:
                self._look_at(project, segment, watch)
            except (DeadlineExceeded, TooLarge, InvalidFilter) as error:
                where = {"project": project, "segment": segment.name}
                _log.warning("segment not compared", **where, reason=type(error).__name__)
        for segment_name in watches:
            self._store.drop_segment_watch(project, segment_name)

    def _wanted(self, project: str, webhooks: Sequence[Webhook]) -> Iterator[Segment]:
        """The segments that webhooks receive events of, in order of name."""
        every = any(not webhook.segments for webhook in webhooks)
        named = {name for webhook in webhooks for name in webhook.segments}
        if not every:
            found = (self._store.segment(project, name) for name in sorted(named))
            yield from (segment for segment in found if segment is not None)
            return
        after = ""
        while page := self._store.segments(project, after, PAGE):
            yield from page
            after = page[-1].name

    def _look_at(self, project: str, segment: Segment, watch: SegmentWatch | None) -> None:
        if watch is None or watch.position is None or watch.filter != segment.filter:
            self._compare_all(project, segment, notify=watch is not None)
            return
        age = clock.now() - watch.compared_at
        if age > COMPARE_SECONDS * MICROSECONDS_PER_SECOND and depends_on_time(segment.filter):
            self._compare_all(project, segment, notify=True)
            return
        found = self._store.changes(project, watch.position)
        if found is None:
            self._compare_all(project, segment, notify=True)
            return
        changed = iter(sorted({user for change in found.changes for user in change.users}))
        while some := list(islice(changed, AT_ONCE)):
            match = self._segments.matching_among(project, segment.filter, some)
            members = self._store.stored_members_among(project, segment.name, some)
            entered, left = sorted(match - members), sorted(members - match)
            self._change(project, segment.name, entered, left, notify=True)
        if found.changes:
            position = found.next
            following = SegmentWatch(segment.name, segment.filter, position, watch.compared_at)
            self._store.put_segment_watch(project, following)

    def _compare_all(self, project: str, segment: Segment, *, notify: bool) -> None:
        """Compare all users. The first comparison of a segment, its beginning, has no events."""
        now = clock.now()
        # Changes from here on are read again the next time.
        start = self._store.changes(project, None)
        match = self._segments.all_matching(project, segment.filter)()
        entered: list[str] = []
        left: list[str] = []
        for user_id, is_match in difference(match, self._members(project, segment.name)):
            (entered if is_match else left).append(user_id)
            if len(entered) + len(left) >= PAGE:
                self._change(project, segment.name, entered, left, notify=notify)
                entered, left = [], []
        self._change(project, segment.name, entered, left, notify=notify)
        position = None if start is None else start.next
        watch = SegmentWatch(segment.name, segment.filter, position, now)
        self._store.put_segment_watch(project, watch)

    def _members(self, project: str, segment: str) -> Iterator[str]:
        after = ""
        while page := self._store.stored_members(project, segment, after, PAGE):
            yield from page
            after = page[-1]

    def _change(
        self,
        project: str,
        segment: str,
        entered: Sequence[str],
        left: Sequence[str],
        *,
        notify: bool,
    ) -> None:
        if entered or left:
            self._store.change_members(project, segment, entered, left, notify=notify)


def depends_on_time(text: str) -> bool:
    """Whether users enter or leave a filter without a change of their data."""
    return any(
        isinstance(one, f.SampleStat)
        or (isinstance(one, f.Seen) and one.days_ago is not None)
        or (isinstance(one, f.Documents) and one.days is not None)
        for one in f.conditions(read(text.encode()))
    )


def difference(first: Iterable[str], second: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield what only one of two sorted sequences has; true for the first."""
    ones, others = iter(first), iter(second)
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one < other):
            yield str(one), True
            one = next(ones, None)
        elif one is None or other < one:
            yield other, False
            other = next(others, None)
        else:
            one, other = next(ones, None), next(others, None)
