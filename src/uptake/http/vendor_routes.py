"""The route of a vendor's operation: its path, the request as its format sees it, its response."""

import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import unquote

from litestar.types import HTTPScope, Receive

from uptake.formats.base import JSON, Operation, WireReply, WireRequest
from uptake.http.access import header_map
from uptake.http.problems import problem_headers
from uptake.http.semantics import Reply, VendorRoute, base_url
from uptake.model import clock
from uptake.model.problems import Problem

_MEDIA = b"content-type", JSON.encode()


def vendor_route(
    operation: Operation,
    public_url: str,
    take: Callable[[HTTPScope, Receive, WireRequest], Awaitable[Reply]],
) -> VendorRoute:
    """The route of an operation.

    Args:
        operation: of a format.
        public_url: the configured base URL of the server, or "".
        take: returns the response to a request; the body is still to be read.
    """
    names = re.findall(r"{([^}]*)}", operation.path)

    def serve(scope: HTTPScope, receive: Receive, parameters: Sequence[str]) -> Awaitable[Reply]:
        headers = header_map(scope["headers"])
        address = base_url(public_url, scope, headers)
        wire = WireRequest(
            request_id=scope["state"]["request_id"],
            received_at=clock.now(),
            url=address + scope["path"],
            public_url=address,
            path=dict(zip(names, map(unquote, parameters), strict=True)),
            headers=headers,
        )
        return take(scope, receive, wire)

    # Litestar's spelling of parameters, which metrics and log lines have had from the start.
    path = re.sub(r"{[^}]*}", lambda part: part[0].replace("-", "_"), operation.path)
    return VendorRoute(operation.method, path, serve)


def response(
    reply: WireReply, problem: Problem | None = None, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Reply:
    """The response with a format's answer.

    Args:
        reply: the answer.
        problem: that the answer is about.
        headers: more of the response.
    """
    sent = [_MEDIA, (b"content-length", b"%d" % len(reply.body)), *headers]
    if problem is not None:
        sent += [(name.encode(), text.encode()) for name, text in problem_headers(problem)]
    return Reply(reply.status, sent, reply.body)
