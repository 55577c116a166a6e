"""Numbers of requests and items by endpoint and API key in an interval, and their speed."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from uptake.model import clock
from uptake.store.request_count_ports import NO_MS, CountedRequests, RequestCounts
from uptake.store.requests import Outcome

PARTS = 60
"""Parts of the interval in which requests are counted, for a chart."""

MAX_KEYS = 1000
"""API keys that are returned, those with most requests."""


class RequestCount(Struct, frozen=True):
    """The requests of an endpoint or of an API key.

    Attributes:
        name: of the endpoint, or id of the API key; empty without a known key.
        requests: number of requests.
        errors: how many of them were rejected before an item was validated, such as 401 and 429.
        accepted, rejected: numbers of items.
        p50_ms, p99_ms: median and 99th percentile of the milliseconds from the arrival of a request
            to the begin of the transaction that stored it; null if no request has any.
    """

    name: str
    requests: int
    errors: int
    accepted: int
    rejected: int
    p50_ms: float | None
    p99_ms: float | None


class RequestCountView(Struct, frozen=True):
    """Numbers of requests in an interval.

    Attributes:
        since, until: the interval; `since` is later than it was requested if there are more
            requests than are counted at once.
        complete: whether it is the requested interval.
        formats: by endpoint, those with most requests first.
        keys: by API key, those with most requests first.
        parts: numbers of requests in each of 60 equal parts of the requested interval.
        rejected_parts: numbers of rejected items in the same.
    """

    since: str
    until: str
    complete: bool
    formats: list[RequestCount]
    keys: list[RequestCount]
    parts: list[int]
    rejected_parts: list[int]


def counts(
    store: RequestCounts, projects: Sequence[str], since: int, until: int
) -> RequestCountView:
    """Count the requests of projects that were received in an interval."""
    found, begin = store.counted_requests(projects, since, until)
    bounds = np.linspace(since, until, PARTS + 1)
    parts, _ = np.histogram(found.moments, bounds)
    rejected, _ = np.histogram(found.moments, bounds, weights=found.rejected)
    return RequestCountView(
        clock.iso(begin),
        clock.iso(until),
        begin == since,
        _grouped(found, [kind[0] for kind in found.table]),
        _grouped(found, [kind[1] for kind in found.table])[:MAX_KEYS],
        parts.tolist(),
        rejected.astype(np.int64).tolist(),
    )


def _grouped(found: CountedRequests, names: Sequence[str]) -> list[RequestCount]:
    """The counts of requests by the name of their kind."""
    numbers: Mapping[str, int] = {name: at for at, name in enumerate(dict.fromkeys(names))}
    groups = np.array([numbers[name] for name in names], np.int64)[found.kinds]
    is_error = np.array([kind[2] is Outcome.ERROR for kind in found.table], bool)[found.kinds]
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups, minlength=len(numbers)))
    made = []
    for name, own in zip(numbers, np.split(order, ends[:-1]), strict=bool(numbers)):
        ms = found.ms[own]
        ms = ms[ms != NO_MS]
        p50, p99 = np.percentile(ms, (50, 99)).tolist() if len(ms) else (None, None)
        made.append(
            RequestCount(
                name,
                len(own),
                int(is_error[own].sum()),
                int(found.accepted[own].sum()),
                int(found.rejected[own].sum()),
                p50,
                p99,
            )
        )
    return sorted(made, key=lambda one: (-one.requests, one.name))
