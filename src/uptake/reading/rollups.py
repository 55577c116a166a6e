"""Rollups of a user's samples, page by page."""

from collections.abc import Iterator
from typing import cast

import numpy as np
from msgspec import Struct

from uptake.reading import Unknown, from_cursor, to_cursor
from uptake.reading.bounds import ANSWER_BYTES, ANSWER_MEMORY, TooMuch, json_bytes
from uptake.reading.buckets import (
    HeartRateBucket,
    StepsBucket,
    heart_rate_buckets,
    steps_buckets,
)
from uptake.reading.stretches import series
from uptake.reading.tables import Place, Question, Rows, Stretch, rows
from uptake.samples.metrics import METRICS, Aggregation, MeanMetric, SumMetric
from uptake.samples.rollup.calendar import Every
from uptake.store.base import ItemQueries

SAMPLE_ZONE = "sample"
"""What is said instead of a time zone for every sample's own clock."""


class StepsRollup(Struct, frozen=True):
    """Sums in buckets, in order; a bucket without a part of any sample is left out."""

    user_id: str
    metric: SumMetric
    every: Every
    zone: str
    buckets: list[StepsBucket]
    next: str | None


class HeartRateRollup(Struct, frozen=True):
    """Means in buckets, in order; a bucket without a part of any sample is left out."""

    user_id: str
    metric: MeanMetric
    every: Every
    zone: str
    buckets: list[HeartRateBucket]
    next: str | None


BUCKET_BYTES = 200
SHARE_BYTES = 120
"""What a bucket and the part of a device take in an answer, without the device's name."""


def page(  # noqa: PLR0913 - a question about a user, and where in the answer to go on
    store: ItemQueries,
    project: str,
    user_id: str,
    question: Question,
    *,
    cursor: str | None,
    limit: int,
    memory: int = ANSWER_MEMORY,
) -> StepsRollup | HeartRateRollup:
    """At most `limit` buckets, from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
        TooMuch: the page would be over a bound; `limit` and what else narrows it.
    """
    after: Place | None = from_cursor(cursor, Place) if cursor else None
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    found = series(store, project, user_id, question.metric, memory)
    taken, more = (
        ([], None)
        if found is None
        else _first(rows(found, question, after, limit, Stretch(memory=memory)), limit)
    )
    every, zone = question.every, question.zone or SAMPLE_ZONE
    if METRICS[question.metric].aggregation is Aggregation.SUM:
        sums = [bucket for part in taken for bucket in steps_buckets(part)]
        return StepsRollup(user_id, cast("SumMetric", question.metric), every, zone, sums, more)
    means = [bucket for part in taken for bucket in heart_rate_buckets(part)]
    return HeartRateRollup(user_id, cast("MeanMetric", question.metric), every, zone, means, more)


def _first(stretches: Iterator[Rows], limit: int) -> tuple[list[Rows], str | None]:
    """The first so many rows, and a cursor when there are more."""
    taken: list[Rows] = []
    wanted, size = limit, 0
    for whole in stretches:
        more = len(whole.which) > wanted
        part = whole.take(wanted) if more else whole
        if len(part.which):
            size += _bytes(part)
            if size > ANSWER_BYTES:
                raise TooMuch(
                    f"{limit - wanted + len(part.which)} buckets take more than {ANSWER_BYTES} "
                    "bytes: ask for fewer with `limit`, for one device, or without `explain`"
                )
            taken.append(part)
            wanted -= len(part.which)
        if more:
            return taken, to_cursor(taken[-1].last)
    return taken, None


def _bytes(some: Rows) -> int:
    """What rows take in an answer, about."""
    names = np.array([json_bytes(name) for name in some.names])
    table = some.table
    size = BUCKET_BYTES * len(some.which)
    if table.device is not None:
        size += int(names[table.device[some.which]].sum())
    if table.parts is not None:
        chosen = np.zeros(len(table.count), bool)
        chosen[some.which] = True
        device = table.parts.device[chosen[table.parts.row]]
        size += SHARE_BYTES * len(device) + int(names[device].sum())
    return size
