"""Requests as they are listed: what a receipt has, without what became of each item."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from uptake.store.stored import StoredReceipt


class Outcome(IntEnum):
    """What became of the items of a request."""

    ACCEPTED = 0
    PARTIAL = 1
    REJECTED = 2
    ERASED = 3
    """None was stored: their users were erased."""
    ERROR = 4
    """None was validated."""


class RequestPosition(NamedTuple):
    """The place of a request in a list; the newest has the greatest."""

    received_at: int
    request_id: str
    place: int


NEWEST = RequestPosition((1 << 62), "", 0)
"""A position above all others."""


class StoredRequest(Struct, frozen=True, gc=False):
    """A request.

    Attributes:
        project, request_id, received_at, place, format, key_id: of the request.
        user_id: the user it is about if that is one user; else "".
        accepted: number of items.
        rejected: number of items; None in receipts of an earlier version.
        status: of an error before any item was validated; else 0.
        fault: code of the error, or of the first fault of the first rejected item.
        ms: see `Entry`.
        mark: of the transaction that stored it; 0 if an earlier version did, and in lists of one
            user.
    """

    project: str
    request_id: str
    received_at: int
    place: int
    format: str
    key_id: str
    user_id: str
    outcome: Outcome
    accepted: int
    rejected: int | None
    status: int
    fault: str | None
    ms: int | None
    mark: int = 0

    @property
    def position(self) -> RequestPosition:
        """Its place in the list."""
        return RequestPosition(self.received_at, self.request_id, self.place)


class StatusFilter(Struct, frozen=True):
    """Selects requests by the status of their answer.

    Attributes:
        status: of HTTP.
        formats: by outcome, the formats of which the answer has this status.
        erased: whether it is the status for users who were erased.
    """

    status: int
    formats: Mapping[Outcome, frozenset[str]]
    erased: bool


class RequestFilter(Struct, frozen=True):
    """Selects requests; None matches any.

    Attributes:
        format, key_id, user_id: equal to.
        status: of the answer.
        since, until: received in this interval, `until` excluded.
    """

    format: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    status: StatusFilter | None = None
    since: int | None = None
    until: int | None = None

    def matches(self, one: StoredRequest) -> bool:
        """Whether a request is selected."""
        return (
            self.format in {None, one.format}
            and self.key_id in {None, one.key_id}
            and self.user_id in {None, one.user_id}
            and (self.since is None or one.received_at >= self.since)
            and (self.until is None or one.received_at < self.until)
            and (
                self.status is None or has_status(self.status, one.outcome, one.status, one.format)
            )
        )


ALL_REQUESTS = RequestFilter()


def has_status(wanted: StatusFilter, outcome: Outcome, status: int, format_name: str) -> bool:
    """Whether the answer to a request has a status."""
    if outcome is Outcome.ERROR:
        return status == wanted.status
    if outcome is Outcome.ERASED:
        return wanted.erased
    return format_name in wanted.formats.get(outcome, ())


class Requests(Struct, frozen=True):
    """Requests, the newest first, and the position before which there may be more."""

    requests: list[StoredRequest]
    next: RequestPosition | None


class NewRequests(Struct, frozen=True):
    """Requests that were stored after one position of the commit sequence, up to another.

    Attributes:
        requests: in order of their places in a list, the oldest first.
        position: up to which they were read.
        truncated: whether these are only the newest.
    """

    requests: list[StoredRequest]
    position: dict[int, int]
    truncated: bool = False


def request_of(project: str, place: int, receipt: StoredReceipt, mark: int = 0) -> StoredRequest:
    """Return the request of a receipt."""
    accepted = sum(item.count for item in receipt.items if item.kind != "erased")
    if receipt.status:
        outcome = Outcome.ERROR
    elif not accepted and receipt.items:
        outcome = Outcome.ERASED
    elif receipt.rejected is None:
        outcome = Outcome.ACCEPTED
    else:
        outcome = Outcome.PARTIAL if accepted else Outcome.REJECTED
    return StoredRequest(
        project,
        receipt.request_id,
        receipt.received_at,
        place,
        receipt.format,
        receipt.key_id,
        receipt.user_id,
        outcome,
        accepted,
        receipt.rejected_items if receipt.rejected else 0,
        receipt.status,
        receipt.code or receipt.fault,
        receipt.ms,
        mark=mark,
    )
