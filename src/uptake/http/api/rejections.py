"""Rejected items, receipts of requests, and replay."""

from dataclasses import dataclass
from typing import Annotated

from litestar.openapi.spec import Schema

from uptake.formats.base import JSON_LIMIT, WireRequest
from uptake.formats.registry import UploadName, status_of
from uptake.http.access import About, Permission, permit_users, user_in_query
from uptake.http.api.dependencies import (
    READ_RECORD,
    Body,
    Call,
    PageParameters,
    Text,
    check_id,
    operation,
    query,
)
from uptake.http.api.time_parameters import TIME, instant
from uptake.http.semantics import base_url
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.reading import Unknown, rejection_groups, rejections
from uptake.replay import Actor, Replayed, Replays, replay, replay_page
from uptake.store.stored import RejectionFilter
from uptake.time_units import TICKS_PER_MICROSECOND

LIST = Permission("data:read", About.USER_IN_QUERY)
REPLAY = Permission("admin", About.OWNER)
REPLAY_LIST = Permission("admin", About.USER_IN_QUERY)

ADMIN = "admin"
"""The scope that reads, in the default project, the receipts of requests without a known key."""

_UNAUTHORIZED = Kinds.UNAUTHORIZED.value.code

REPLAY_LIMIT = 100
"""Maximum and default number of rejections that one request replays."""

DryRun = Annotated[bool, query("Whether to return the outcome without storing anything")]

ITEM = Body(JSON_LIMIT, Schema(description="The corrected item"), required=False)


@dataclass(frozen=True, slots=True)
class Filters:
    """Parameters that select rejections."""

    format: Annotated[UploadName | None, query("Name of the endpoint")] = None
    code: Annotated[Text, query("Code of an error, e.g. `above_limit`")] = None
    key_id: Annotated[Text, query("Id of the API key", name="key")] = None
    user_id: Annotated[Text, query("User id", name="user")] = None
    request_id: Annotated[Text, query("Id of the request", name="request")] = None
    since: Annotated[Text, query(f"Received at or after. {TIME}", name="from")] = None
    to: Annotated[Text, query(f"Received before. {TIME}")] = None

    def filter(self, call: Call, *, resolved: bool | None) -> RejectionFilter:
        """The filter; for a key that is bound to a user, only of that user.

        Raises:
            Problem: `BAD_REQUEST` or `FORBIDDEN`.
        """
        user_id = user_in_query(call.key, self.user_id)
        for text in (self.code, self.key_id, user_id, self.request_id):
            if text is not None and "\0" in text:
                raise Problem(Kinds.BAD_REQUEST, "A filter must not contain a NUL character")
        return RejectionFilter(
            self.format,
            self.key_id,
            user_id,
            self.request_id,
            self.code,
            _microseconds("from", self.since),
            _microseconds("to", self.to),
            resolved,
        )


@dataclass(frozen=True, slots=True)
class ReplayPage(PageParameters):
    """Parameters of replays."""

    limit: Annotated[int, query("Maximum rejections to replay", ge=1, le=REPLAY_LIMIT)] = (
        REPLAY_LIMIT
    )


def _microseconds(name: str, text: str | None) -> int | None:
    # An empty time is 1970, not an absent filter: it must not select everything.
    return None if text is None else (instant(name, text) or 0) // TICKS_PER_MICROSECOND


@operation("GET", "/rejections", LIST, "List rejections")
def list_rejections(
    call: Call,
    filters: Filters,
    page: PageParameters,
    *,
    resolved: Annotated[bool | None, query("Whether it was replayed")] = None,
) -> rejections.RejectionPage:
    """Ordered by time of receipt. A key that is bound to a user sees that user's rejections."""
    only = filters.filter(call, resolved=resolved)
    return rejections.page(call.store, call.project, only, page)


@operation("GET", "/rejections/groups", LIST, "Count rejections by fault", slow=True)
def group_rejections(
    call: Call,
    filters: Filters,
    *,
    resolved: Annotated[bool | None, query("Whether it was replayed")] = None,
) -> rejection_groups.RejectionGroups:
    """Returns groups with the same endpoint, code and place, of the latest rejections."""
    only = filters.filter(call, resolved=resolved)
    return rejection_groups.groups(call.store, call.project, only)


@operation("GET", "/rejections/{rejection_id:str}", READ_RECORD, "Get a rejection")
def get_rejection(call: Call, rejection_id: str) -> rejections.RawRejection:
    """Returns all reasons, and the item as it was sent."""
    key, blobs = call.key, call.services.blobs
    check_id("rejection", rejection_id)
    found = rejections.rejection(call.store, blobs, key.project, rejection_id, key.user)
    permit_users(key, found.user_ids or [None])
    return found


@operation("GET", "/requests/{request_id:str}", READ_RECORD, "Get the receipts of a request")
def get_request(call: Call, request_id: str) -> rejections.Receipts:
    """Returns the outcome of every item, by the `X-Request-Id` of the response."""
    key = call.key
    check_id("request", request_id)
    found = rejections.receipts(call.store, key.project, request_id, status_of)
    permit_users(key, [outcomes.user_id for outcomes in found.submissions])
    # Without a known key, the project that the sender meant is unknown.
    stray = any(one.code == _UNAUTHORIZED and not one.key_id for one in found.submissions)
    if stray and ADMIN not in key.scopes:
        raise Unknown("request", request_id)
    return found


@operation(
    "POST",
    "/rejections/{rejection_id:str}/replay",
    REPLAY,
    "Replay a rejection",
    slow=True,
    changes=True,
    body=ITEM,
)
def replay_rejection(call: Call, rejection_id: str, *, dry_run: DryRun = False) -> Replayed:
    """Validates the item again, as it was sent. A body replaces the item."""
    rejection_id = check_id("rejection", rejection_id)
    return replay(call.services, _actor(call), rejection_id, _wire(call), dry_run=dry_run)


@operation("POST", "/rejections/replay", REPLAY_LIST, "Replay rejections", slow=True, changes=True)
def replay_rejections(
    call: Call, filters: Filters, page: ReplayPage, *, dry_run: DryRun = False
) -> Replays:
    """Replays a page of unresolved rejections. Repeat with `next` as cursor until it is null."""
    only, actor = filters.filter(call, resolved=False), _actor(call)
    return replay_page(call.services, actor, _wire(call), only, page, dry_run=dry_run)


def _actor(call: Call) -> Actor:
    return Actor(call.project, call.key.id, call.key.user)


def _wire(call: Call) -> WireRequest:
    address = base_url(call.services.public_url, call.request.scope, call.request.headers)
    url = address + call.request.scope["path"]
    return WireRequest(call.request_id, clock.now(), url, address, body=call.content)
