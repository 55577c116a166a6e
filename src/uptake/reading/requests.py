"""Requests: when each was received, from which key, and what became of its items."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from uptake.model import clock
from uptake.model.problems import Kinds
from uptake.reading import Number, Page, RequestId, from_cursor, to_cursor
from uptake.store.commit_sequence import NUMBER_BITS, WRITER_SLOTS
from uptake.store.request_ports import RequestQueries
from uptake.store.requests import (
    NEWEST,
    Outcome,
    RequestFilter,
    RequestPosition,
    StatusFilter,
    StoredRequest,
)

_Position = tuple[Number, RequestId, Number]
"""See `RequestPosition`."""

_Commits = dict[
    Annotated[int, Meta(ge=0, lt=WRITER_SLOTS)], Annotated[int, Meta(ge=0, lt=1 << NUMBER_BITS)]
]
"""A position in the sequence of commits; see `NewRequests`."""

StatusOf = Callable[[str, int, int], int]
"""Returns the HTTP status of an endpoint for these numbers of accepted and rejected items."""

_ITEMS = {Outcome.ACCEPTED: (1, 0), Outcome.PARTIAL: (1, 1), Outcome.REJECTED: (0, 1)}
"""Numbers of accepted and rejected items with each outcome."""


class RequestView(Struct, frozen=True):
    """A request to an upload endpoint. It has neither its body nor a secret.

    Attributes:
        request_id: as in `X-Request-Id`.
        project: of its API key; the default project without a valid key.
        format: name of the endpoint.
        status: of the answer.
        key_id: of its API key, valid or not; None without a known key.
        user_id: the user it is about if that is one user.
        accepted: number of items.
        rejected: number of items; None for requests of an earlier version.
        ms: milliseconds from its arrival to the begin of the transaction that stored it.
        fault: code of its first fault.
    """

    request_id: str
    received_at: str
    project: str
    format: str
    status: int
    key_id: str | None
    user_id: str | None
    accepted: int
    rejected: int | None
    ms: int | None
    fault: str | None


class RequestPage(Struct, frozen=True):
    """Requests, the newest first. A page may be short although `next` is not null."""

    requests: list[RequestView]
    next: str | None


def status_filter(status: int, formats: Collection[str], status_of: StatusOf) -> StatusFilter:
    """Return the filter of the requests that were answered with a status.

    Args:
        status: of HTTP.
        formats: names of all endpoints.
        status_of: see `StatusOf`.
    """
    found = {
        outcome: frozenset(name for name in formats if status_of(name, *items) == status)
        for outcome, items in _ITEMS.items()
    }
    return StatusFilter(status, found, erased=status == Kinds.ERASED.value.status)


def cursor_of(commits: Mapping[int, int]) -> str:
    """Return the cursor of a position in the sequence of commits."""
    return to_cursor(dict(sorted(commits.items())))


def commits_of(cursor: str) -> dict[int, int]:
    """Return the position that a cursor contains.

    Raises:
        BadCursor: this server did not issue it.
    """
    commits: dict[int, int] = from_cursor(cursor, _Commits)
    return commits


def page(
    store: RequestQueries,
    projects: Sequence[str],
    only: RequestFilter,
    page: Page,
    status_of: StatusOf,
) -> RequestPage:
    """Return a page of the requests of projects.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    before = page.after(_Position, NEWEST)
    found = store.requests(projects, only, RequestPosition(*before), page.limit)
    following = None if found.next is None else to_cursor(tuple(found.next))
    return RequestPage([view(one, status_of) for one in found.requests], following)


def view(one: StoredRequest, status_of: StatusOf) -> RequestView:
    """Return a request as it is shown."""
    status, fault = one.status, one.fault
    if one.outcome is Outcome.ERASED:
        status, fault = Kinds.ERASED.value.status, Kinds.ERASED.value.code
    return RequestView(
        one.request_id,
        clock.iso(one.received_at),
        one.project,
        one.format,
        status or status_of(one.format, *_ITEMS[one.outcome]),
        one.key_id or None,
        one.user_id or None,
        one.accepted,
        one.rejected,
        one.ms,
        fault,
    )
