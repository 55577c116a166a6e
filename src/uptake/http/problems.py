"""Problems as HTTP answers: in a vendor's envelope below its paths, else RFC 9457."""

from typing import Any

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.response.base import ASGIResponse

from uptake.blobs import BlobsUnavailable
from uptake.formats import FORMATS
from uptake.formats.base import JSON, Format, WireReply, WireRequest
from uptake.http.address import public_url
from uptake.http.ingest import AnyRequest
from uptake.http.limits import ClientGone
from uptake.model import clock
from uptake.model.cancellation import Cancelled
from uptake.model.problems import Kinds, Problem
from uptake.reading import BadCursor, Unknown
from uptake.reading.segments.answers import TakesLonger, TooLarge
from uptake.store.base import StoreUnavailable

TAKEN_ENCODINGS = {"Accept-Encoding": "gzip"}
"""In an answer, what the next request may be encoded with (RFC 9110, 12.5.3)."""

PROBLEM_JSON = "application/problem+json"
_log = structlog.get_logger()


class ErrorAt(msgspec.Struct, frozen=True):
    """One thing that is wrong with a body; `pointer` is a JSON Pointer (RFC 6901) to it."""

    pointer: str
    code: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True):
    """An error of the product's own API (RFC 9457); `errors` where several can be told apart."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[ErrorAt] | msgspec.UnsetType = msgspec.UNSET


def format_of(path: str) -> Format | None:
    """The format below whose prefix a path lies; of several, the one with the longest."""
    claims = [
        (len(prefix), form)
        for form in FORMATS
        for prefix in form.prefixes
        if path == prefix or path.startswith(prefix + "/")
    ]
    return max(claims, key=lambda claim: claim[0])[1] if claims else None


def details(problem: Problem, request_id: str) -> ProblemDetails:
    """A problem in the product's own form."""
    kind = problem.kind.value
    errors = [ErrorAt(f.pointer, f.code, f.message) for f in problem.faults]
    return ProblemDetails(
        f"urn:uptake:problem:{kind.code}",
        kind.title,
        kind.status,
        problem.detail,
        request_id,
        errors or msgspec.UNSET,
    )


def respond(reply: WireReply, problem: Problem | None) -> ASGIResponse:
    """An HTTP answer of a vendor's wire; it says that uploads may come compressed."""
    return ASGIResponse(
        body=reply.body,
        status_code=reply.status,
        media_type=JSON,
        headers={**TAKEN_ENCODINGS, **_headers(problem)},
    )


def _headers(problem: Problem | None) -> dict[str, str]:
    if problem is None:
        return {}
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.kind is Kinds.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem_of(error: BaseException, cursor: str = "cursor") -> Problem | None:
    """What a question to the kept data fails with, as a problem; None of what is none.

    Args:
        error: what was raised.
        cursor: the name under which the question was given its cursor.
    """
    found = None
    match error:
        case Unknown():
            found = Problem(Kinds.NOT_FOUND)
        case BadCursor():
            found = Problem(Kinds.BAD_REQUEST, f"{cursor}: {error}")
        case TakesLonger():
            found = Problem(Kinds.UNFINISHED, f"{error}; ask again to go on")
        case TooLarge():
            found = Problem(Kinds.TOO_MANY_USERS)
        case StoreUnavailable() | BlobsUnavailable():
            found = Problem(Kinds.UNAVAILABLE)
        case Cancelled():
            found = Problem(Kinds.TOO_MUCH, "The answer took too long to work out: ask for less")
    return found


class Handler:
    """Answers every exception that reaches the edge.

    Args:
        configured_url: the address under which the server is reached from outside, if it is set.
    """

    def __init__(self, configured_url: str) -> None:
        self._configured_url = configured_url

    def __call__(self, request: AnyRequest, error: Exception) -> Response[Any]:
        """The answer to a request that failed with this error."""
        if isinstance(error, Problem):
            return self._respond(request, error)
        if isinstance(error, NotFoundException):
            return self._respond(request, Problem(Kinds.NOT_FOUND))
        if isinstance(error, MethodNotAllowedException):
            response = self._respond(request, Problem(Kinds.METHOD_NOT_ALLOWED))
            response.headers.update(error.headers or {})
            return response
        if isinstance(error, HTTPException) and error.status_code < 500:
            return self._respond(request, Problem(Kinds.BAD_REQUEST, _told(error)))
        if isinstance(error, ClientGone):
            return self._respond(request, Problem(Kinds.BAD_REQUEST, "The client has gone"))
        _log.error(
            "request failed", request_id=request.scope["state"]["request_id"], exc_info=error
        )
        return self._respond(request, Problem(Kinds.INTERNAL))

    def _respond(self, request: AnyRequest, problem: Problem) -> Response[bytes]:
        """A problem in the envelope that its path asks for."""
        request_id = request.scope["state"]["request_id"]
        form = format_of(request.scope["path"])
        if form is None:
            body = msgspec.json.encode(details(problem, request_id))
            return Response(
                body,
                status_code=problem.status,
                media_type=PROBLEM_JSON,
                headers=_headers(problem),
            )
        url = public_url(request, self._configured_url) + request.scope["path"]
        reply = form.refuse(problem, WireRequest(request_id, clock.now(), url, ""))
        return Response(
            reply.body, status_code=reply.status, media_type=JSON, headers=_headers(problem)
        )


def _told(error: HTTPException) -> str:
    extra = getattr(error, "extra", None)
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        return "; ".join(f"{item.get('key', '')}: {item.get('message', '')}" for item in extra)
    return error.detail
