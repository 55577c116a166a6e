"""The port that reads what is counted of many requests; see `store.base`."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from uptake.store.requests import Outcome

Numbers = NDArray[np.int64]

NO_MS = -1
"""Milliseconds of a request of an earlier version, which are not known."""


class CountedRequests(Struct, frozen=True):
    """Requests in columns, without their ids and users.

    Attributes:
        table: format, key and outcome of requests.
        kinds: by request, the index into `table`.
        moments: when each was received.
        accepted, rejected: numbers of items.
        ms: see `Entry`; `NO_MS` if not known.
    """

    table: list[tuple[str, str, Outcome]]
    kinds: Numbers
    moments: Numbers
    accepted: Numbers
    rejected: Numbers
    ms: Numbers

    def where(self, chosen: Any) -> "CountedRequests":
        """Return the requests that a mask chooses."""
        columns = self.kinds, self.moments, self.accepted, self.rejected, self.ms
        return CountedRequests(self.table, *(column[chosen] for column in columns))


def joined(parts: Sequence[CountedRequests]) -> CountedRequests:
    """Return the requests of all parts, with one table."""
    numbers: dict[tuple[str, str, Outcome], int] = {}
    kinds = []
    for part in parts:
        places = [numbers.setdefault(kind, len(numbers)) for kind in part.table]
        kinds.append(np.array(places, np.int64)[part.kinds])
    columns = [
        [getattr(part, name) for part in parts]
        for name in ("moments", "accepted", "rejected", "ms")
    ]
    return CountedRequests(
        list(numbers), *(np.concatenate([*one, np.empty(0, np.int64)]) for one in (kinds, *columns))
    )


class RequestCounts(Protocol):
    """Reads what is counted of many requests."""

    def counted_requests(
        self, projects: Sequence[str], since: int, until: int
    ) -> tuple[CountedRequests, int]:
        """Return the requests of projects that were received in an interval.

        Returns:
            The requests, and since when they are all there are: later than `since` if there are too
            many to read at once. The next call reads more.
        """
