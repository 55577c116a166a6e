"""Finds the users that match a filter: one implementation for every query about segments.

A condition is evaluated only for the users that it can still affect: within `and` for those that
remain, within `or` for those that have not matched yet. Expensive conditions are evaluated last.
"""

import heapq
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from uptake.model import clock
from uptake.reading.segments import TooLarge
from uptake.reading.segments import filters as f
from uptake.reading.segments.behaviour import Behaviour, BehaviourStore
from uptake.reading.segments.blocks import Block, Builder
from uptake.reading.segments.columns import NO_DATE, Column, Flags
from uptake.reading.segments.queries import Member, Pool
from uptake.reading.segments.user_index import Part
from uptake.store.base import UserQueries
from uptake.time_units import MICROSECONDS_PER_DAY

ALL_AT_ONCE = 10_000
"""Ids that become strings at a time."""


Matched = tuple[Part, Flags]
"""A part, and which of its rows match."""


def find(
    store: BehaviourStore, pool: Pool, project: str, wanted: f.Filter, until: float
) -> Iterator[Matched]:
    """Evaluate a filter for the users of a project, part by part.

    Args:
        store: where documents and samples are read.
        pool: where users and their attributes are read.
        project: of the users.
        wanted: the filter.
        until: the deadline, on the clock of `time.monotonic`.

    Raises:
        DeadlineExceeded: see `UserIndex.parts`.
    """
    behaviour = Behaviour(store, project, clock.now(), until)
    for part in pool.parts(project, f.fields(wanted), until):
        yield part, matches(wanted, part.block, part.present, behaviour)


class Found(Struct, frozen=True):
    """The users that match a filter: their number, and the first of them.

    Attributes:
        count: how many match.
        user_ids: the first of them above an id, in order of code points.
        names: the attributes that users have, among those that were read.
        unreadable: as in `Members`.
    """

    count: int
    user_ids: list[str]
    names: set[str]
    unreadable: int


def first(found: Iterable[Matched], wanted: f.Filter, after: str, limit: int) -> Found:
    """Return the number of users, and the first `limit` of them with an id above `after`.

    Args:
        found: the parts, and which of their rows match.
        wanted: the filter.
        after: the id; "" for none.
        limit: how many.
    """
    compared = {
        (one.name, one.kind)
        for one in f.conditions(wanted)
        if isinstance(one, f.Compared) and one.kind != "text"
    }
    count, unreadable, names = 0, 0, set[str]()
    users: list[str] = []
    for part, mask in found:
        count += int(np.count_nonzero(mask))
        unreadable += sum(_unreadable(part, *pair) for pair in compared)
        names |= part.block.columns.keys()
        users = list(islice(heapq.merge(users, part.block.first(mask, after, limit)), limit))
    return Found(count, users, names, unreadable)


def _unreadable(part: Part, name: str, kind: f.Kind) -> int:
    """The number of values that are not empty and not of this kind."""
    column = part.block.columns.get(name)
    if column is None:
        return 0
    unread = np.isnan(column.numbers()) if kind == "number" else column.dates() == NO_DATE
    unread &= np.asarray(pc.not_equal(column.values, ""))
    return int(np.count_nonzero(column.mask(unread, len(part.block)) & part.present))


def every(found: Iterable[Matched], memory: int) -> Callable[[], Iterator[str]]:
    """Find all users; each call of the result yields their ids, in order of code points.

    Raises:
        TooLarge: the ids take more bytes than `memory`.
    """
    parts = [pa.array([], pa.large_string())]
    for part, mask in found:
        parts.append(part.block.ids.filter(pa.array(mask)).cast(pa.large_string()))
        if sum(ids.nbytes for ids in parts) > memory:
            raise TooLarge
    joined = pa.concat_arrays(parts)
    order = pc.sort_indices(joined)

    def listed() -> Iterator[str]:
        for start in range(0, len(order), ALL_AT_ONCE):
            yield from joined.take(order.slice(start, ALL_AT_ONCE)).to_pylist()

    return listed


def every_of(
    store: BehaviourStore, project: str, wanted: f.Filter, user_ids: Sequence[str], until: float
) -> set[str]:
    """Return those of these users that match a filter; only these are read.

    Raises:
        DeadlineExceeded: the deadline has passed.
    """
    builder = Builder(f.fields(wanted))
    for profiles in store.profiles_of(project, user_ids):
        builder.add(profiles)
    if not len(builder):
        return set()
    block = builder.block()
    behaviour = Behaviour(store, project, clock.now(), until)
    found = matches(wanted, block, np.ones(len(block), np.bool_), behaviour)
    return set(block.ids.filter(pa.array(found)).to_pylist())


def members(store: UserQueries, project: str, user_ids: Sequence[str]) -> list[Member]:
    """Return users with their attributes; those that do not exist any more are left out."""
    builder = Builder(f.ALL_FIELDS)
    for profiles in store.profiles_of(project, user_ids):
        builder.add(profiles)
    if not len(builder):
        return []
    block = builder.block()
    listed = zip(
        block.ids.to_pylist(),
        block.attributes(range(len(block))),
        map(clock.iso, block.seen["first"].tolist()),
        map(clock.iso, block.seen["last"].tolist()),
        strict=True,
    )
    return sorted((Member(*one) for one in listed), key=lambda member: member.user_id)


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
        seen = block.seen[wanted.which]
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
