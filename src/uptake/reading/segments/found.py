"""The users of whom a filter is true, in order of id: how many, a page of them, or all."""

import heapq
from collections.abc import Iterator
from itertools import islice

import numpy as np

from uptake.model import clock
from uptake.reading import Name, from_cursor, to_cursor
from uptake.reading.segments import filters as f
from uptake.reading.segments.answers import Member, Members
from uptake.reading.segments.behaviour import BehaviourStore, StoredBehaviour
from uptake.reading.segments.census import Part, State
from uptake.reading.segments.columns import Flags
from uptake.reading.segments.evaluate import Moment, holds
from uptake.reading.segments.pool import Pool

ALL_AT_ONCE = 10_000
"""Users that are put in order at a time where all are wanted."""


def find(
    store: BehaviourStore, pool: Pool, project: str, wanted: f.Filter, until: float
) -> "Found":
    """Of whom in a project a filter is true.

    Args:
        store: what they did is read from it.
        pool: has who they are.
        project: theirs.
        wanted: the filter.
        until: when to give up, on the clock of `time.monotonic`.

    Raises:
        TakesLonger, TooLarge: see `Census.now`.
    """
    state = pool.now(project, until)
    moment = Moment(clock.now(), StoredBehaviour(store, project, until))
    return Found(state, [holds(wanted, part.block, part.stands, moment) for part in state])


class Found:
    """Users of a census of whom a filter is true.

    Args:
        state: the census.
        masks: of each part, the rows of which it is true.
    """

    def __init__(self, state: State, masks: list[Flags]) -> None:
        self.state = state
        self._masks = masks

    def page(self, cursor: str | None, limit: int) -> Members:
        """How many there are, and at most `limit` of them from a cursor on.

        Raises:
            BadCursor: the cursor was not given by this server.
        """
        after: str = from_cursor(cursor, Name) if cursor else ""
        found = self._first(after, limit + 1)
        shown = found[:limit]
        count = sum(int(np.count_nonzero(mask)) for mask in self._masks)
        following = to_cursor(shown[-1][0]) if len(found) > limit else None
        return Members(count, self._members(shown), following)

    def all(self) -> Iterator[str]:
        """The ids of all of them, in order of code points."""
        after = ""
        while found := self._first(after, ALL_AT_ONCE):
            yield from (user_id for user_id, _, _ in found)
            after = found[-1][0]

    def _first(self, after: str, count: int) -> list[tuple[str, int, int]]:
        """The first users after an id: id, number of the part, row."""
        lists = [
            [(user_id, number, row) for user_id, row in part.block.first(mask, after, count)]
            for number, (part, mask) in enumerate(zip(self.state, self._masks, strict=True))
        ]
        return list(islice(heapq.merge(*lists), count))

    def _members(self, found: list[tuple[str, int, int]]) -> list[Member]:
        made: dict[str, Member] = {}
        for number, part in enumerate(self.state):
            mine = [(user_id, row) for user_id, owner, row in found if owner == number]
            if mine:
                made |= _of_part(part, mine)
        return [made[user_id] for user_id, _, _ in found]


def _of_part(part: Part, found: list[tuple[str, int]]) -> dict[str, Member]:
    rows = [row for _, row in found]
    block = part.block
    return {
        user_id: Member(user_id, attributes, clock.iso(first), clock.iso(last))
        for (user_id, _), attributes, first, last in zip(
            found,
            block.attributes(rows),
            block.first_seen[rows].tolist(),
            block.last_seen[rows].tolist(),
            strict=True,
        )
    }
