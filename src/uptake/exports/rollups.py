"""Daily rollups of all selected users, computed by the code of the API's rollups."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from sys import maxsize

import numpy as np
import pyarrow as pa

from uptake.exports import ExportQuery
from uptake.reading import SAMPLE_ZONE
from uptake.reading.bounds import ANSWER_MEMORY
from uptake.reading.rollup_rows import (
    RollupQuery,
    RollupRows,
    WorkLimits,
    rollup_rows,
)
from uptake.reading.series import EARLIEST, Batches, Series
from uptake.samples.metrics import Metric
from uptake.store.snapshot_ports import Snapshot
from uptake.store.stored import Selection, Span, StoredBatch
from uptake.time_units import TICKS_PER_DAY

ROLLUPS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("sum", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("mean", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("zone", pa.string(), nullable=False),
    ]
)
"""A metric has a `sum`, or `min`, `mean` and `max`; the others are null. `zone` is of the `day`."""

FIGURES = [(field.name, field.type) for field in ROLLUPS][4:-1]

HELD_SAMPLES = 4_000_000
"""Samples of one user and metric that are in memory as stored, some tens of megabytes. Those of a
user who has more are read again for each range of days."""

DAYS_AT_ONCE = 1000
"""Days that are computed first; fewer for a user with many samples."""

LIMITS = WorkLimits(answer=maxsize)
"""An export is streamed, so only the samples of one day are limited."""


def rollup_batches(
    snapshot: Snapshot, query: ExportQuery, selections: Iterable[Selection]
) -> Iterator[pa.RecordBatch]:
    """Yield a row for each user, metric and day with samples, in this order.

    With `since`, all days of users who have new samples are included.

    Raises:
        TooMuch: one day of a user has too many samples.
    """
    for only in selections:
        # Not limited to the selected time: a day may depend on samples that start long before it.
        found = snapshot.batches(query.metrics, Selection(only.users, only.since))
        for (user_id, metric), new in groupby(found, attrgetter("user_id", "metric")):
            every = snapshot.batches((metric,), Selection([user_id]))
            series = _series(snapshot, user_id, metric, new if only.since is None else every)
            question = RollupQuery(metric, zone=query.zone, begin=query.start, end=query.end)
            for rows in rollup_rows(series, question, None, DAYS_AT_ONCE, LIMITS):
                if len(rows.which):
                    yield _batch(user_id, question, rows)


def _series(
    snapshot: Snapshot, user_id: str, metric: Metric, batches: Iterable[StoredBatch]
) -> Series:
    """The samples of all batches of a user and metric; there is at least one batch."""
    held: list[StoredBatch] = []
    spans: list[Span] = []
    count = 0
    for one in batches:
        spans.append(Span(metric, one.first, one.last, one.count, one.sequence))
        count += one.count
        if count <= HELD_SAMPLES:
            held.append(one)
    spans.sort(key=attrgetter("first", "sequence"))

    def read(low: int, high: int) -> list[StoredBatch]:
        found: Iterable[StoredBatch] = held
        if count > HELD_SAMPLES:
            found = snapshot.batches((metric,), Selection([user_id], None, low, high + 1))
        inside = [one for one in found if one.first <= high and one.last >= low]
        return sorted(inside, key=attrgetter("sequence"))

    reads = Batches(read, lambda _, high: read(EARLIEST, high))
    return Series(reads, spans, ANSWER_MEMORY)


def _batch(user_id: str, query: RollupQuery, rows: RollupRows) -> pa.RecordBatch:
    table, which = rows.table, rows.which
    count = len(which)
    local = table.start[which] + table.start_offset[which]
    days = (local // TICKS_PER_DAY).astype(np.int32)
    figures = [
        pa.array(table.figures[name][which]) if name in table.figures else pa.nulls(count, kind)
        for name, kind in FIGURES
    ]
    arrays = [
        pa.repeat(user_id, count),
        pa.repeat(query.metric, count),
        pa.array(days).cast(pa.date32()),
        pa.array(table.count[which], pa.int64()),
        *figures,
        pa.repeat(query.zone or SAMPLE_ZONE, count),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=ROLLUPS)
