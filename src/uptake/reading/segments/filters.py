"""Filters and their limits.

A filter is true or false for a user, never unknown. A comparison, including `ne`, is false for a
user without a value. `Not` is true for exactly the users that its filter is false for.
"""

from typing import Literal

from msgspec import Struct

from uptake.samples.metrics import METRICS, Aggregation, Metric

MAX_DEPTH = 16
"""Nesting of `and`, `or` and `not`."""

MAX_PARTS = 200
"""`and`, `or`, `not` and conditions of a filter together."""

MAX_CONDITIONS = 100
"""Conditions of a filter; each may be evaluated for every user."""

MAX_BEHAVIOUR = 10
"""Conditions on samples and documents, which are read from the store for each query."""

MAX_LISTED = 1000
"""Values of an `in`."""

MAX_TEXT = 1024
"""Characters of a name or a value, as long as an attribute of any format may be."""

MAX_DAYS = 3660
"""Days back from now: ten years."""

Kind = Literal["text", "number", "date"]
Which = Literal["first", "last"]
Stat = Literal["sum", "min", "mean", "max", "count"]

OPERATORS: dict[str, tuple[Kind, ...]] = {
    "exists": (),
    "is_empty": (),
    "eq": ("text", "number", "date"),
    "ne": ("text", "number", "date"),
    "gt": ("number", "date"),
    "ge": ("number", "date"),
    "lt": ("number", "date"),
    "le": ("number", "date"),
    "in": ("text", "number", "date"),
    "contains": ("text",),
    "starts_with": ("text",),
}
"""The operators of conditions on attributes, with the kinds of values that each compares; an
operator without kinds takes no value."""

ORDERS = ("eq", "ne", "gt", "ge", "lt", "le")
"""The operators that compare numbers, named as in the module `operator`."""

MEMBERS: dict[str, tuple[str, ...]] = {
    "and": (),
    "or": (),
    "not": (),
    "attribute": ("op", "value", "as"),
    "seen": ("op", "value", "days_ago"),
    "documents": ("op", "value", "days"),
    "samples": ("op", "value", "stat", "days", "zone"),
}
"""The kinds of filters by their identifying member, with their other members."""

_STATS: dict[Aggregation, tuple[Stat, ...]] = {
    Aggregation.SUM: ("sum", "mean", "min", "max", "count"),
    Aggregation.MEAN: ("min", "mean", "max", "count"),
}
STATS = {name: _STATS[metric.aggregation] for name, metric in METRICS.items()}
"""The statistics of each metric."""


class And(Struct, frozen=True):
    """All filters are true; true if there are none."""

    of: tuple["Filter", ...]


class Or(Struct, frozen=True):
    """At least one filter is true; false if there are none."""

    of: tuple["Filter", ...]


class Not(Struct, frozen=True):
    """The filter is false."""

    of: "Filter"


class Present(Struct, frozen=True):
    """The user has the attribute (`exists`), or has it with the empty value (`is_empty`)."""

    name: str
    op: str


class Compared(Struct, frozen=True):
    """The user has the attribute, its value can be parsed as `kind`, and the comparison is true.

    Attributes:
        name: of the attribute.
        op: the comparison.
        kind: the type of both sides.
        values: the right-hand side: one value, except for `in`. Dates are instants in ticks.
    """

    name: str
    op: str
    kind: Kind
    values: tuple[str, ...] | tuple[float, ...] | tuple[int, ...]


class Seen(Struct, frozen=True):
    """The first or last time that data about the user was received.

    Attributes:
        which: the first or the last time.
        op: the comparison.
        moment: the right-hand side in microseconds since the epoch; None with `days_ago`.
        days_ago: the right-hand side as this many times 24 hours before the query.
    """

    which: Which
    op: str
    moment: int | None = None
    days_ago: int | None = None


class Documents(Struct, frozen=True):
    """The number of the user's documents of a type.

    Attributes:
        type: the name of the document type.
        op: the comparison.
        value: the right-hand side.
        days: counts documents received within this many times 24 hours before the query; None
            counts all.
    """

    type: str
    op: str
    value: int
    days: int | None = None


class SampleStat(Struct, frozen=True):
    """A statistic of the user's samples of the last days; without samples there is no value.

    Attributes:
        metric: which samples.
        stat: a statistic of the daily rollups, or the number of samples (`count`), which is 0
            without samples.
        days: the number of days, of which the last is today.
        zone: the IANA name of the time zone of the days; None for each sample's local time.
        op: the comparison.
        value: the right-hand side.
    """

    metric: Metric
    stat: Stat
    days: int
    zone: str | None
    op: str
    value: float


Filter = And | Or | Not | Present | Compared | Seen | Documents | SampleStat


class Fields(Struct, frozen=True):
    """What is read about users, beside their ids.

    Attributes:
        names: of attributes; None for all attributes.
        seen: whether the times are read at which data about the user was received.
    """

    names: frozenset[str] | None = frozenset()
    seen: bool = False

    @property
    def count(self) -> int:
        """The number of names."""
        return len(self.names or ())

    def covers(self, other: "Fields") -> bool:
        """Whether all of the other fields are among these."""
        names = self.names is None or (other.names is not None and self.names >= other.names)
        return names and self.seen >= other.seen

    def union(self, other: "Fields") -> "Fields":
        """Return the fields of both."""
        both = self.names is not None and other.names is not None
        names = self.names | other.names if both else None  # type: ignore[operator]
        return Fields(names, self.seen or other.seen)


ALL_FIELDS = Fields(None, seen=True)


def conditions(wanted: Filter) -> list[Present | Compared | Seen | Documents | SampleStat]:
    """Return the conditions of a filter, in order."""
    if isinstance(wanted, Not):
        return conditions(wanted.of)
    if isinstance(wanted, And | Or):
        return [condition for part in wanted.of for condition in conditions(part)]
    return [wanted]


def fields(wanted: Filter) -> Fields:
    """Return the fields that a filter reads."""
    found = conditions(wanted)
    names = frozenset(one.name for one in found if isinstance(one, Present | Compared))
    return Fields(names, any(isinstance(one, Seen) for one in found))
