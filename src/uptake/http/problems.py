"""Problems as HTTP answers: in a vendor's envelope below its paths, else RFC 9457."""

from typing import Any

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from uptake.blobs import BlobsUnavailable
from uptake.formats.base import JSON, Format, WireRequest
from uptake.formats.registry import FORMATS
from uptake.http.address import public_url
from uptake.http.ingest import Answer, AnyRequest
from uptake.http.limits import ClientGone
from uptake.model import clock
from uptake.model.cancellation import Cancelled
from uptake.model.problems import Kinds, Problem
from uptake.reading import BadCursor, Unknown
from uptake.reading.bounds import TooMuch
from uptake.reading.segments.answers import TakesLonger, TooLarge
from uptake.store.base import StoreUnavailable

_TAKEN_ENCODINGS = [(b"accept-encoding", b"gzip")]
"""In an answer, what the next request may be encoded with (RFC 9110, 12.5.3). `deflate` is accepted
too, but clients disagree on what it is."""

DUPLICATES_HEADER = "X-Uptake-Duplicates"
"""In the answer to an upload, how many of its items changed nothing: they were stored already."""

_DUPLICATES = DUPLICATES_HEADER.lower().encode()

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


class UploadResponse(ASGIResponse):
    """The HTTP answer to an upload; it says that uploads may come compressed.

    Its headers are passed to the server as they are. The framework's response compares each header
    with all before it, which takes a tenth of a small upload's time.
    """

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, answer: Answer) -> None:
        self._status = answer.reply.status
        self._body = answer.reply.body
        self._headers = [
            (b"content-type", JSON.encode()),
            (b"content-length", b"%d" % len(self._body)),
            *_TAKEN_ENCODINGS,
            (_DUPLICATES, b"%d" % answer.duplicates),
            *((name.encode(), value.encode()) for name, value in _headers(answer.problem).items()),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self._status,
            "headers": self._headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def _headers(problem: Problem | None) -> dict[str, str]:
    if problem is None:
        return {}
    headers = {}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if problem.kind is Kinds.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
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
        case TooMuch():
            found = Problem(Kinds.TOO_MUCH, str(error))
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
            return self.answer(request, error)
        if isinstance(error, ClientGone):
            return self.answer(request, Problem(Kinds.BAD_REQUEST, "The client disconnected"))
        if isinstance(error, HTTPException) and error.status_code < 500:
            kind = _HTTP_KINDS.get(error.status_code, Kinds.BAD_REQUEST)
            return self.answer(request, Problem(kind, _reasons(error)))
        _log.error(
            "request failed", request_id=request.scope["state"]["request_id"], exc_info=error
        )
        return self.answer(request, Problem(Kinds.INTERNAL))

    def answer(self, request: AnyRequest, problem: Problem) -> Response[bytes]:
        """A problem in the envelope of its path."""
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
        reply = form.reject(problem, WireRequest(request_id, clock.now(), url, ""))
        return Response(
            reply.body, status_code=reply.status, media_type=JSON, headers=_headers(problem)
        )


_HTTP_KINDS = {404: Kinds.NOT_FOUND, 405: Kinds.METHOD_NOT_ALLOWED}


def _reasons(error: HTTPException) -> str:
    """What Litestar says of the parameters that it could not convert."""
    extra = getattr(error, "extra", None)
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        return "; ".join(f"{item.get('key', '')}: {item.get('message', '')}" for item in extra)
    # Of a parameter that is missing it repeats the address, with the query.
    return error.detail.partition(" for path ")[0]
