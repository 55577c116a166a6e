"""Of which users a filter is true: one engine for every question about segments.

Conditions are looked at where they still matter only: those of an `and` on the users that are left,
those of an `or` on the users that are not in yet, the costly ones last.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from uptake.reading.segments import filters as f
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.columns import Column, Flags, Rows
from uptake.reading.segments.typed import NO_DATE
from uptake.time_units import MICROSECONDS_PER_DAY

Amounts = np.ndarray[Any, np.dtype[Any]]

_COMPARE: dict[str, Callable[[Amounts, Any], Flags]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
}


class Behaviour(Protocol):
    """What is known of users beside their attributes, read when it is asked for."""

    def documents(self, condition: f.Documents, block: Block, rows: Rows, now: int) -> Amounts:
        """How many there are of each of these rows' users."""
        ...

    def rolled(self, condition: f.Rolled, block: Block, rows: Rows, now: int) -> Amounts:
        """What the samples of each of these rows' users come to; NaN for those without."""
        ...


class Moment(Struct, frozen=True):
    """What a question is about beside the users.

    Attributes:
        now: microseconds since the epoch.
        behaviour: where what users did is read.
    """

    now: int
    behaviour: Behaviour


def holds(wanted: f.Filter, block: Block, within: Flags, moment: Moment) -> Flags:
    """Of which rows a filter is true, of those asked about.

    Args:
        wanted: the filter.
        block: the users.
        within: the rows asked about; all others are false.
        moment: what else it is about.
    """
    match wanted:
        case f.And():
            return _all(wanted, block, within, moment)
        case f.Or():
            return _any(wanted, block, within, moment)
        case f.Not():
            return within & ~holds(wanted.of, block, within, moment)
        case f.Documents() | f.Rolled():
            return _did(wanted, block, within, moment)
    return within & _told(wanted, block, moment)


def _all(wanted: f.And, block: Block, within: Flags, moment: Moment) -> Flags:
    left = within
    for part in sorted(wanted.of, key=_cost):
        if not left.any():
            break
        left = holds(part, block, left, moment)
    return left


def _any(wanted: f.Or, block: Block, within: Flags, moment: Moment) -> Flags:
    left = within
    for part in sorted(wanted.of, key=_cost):
        if not left.any():
            break
        left = left & ~holds(part, block, left, moment)
    return within & ~left


def _told(wanted: f.Present | f.Compared | f.Seen, block: Block, moment: Moment) -> Flags:
    if isinstance(wanted, f.Seen):
        seen = block.first_seen if wanted.which == "first" else block.last_seen
        return _COMPARE[wanted.op](seen, _moment(wanted, moment.now))
    column = block.columns.get(wanted.name)
    if column is None:
        return np.zeros(len(block), np.bool_)
    return column.mask(_hits(wanted, column), len(block))


def _cost(wanted: f.Filter) -> int:
    return max((_COSTS.get(type(one), 0) for one in f.conditions(wanted)), default=0)


_COSTS = {f.Documents: 1, f.Rolled: 2}


def _hits(wanted: f.Present | f.Compared, column: Column) -> Flags | None:
    """Of which of a column's values a condition is true; None for all."""
    if isinstance(wanted, f.Present):
        if wanted.op == "exists":
            return None
        empty: Flags = np.asarray(pc.equal(column.values, ""))
        return empty
    if wanted.kind == "text":
        return _of_texts(wanted, column.values)
    if wanted.kind == "number":
        numbers = column.numbers()
        return _compared(numbers, wanted, ~np.isnan(numbers))
    dates = column.dates()
    return _compared(dates, wanted, dates != NO_DATE)


def _of_texts(wanted: f.Compared, values: Any) -> Flags:
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


def _compared(values: Amounts, wanted: f.Compared, there: Flags) -> Flags:
    if wanted.op == "in":
        found: Flags = np.isin(values, np.array(wanted.values, values.dtype))
    else:
        found = _COMPARE[wanted.op](values, wanted.values[0])
    return there & found


def _moment(wanted: f.Seen, now: int) -> int:
    return (
        now - (wanted.days_ago or 0) * MICROSECONDS_PER_DAY
        if wanted.moment is None
        else wanted.moment
    )


def _did(wanted: f.Documents | f.Rolled, block: Block, within: Flags, moment: Moment) -> Flags:
    rows = np.flatnonzero(within).astype(np.int32)
    if isinstance(wanted, f.Documents):
        amounts = moment.behaviour.documents(wanted, block, rows, moment.now)
    else:
        amounts = moment.behaviour.rolled(wanted, block, rows, moment.now)
    found = np.zeros(len(block), np.bool_)
    # Without a value nothing holds: NaN compares as unequal.
    found[rows] = ~np.isnan(amounts) & _COMPARE[wanted.op](amounts, wanted.value)
    return found
