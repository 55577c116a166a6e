"""Problems as HTTP responses: in the vendor's envelope below its paths, else RFC 9457."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from uptake.blobs import BlobsUnavailable
from uptake.formats.base import JSON, Format, WireRequest
from uptake.formats.registry import FORMATS
from uptake.http.limits import ClientGone
from uptake.http.semantics import AnyRequest, base_url
from uptake.intake.schemas import InvalidName, InvalidSchema
from uptake.model import clock
from uptake.model.cancellation import Cancelled
from uptake.model.problems import Kinds, Problem
from uptake.reading import BadCursor, Unknown
from uptake.reading.bounds import TooMuch
from uptake.reading.segments import DeadlineExceeded, TooLarge
from uptake.reading.segments.parse import InvalidFilter
from uptake.store.base import StoreUnavailable

Result = TypeVar("Result")

PROBLEM_JSON = "application/problem+json"
_log = structlog.get_logger()


class ErrorAt(msgspec.Struct, frozen=True):
    """One error in a body; `pointer` is a JSON Pointer (RFC 6901) to its place."""

    pointer: str
    code: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True):
    """An error of the product's own API (RFC 9457); `errors` lists the errors in a body."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[ErrorAt] | msgspec.UnsetType = msgspec.UNSET


def documented(*kinds: Kinds) -> dict[int, ResponseSpec]:
    """The OpenAPI responses for these kinds of problems, by status."""
    return {
        kind.value.status: ResponseSpec(
            ProblemDetails,
            description=kind.value.title,
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for kind in kinds
    }


def format_of(path: str) -> Format | None:
    """The format with the longest prefix of a path."""
    claims = [
        (len(prefix), form)
        for form in FORMATS
        for prefix in form.prefixes
        if path == prefix or path.startswith(prefix + "/")
    ]
    return max(claims, key=lambda claim: claim[0])[1] if claims else None


def details(problem: Problem, request_id: str) -> ProblemDetails:
    """A problem in the envelope of the product's own API."""
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


def problem_headers(problem: Problem) -> list[tuple[str, str]]:
    """The headers of the response that reports a problem."""
    headers = []
    if problem.retry_after is not None:
        headers.append(("retry-after", str(problem.retry_after)))
    if problem.kind is Kinds.UNAUTHORIZED:
        headers.append(("www-authenticate", "Bearer"))
    return headers


_QUERY_PROBLEMS: dict[type[Exception], Callable[[Any], Problem]] = {
    Unknown: lambda error: Problem(
        Kinds.NOT_FOUND,
        f"This project has no {error.noun} {error.name!r}"
        + (f"; it has: {', '.join(error.known)}" if error.known else ""),
    ),
    TooLarge: lambda _: Problem(Kinds.TOO_MANY_USERS),
    StoreUnavailable: lambda _: Problem(Kinds.UNAVAILABLE),
    BlobsUnavailable: lambda _: Problem(Kinds.UNAVAILABLE),
    TooMuch: lambda error: Problem(Kinds.TOO_MUCH, str(error)),
    Cancelled: lambda _: Problem(
        Kinds.TOO_MUCH, "The query exceeded the time limit. Request less data."
    ),
    DeadlineExceeded: lambda error: Problem(Kinds.UNFINISHED, f"{error}; retry to continue"),
    InvalidFilter: lambda e: Problem(Kinds.INVALID_FILTER, str(e), faults=tuple(e.faults)),
    InvalidSchema: lambda error: Problem(Kinds.INVALID_SCHEMA, str(error)),
    InvalidName: lambda error: Problem(Kinds.BAD_REQUEST, f"name: {error}"),
}


def problem_of(error: BaseException, cursor: str = "cursor") -> Problem | None:
    """The problem for an error of a query; None for an unexpected error.

    Args:
        error: the error.
        cursor: name of the parameter that carried the cursor.
    """
    if isinstance(error, BadCursor):
        return Problem(Kinds.BAD_REQUEST, f"{cursor}: {error}")
    for kind, to_problem in _QUERY_PROBLEMS.items():
        if isinstance(error, kind):
            return to_problem(error)
    return None


def raising_problems(function: Callable[..., Result], *args: Any, **values: Any) -> Result:
    """The result of a function.

    Raises:
        Problem: for an error of a query (`problem_of`).
    """
    try:
        return function(*args, **values)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        raise problem from error


class Handler:
    """Turns every exception into a response.

    Args:
        configured_url: the configured base URL of the server, or "".
    """

    def __init__(self, configured_url: str) -> None:
        self._configured_url = configured_url

    def __call__(self, request: AnyRequest, error: Exception) -> Response[Any]:
        """The response to a request that raised this error."""
        match error:
            case Problem():
                problem = error
            case ClientGone():
                problem = Problem(Kinds.BAD_REQUEST, "The client disconnected")
            case HTTPException() if error.status_code < 500:
                kind = _HTTP_KINDS.get(error.status_code, Kinds.BAD_REQUEST)
                problem = Problem(kind, _reasons(error, choices_of(request)))
            case _:
                request_id = request.scope["state"]["request_id"]
                _log.error("request failed", request_id=request_id, exc_info=error)
                problem = Problem(Kinds.INTERNAL)
        return self.answer(request, problem)

    def answer(self, request: AnyRequest, problem: Problem) -> Response[bytes]:
        """A problem in the envelope of the request's path."""
        request_id = request.scope["state"]["request_id"]
        form = format_of(request.scope["path"])
        if form is None:
            media_type, status = PROBLEM_JSON, problem.status
            body = msgspec.json.encode(details(problem, request_id))
        else:
            url = base_url(self._configured_url, request.scope, request.headers)
            reply = form.reject(
                problem, WireRequest(request_id, clock.now(), url + request.scope["path"], "")
            )
            media_type, status, body = JSON, reply.status, reply.body
        headers = dict(problem_headers(problem))
        return Response(body, status_code=status, media_type=media_type, headers=headers)


_HTTP_KINDS = {404: Kinds.NOT_FOUND, 405: Kinds.METHOD_NOT_ALLOWED}


CHOICES = "choices"
"""The option of a route handler with the public name and the allowed values of its parameters."""

Choices = Mapping[str, tuple[str, Sequence[str]]]
"""By the name of the argument of the function."""

_NO_CHOICE = "Invalid enum value "
"""How msgspec's message begins for a value that is none of the allowed ones; the value follows."""


def choices_of(request: AnyRequest) -> Choices:
    """The public name and the allowed values of the parameters of the route."""
    handler = request.scope.get("route_handler")
    found: Choices = {} if handler is None else handler.opt.get(CHOICES, {})
    return found


def _reasons(error: HTTPException, choices: Choices) -> str:
    """Litestar's messages about parameters that it could not convert."""
    extra = getattr(error, "extra", None)
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        return "; ".join(_reason(item, choices) for item in extra)
    # For a missing parameter Litestar repeats the URL with the query.
    return error.detail.partition(" for path ")[0]


def _reason(item: Mapping[str, Any], choices: Choices) -> str:
    argument, message = str(item.get("key", "")), str(item.get("message", ""))
    name, values = choices.get(argument, (argument, ()))
    if values and message.startswith(_NO_CHOICE):
        value = message.removeprefix(_NO_CHOICE)
        return f"{name}: must be one of {', '.join(values)} (got {value})"
    return f"{name}: {message}"
