"""The port that lists requests; see `store.base`."""

from collections.abc import Sequence
from typing import Protocol

from uptake.store.requests import RequestFilter, RequestPosition, Requests


class RequestQueries(Protocol):
    """Lists requests by their receipts."""

    def requests(
        self, projects: Sequence[str], only: RequestFilter, before: RequestPosition, limit: int
    ) -> Requests:
        """Return requests with a position below `before`, the newest first.

        A call ends early when it has read many receipts that the filter does not match.
        """
