"""Finds the users that match a filter: one implementation for every query about segments.

A condition is evaluated only for the users that it can still affect: within `and` for those that
remain, within `or` for those that have not matched yet. Expensive conditions are evaluated last.
"""

import heapq
import operator
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from uptake.model import clock
from uptake.reading import Name, Page, to_cursor
from uptake.reading.segments import filters as f
from uptake.reading.segments.behaviour import Behaviour, BehaviourStore
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.columns import NO_DATE, Column, Flags
from uptake.reading.segments.queries import Member, Members, Pool
from uptake.reading.segments.user_index import Part, Parts
from uptake.time_units import MICROSECONDS_PER_DAY

ALL_AT_ONCE = 10_000
"""Users that are sorted at a time to yield all of them."""


def find(
    store: BehaviourStore, pool: Pool, project: str, wanted: f.Filter, until: float
) -> "SegmentResult":
    """Return the users of a project that match a filter.

    Args:
        store: where documents and samples are read.
        pool: where users and their attributes are read.
        project: of the users.
        wanted: the filter.
        until: the deadline, on the clock of `time.monotonic`.

    Raises:
        DeadlineExceeded, TooLarge: see `UserIndex.now`.
    """
    parts = pool.now(project, until)
    behaviour = Behaviour(store, project, clock.now(), until)
    masks = [matches(wanted, p.block, p.present, behaviour) for p in parts]
    return SegmentResult(parts, masks, wanted)


class SegmentResult:
    """The users of an index that match a filter.

    Args:
        parts: the parts of the index.
        masks: for each part, the matching rows.
        wanted: the filter.
    """

    def __init__(self, parts: Parts, masks: list[Flags], wanted: f.Filter) -> None:
        self.parts = parts
        self._masks = masks
        self._wanted = wanted

    def page(self, page: Page) -> Members:
        """Return the number of users, and a page of them.

        Raises:
            BadCursor: this server did not issue the cursor.
        """
        found = self._first(page.after(Name, ""), page.limit + 1)
        shown = found[: page.limit]
        count = sum(int(np.count_nonzero(mask)) for mask in self._masks)
        following = to_cursor(shown[-1][0]) if len(found) > page.limit else None
        return Members(count, self._members(shown), following, self._unreadable())

    def _unreadable(self) -> int:
        compared = {
            (one.name, one.kind)
            for one in f.conditions(self._wanted)
            if isinstance(one, f.Compared) and one.kind != "text"
        }
        return sum(_unreadable(part, *pair) for pair in compared for part in self.parts)

    def all(self) -> Iterator[str]:
        """Yield the ids of all users, in order of code points."""
        after = ""
        while found := self._first(after, ALL_AT_ONCE):
            yield from (user_id for user_id, _, _ in found)
            after = found[-1][0]

    def _first(self, after: str, count: int) -> list[tuple[str, int, int]]:
        """The first users after an id: id, index of the part, row."""
        lists = [
            [(user_id, number, row) for user_id, row in part.block.first(mask, after, count)]
            for number, (part, mask) in enumerate(zip(self.parts, self._masks, strict=True))
        ]
        return list(islice(heapq.merge(*lists), count))

    def _members(self, found: list[tuple[str, int, int]]) -> list[Member]:
        made: dict[str, Member] = {}
        for number, part in enumerate(self.parts):
            own = [(user_id, row) for user_id, owner, row in found if owner == number]
            if own:
                made |= _members_of(part, own)
        return [made[user_id] for user_id, _, _ in found]


def _unreadable(part: Part, name: str, kind: f.Kind) -> int:
    """The number of values that are not empty and not of this kind."""
    column = part.block.columns.get(name)
    if column is None:
        return 0
    unread = np.isnan(column.numbers()) if kind == "number" else column.dates() == NO_DATE
    unread &= np.asarray(pc.not_equal(column.values, ""))
    return int(np.count_nonzero(column.mask(unread, len(part.block)) & part.present))


def _members_of(part: Part, found: list[tuple[str, int]]) -> dict[str, Member]:
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


def matches(wanted: f.Filter, block: Block, within: Flags, behaviour: Behaviour) -> Flags:
    """Return which rows match a filter.

    Args:
        wanted: the filter.
        block: the users.
        within: the rows to evaluate; all other rows are false in the result.
        behaviour: reads documents and samples.
    """
    match wanted:
        case f.And():
            return _remaining(wanted.of, block, within, behaviour, matching=True)
        case f.Or():
            return within & ~_remaining(wanted.of, block, within, behaviour, matching=False)
        case f.Not():
            return within & ~matches(wanted.of, block, within, behaviour)
        case f.Documents() | f.SampleStat():
            return _match_behaviour(wanted, block, within, behaviour)
    return within & _match_user(wanted, block, behaviour.now)


def _match_user(wanted: f.Present | f.Compared | f.Seen, block: Block, now: int) -> Flags:
    if isinstance(wanted, f.Seen):
        seen = block.first_seen if wanted.which == "first" else block.last_seen
        ago = now - (wanted.days_ago or 0) * MICROSECONDS_PER_DAY
        return _compare(wanted.op, seen, ago if wanted.moment is None else wanted.moment)
    column = block.columns.get(wanted.name)
    if column is None:
        return np.zeros(len(block), np.bool_)
    return column.mask(_matching_values(wanted, column), len(block))


def _remaining(
    parts: tuple[f.Filter, ...],
    block: Block,
    within: Flags,
    behaviour: Behaviour,
    *,
    matching: bool,
) -> Flags:
    """The rows that match all parts or, if not `matching`, none of them."""
    for part in sorted(parts, key=_cost):
        if not within.any():
            break
        found = matches(part, block, within, behaviour)
        within = found if matching else within & ~found
    return within


def _cost(wanted: f.Filter) -> int:
    return max((_COSTS.get(type(one), 0) for one in f.conditions(wanted)), default=0)


_COSTS = {f.Documents: 1, f.SampleStat: 2}


def _matching_values(wanted: f.Present | f.Compared, column: Column) -> Flags | None:
    """Which of a column's values match a condition; None for all."""
    if isinstance(wanted, f.Present):
        if wanted.op == "exists":
            return None
        empty: Flags = np.asarray(pc.equal(column.values, ""))
        return empty
    if wanted.kind == "text":
        return _compare_texts(wanted, column.values)
    if wanted.kind == "number":
        numbers = column.numbers()
        return _compare_numbers(wanted, numbers) & ~np.isnan(numbers)
    dates = column.dates()
    found: Flags = _compare_numbers(wanted, dates) & (dates != NO_DATE)
    return found


def _compare_texts(wanted: f.Compared, values: Any) -> Flags:
    wants = pa.array(wanted.values, pa.large_string())
    match wanted.op:
        case "contains":
            found = pc.match_substring(values, wanted.values[0])
        case "starts_with":
            found = pc.starts_with(values, wanted.values[0])
        case "ne":
            found = pc.invert(pc.is_in(values, value_set=wants))
        case _:
            found = pc.is_in(values, value_set=wants)
    flags: Flags = np.asarray(found)
    return flags


def _compare_numbers(wanted: f.Compared, values: Any) -> Flags:
    if wanted.op == "in":
        return np.isin(values, np.array(wanted.values, values.dtype))
    return _compare(wanted.op, values, wanted.values[0])


def _compare(op: str, values: Any, value: Any) -> Flags:
    found: Flags = getattr(operator, op)(values, value)
    return found


def _match_behaviour(
    wanted: f.Documents | f.SampleStat, block: Block, within: Flags, behaviour: Behaviour
) -> Flags:
    rows = np.flatnonzero(within).astype(np.int32)
    if isinstance(wanted, f.Documents):
        amounts = behaviour.documents(wanted, block, rows)
    else:
        amounts = behaviour.samples(wanted, block, rows)
    found = np.zeros(len(block), np.bool_)
    # NaN, which is unequal to everything, matches nothing: not even `ne`.
    found[rows] = ~np.isnan(amounts) & _compare(wanted.op, amounts, wanted.value)
    return found
