"""New requests as server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncIterator
from functools import partial
from time import monotonic
from typing import Annotated

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Schema
from litestar.response.base import ASGIResponse

from uptake.http.access import header_map
from uptake.http.api.dependencies import OPERATE, ApiOperation, Call, Text, operation, query
from uptake.http.api.projects import permitted_project
from uptake.http.api.requests import ALL_PROJECTS, RequestParameters
from uptake.http.problems import raising_problems
from uptake.http.request_feed import Batch, Listener, Projects, RequestFeed
from uptake.http.semantics import is_head
from uptake.http.shutdown import GracefulShutdown
from uptake.http.streaming import Stream, StreamedResponse
from uptake.intake.keys import OPERATOR
from uptake.model.problems import Kinds
from uptake.reading.requests import commits_of, cursor_of

EVENTS = "text/event-stream"

HEARTBEAT_SECONDS = 5.0
"""Between two messages of a quiet stream. Proxies close connections without data after 30 to 60
seconds, and a client that is gone is noticed when it is sent something."""

STREAM_SECONDS = 60.0
"""A stream ends after this time, and its client continues it with another request: so the streams
of a key that was revoked end."""

RETRY = b"retry: 500\n\n"
"""Clients connect again after half a second, so that a request is still seen within two."""

DESCRIBED = OpenAPIResponse(
    description=(
        "Events `requests`. The data has `requests`, as the list has them, the oldest first, and"
        " `truncated`: whether there were more"
    ),
    content={EVENTS: OpenAPIMediaType(schema=Schema())},
)


def stream_operations(shutdown: GracefulShutdown, feed: RequestFeed) -> tuple[ApiOperation, ...]:
    """The operation, over a feed of requests."""
    shutdown.on_begin(feed.end)

    @operation(
        "GET",
        "/requests/stream",
        OPERATE,
        "Stream new requests",
        problems=(Kinds.OVERLOADED,),
        response=DESCRIBED,
    )
    async def stream_requests(
        call: Call,
        filters: RequestParameters,
        *,
        project: Annotated[Text, query(ALL_PROJECTS)] = None,
        last_event_id: Annotated[
            Text, query("Continue after this event; as the header `Last-Event-ID`")
        ] = None,
    ) -> ASGIResponse:
        """Server-sent events; `Last-Event-ID` continues a stream. Scope `admin` or `operator`.

        A client that does not send `Accept: text/event-stream` gets the events so far.
        """
        only = filters.filter()
        projects: Projects = None
        if project is not None or OPERATOR not in call.key.scopes:
            work = partial(raising_problems, permitted_project, call, project)
            projects = (await call.executors.reads.run(work),)
        sent = header_map(call.request.scope["headers"])
        last = sent.get("last-event-id") or last_event_id
        since = raising_problems(lambda: commits_of(last)) if last else None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if is_head(call.request.scope):
            return ASGIResponse(headers=headers, media_type=EVENTS, is_head_response=True)
        shutdown.check()
        listener = Listener(projects, only, since)
        feed.join(call.store, listener)

        async def close() -> None:
            feed.leave(listener)

        events = _events(listener, follow=EVENTS in sent.get("accept", ""))
        return StreamedResponse(Stream(events, close=close), headers, EVENTS)

    return (stream_requests,)


async def _events(listener: Listener, *, follow: bool) -> AsyncIterator[bytes]:
    """Events as they come, and comments while there are none; the first if no more are wanted."""
    yield RETRY
    end = monotonic() + (STREAM_SECONDS if follow else 0.0)
    while True:
        batch = await listener.take(HEARTBEAT_SECONDS)
        if batch is not None:
            yield _event(batch)
        elif listener.position is None:
            yield b":\n\n"
        else:
            # An event without data is not dispatched; clients remember its id.
            yield b":\nid: %b\n\n" % cursor_of(listener.position).encode()
        if listener.ended or monotonic() >= end:
            return


def _event(batch: Batch) -> bytes:
    """A batch is one event: a client has all of it or none, so none of it is sent again."""
    data = b'{"requests":[%b],"truncated":%b}' % (
        b",".join(batch.requests),
        b"true" if batch.truncated else b"false",
    )
    position = cursor_of(batch.position).encode()
    return b"event: requests\ndata: %b\nid: %b\n\n" % (data, position)
