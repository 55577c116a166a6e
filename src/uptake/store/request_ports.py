"""The port that lists requests; see `store.base`."""

from collections.abc import Sequence
from typing import Protocol

from uptake.store.requests import NewRequests, RequestFilter, RequestPosition, Requests


class RequestQueries(Protocol):
    """Lists requests by their receipts."""

    def requests(
        self, projects: Sequence[str], only: RequestFilter, before: RequestPosition, limit: int
    ) -> Requests:
        """Return requests with a position below `before`, the newest first.

        A call ends early when it has read many receipts that the filter does not match.
        """

    def request_commits(self) -> dict[int, int]:
        """Return the commits so far (`store.commit_sequence`): new requests come after them."""

    def projects_with_requests(self, since: dict[int, int]) -> list[str]:
        """Return the projects with requests that were stored after `since`, sorted."""

    def new_requests(
        self,
        projects: Sequence[str] | None,
        only: RequestFilter,
        since: dict[int, int],
        until: dict[int, int] | None,
        limit: int,
    ) -> NewRequests:
        """Return requests that were stored after `since`, at most the newest `limit`.

        Each request is in exactly one of the results of consecutive intervals, whichever process
        stores it and whenever it is folded.

        Args:
            projects: None for all.
            only: which requests.
            since: an earlier result of `request_commits`, or a `position`.
            until: the same, later; None for now.
            limit: see above.
        """
