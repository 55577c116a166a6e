"""What a filter is made of, and the bounds of one.

A filter is true or false of a user, never unknown. A condition is true where there is a value and
it compares as asked; of a user without a value every comparison is false, `ne` too. `Not` is true
of everybody of whom what it holds is false.
"""

from typing import Literal

from msgspec import Struct

from uptake.samples.metrics import METRICS, Aggregation, Metric

MAX_DEPTH = 16
"""Of `and`, `or` and `not` within each other."""

MAX_PARTS = 200
"""Of a filter: `and`, `or`, `not` and conditions together."""

MAX_CONDITIONS = 100
"""In a filter; each is looked at for every user."""

MAX_BEHAVIOUR = 10
"""Conditions among them about samples and documents, which are read for each question."""

MAX_LISTED = 1000
"""Values of an `in`."""

MAX_TEXT = 1024
"""Characters of a name or a value: an attribute of any format may be as long."""

MAX_DAYS = 3660
"""Of a span that ends now: ten years."""

Kind = Literal["text", "number", "date"]
Order = Literal["eq", "ne", "gt", "ge", "lt", "le"]
Text = Literal["eq", "ne", "in", "contains", "starts_with"]
Presence = Literal["exists", "is_empty"]
Which = Literal["first", "last"]
Stat = Literal["sum", "min", "mean", "max", "count"]

_STATS: dict[Aggregation, tuple[Stat, ...]] = {
    Aggregation.SUM: ("sum", "mean", "min", "max", "count"),
    Aggregation.MEAN: ("min", "mean", "max", "count"),
}
STATS = {name: _STATS[metric.aggregation] for name, metric in METRICS.items()}
"""What can be asked of the samples of a metric."""


class And(Struct, frozen=True):
    """Everything holds; of nothing that is true."""

    of: tuple["Filter", ...]


class Or(Struct, frozen=True):
    """Something holds; of nothing that is false."""

    of: tuple["Filter", ...]


class Not(Struct, frozen=True):
    """What it holds does not."""

    of: "Filter"


class Present(Struct, frozen=True):
    """The attribute was told (`exists`); it was told as the empty text (`is_empty`)."""

    name: str
    op: Presence


class Compared(Struct, frozen=True):
    """The attribute was told, can be read as what it is compared as, and compares so.

    Attributes:
        name: of the attribute.
        op: how it compares.
        kind: what both sides are read as.
        values: what it is compared with: one, but for `in`; texts, numbers, or instants in ticks.
    """

    name: str
    op: Order | Text
    kind: Kind
    values: tuple[str, ...] | tuple[float, ...] | tuple[int, ...]


class Seen(Struct, frozen=True):
    """The first or last time that something was kept about the user.

    Attributes:
        which: of the two.
        op: how it compares.
        moment: microseconds since the epoch; None where `days_ago` says it.
        days_ago: so many times 24 hours before the question.
    """

    which: Which
    op: Order
    moment: int | None = None
    days_ago: int | None = None


class Documents(Struct, frozen=True):
    """How many documents of a type there are of the user.

    Attributes:
        type: name of the document type.
        op: how the count compares.
        value: with what.
        days: received within so many times 24 hours before the question; None for ever.
    """

    type: str
    op: Order
    value: int
    days: int | None = None


class Rolled(Struct, frozen=True):
    """What the user's samples of the last days come to; no value where there are none.

    Attributes:
        metric: which samples.
        stat: what of them: of the days' rollups, or how many samples there are (`count`), which is
            a value where there are none, too.
        days: today and the days before it, so many together.
        zone: whose days, by its IANA name; None for those of each sample's own clock.
        op: how it compares.
        value: with what.
    """

    metric: Metric
    stat: Stat
    days: int
    zone: str | None
    op: Order
    value: float


Behaviour = Documents | Rolled
Filter = And | Or | Not | Present | Compared | Seen | Documents | Rolled


def conditions(wanted: Filter) -> list[Present | Compared | Seen | Documents | Rolled]:
    """The conditions of a filter, in their order."""
    if isinstance(wanted, Not):
        return conditions(wanted.of)
    if isinstance(wanted, And | Or):
        return [condition for part in wanted.of for condition in conditions(part)]
    return [wanted]
