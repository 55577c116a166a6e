"""Rollups of a user's samples, page by page."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from uptake.reading import Unknown, from_cursor, to_cursor
from uptake.reading.buckets import (
    HeartRateBucket,
    StepsBucket,
    heart_rate_buckets,
    steps_buckets,
)
from uptake.reading.stretches import series
from uptake.reading.tables import Place, Question, Rows, rows
from uptake.samples.rollup.calendar import Every
from uptake.store.base import Items

SAMPLE_ZONE = "sample"
"""What is said instead of a time zone for every sample's own clock."""


class StepsRollup(Struct, frozen=True):
    """Steps in buckets, in order; a bucket without a part of any sample is left out."""

    user_id: str
    metric: Literal["steps"]
    every: Every
    zone: str
    buckets: list[StepsBucket]
    next: str | None


class HeartRateRollup(Struct, frozen=True):
    """Heart rates in buckets, in order; a bucket without a part of any sample is left out."""

    user_id: str
    metric: Literal["bpm"]
    every: Every
    zone: str
    buckets: list[HeartRateBucket]
    next: str | None


def page(  # noqa: PLR0913 - a question about a user, and where in the answer to go on
    store: Items,
    project: str,
    user_id: str,
    question: Question,
    *,
    cursor: str | None,
    limit: int,
) -> StepsRollup | HeartRateRollup:
    """At most `limit` buckets, from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
    """
    after: Place | None = from_cursor(cursor, Place) if cursor else None
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    found = series(store, project, user_id, question.metric)
    taken, more = (
        ([], None) if found is None else _first(rows(found, question, after, limit), limit)
    )
    every, zone = question.every, question.zone or SAMPLE_ZONE
    if question.metric == "steps":
        steps = [bucket for part in taken for bucket in steps_buckets(part)]
        return StepsRollup(user_id, "steps", every, zone, steps, more)
    rates = [bucket for part in taken for bucket in heart_rate_buckets(part)]
    return HeartRateRollup(user_id, "bpm", every, zone, rates, more)


def _first(stretches: Iterator[Rows], limit: int) -> tuple[list[Rows], str | None]:
    """The first so many rows, and a cursor when there are more."""
    taken: list[Rows] = []
    wanted = limit
    for part in stretches:
        if len(part.which) > wanted:
            if wanted:
                taken.append(part.take(wanted))
            return taken, to_cursor(taken[-1].last)
        if len(part.which):
            taken.append(part)
            wanted -= len(part.which)
    return taken, None
