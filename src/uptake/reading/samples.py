"""A user's samples, as if all batches had arrived as one."""

from typing import Any

import numpy as np
from msgspec import Struct

from uptake.model.items import METRICS, Metric
from uptake.reading import DeviceName, Number, Unit, Unknown, from_cursor, to_cursor
from uptake.samples import times
from uptake.samples.columns import Columns, from_bytes, rows
from uptake.samples.merge import merge
from uptake.store.base import Items
from uptake.store.records import Span

EARLIEST = -(1 << 62)
LATEST = 1 << 62
"""Ticks before and after every sample."""

Place = tuple[Number, Number, DeviceName, Unit]
"""A sample's identity in its order: start, duration, device name, unit."""


class Summary(Struct, frozen=True):
    """How many samples of a metric there are, and when the first and the last start."""

    count: int
    first: str
    last: str


class SamplePage(Struct, frozen=True):
    """Samples in order of start; `next` leads to the following page."""

    samples: list[dict[str, Any]]
    next: str | None


def summaries(store: Items, project: str, user_id: str) -> dict[Metric, Summary]:
    """What there is of each metric, repeats counted once."""
    spans = store.spans(project, user_id)
    found: dict[Metric, Summary] = {}
    for metric in METRICS:
        mine = [span for span in spans if span.metric == metric]
        if mine:
            found[metric] = _summary(store, project, user_id, metric, mine)
    return found


def _summary(
    store: Items, project: str, user_id: str, metric: Metric, spans: list[Span]
) -> Summary:
    count = 0
    for cluster in _clusters(spans):
        if len(cluster) == 1:
            count += cluster[0].count
        else:
            first, last = cluster[0].first, max(span.last for span in cluster)
            count += len(_merged(store, project, user_id, metric, first, last))
    first, last = spans[0].first, max(span.last for span in spans)
    head = _merged(store, project, user_id, metric, first, first)
    tail = _merged(store, project, user_id, metric, last, last)
    return Summary(count, _start(head, 0), _start(tail, -1))


def _clusters(spans: list[Span]) -> list[list[Span]]:
    """Batches in groups; those of different groups cannot hold the same sample."""
    clusters: list[list[Span]] = []
    reach = EARLIEST
    for span in spans:
        if clusters and span.first <= reach:
            clusters[-1].append(span)
        else:
            clusters.append([span])
        reach = max(reach, span.last)
    return clusters


def _start(columns: Columns, at: int) -> str:
    return times.tell(int(columns.start[at]), int(columns.start_told[at]))


def _merged(  # noqa: PLR0913, PLR0917 - a range of a user's metric
    store: Items, project: str, user_id: str, metric: Metric, start: int, end: int
) -> Columns:
    """The samples of all batches that reach into [start, end]; at least one batch does."""
    batches = store.batches(project, user_id, metric, start, end)
    return merge([from_bytes(batch) for batch in batches])


def page(  # noqa: PLR0913 - what can be asked for
    store: Items,
    project: str,
    user_id: str,
    metric: Metric,
    *,
    start: int = EARLIEST,
    end: int = LATEST,
    cursor: str | None,
    limit: int,
) -> SamplePage:
    """Samples that start in [start, end), at most `limit` of them, from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
    """
    after: Place | None = from_cursor(cursor, Place) if cursor else None
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    low = max(start, after[0]) if after else start
    spans = [
        span
        for span in store.spans(project, user_id)
        if span.metric == metric and span.last >= low and span.first < end
    ]
    known_to = low
    wanted = limit + 1
    found: Columns | None = None
    while known_to < end and spans:
        known_to = _horizon(spans, wanted, end)
        found = _window(_merged(store, project, user_id, metric, low, known_to - 1), low, known_to)
        if after:
            found = found.take(slice(_place_after(found, after), None))
        if len(found) > limit:
            break
        wanted *= 2
    if found is None:
        return SamplePage([], None)
    more = len(found) > limit
    shown = found.take(slice(0, limit))
    samples = [{"metric": metric, **row} for row in rows(shown)]
    return SamplePage(samples, to_cursor(_place(shown, len(shown) - 1)) if more else None)


def _horizon(spans: list[Span], wanted: int, end: int) -> int:
    """Before which instant about so many samples start; batches further on cannot add to them."""
    total = 0
    for i, span in enumerate(spans[:-1]):
        total += span.count
        if total >= wanted and spans[i + 1].first > spans[0].first:
            return min(spans[i + 1].first, end)
    return end


def _window(columns: Columns, low: int, high: int) -> Columns:
    first, last = np.searchsorted(columns.start, [low, high])
    return columns.take(slice(int(first), int(last)))


def _place(columns: Columns, i: int) -> Place:
    return (
        int(columns.start[i]),
        int(columns.duration[i]),
        columns.devices[int(columns.device[i])],
        int(columns.unit[i]),
    )


def _place_after(columns: Columns, place: Place) -> int:
    i = int(np.searchsorted(columns.start, place[0]))
    while i < len(columns) and _place(columns, i) <= place:
        i += 1
    return i
