"""The closed table of reasons for which a whole request is turned away.

A problem says nothing about the items of a request: those have faults (see `submission`).
The edge translates a problem once, into the envelope of the format that was spoken to.
"""

from dataclasses import dataclass
from enum import Enum

from uptake.model.submission import Fault, bounded, cut

MAX_PROBLEM_FAULTS = 100
"""Faults listed with a problem; the next ones show when these are fixed."""

MAX_DETAIL = 1000
"""Characters of a problem's detail, which may repeat a part of the request."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: a stable code, its HTTP status, a title, and whether to try again."""

    code: str
    status: int
    title: str
    retryable: bool = False


class Kinds(Enum):
    """Every kind of problem there is."""

    BAD_REQUEST = Kind("bad_request", 400, "The request cannot be understood")
    UNAUTHORIZED = Kind("unauthorized", 401, "The key is missing, unknown, revoked or expired")
    FORBIDDEN = Kind("forbidden", 403, "The key does not permit this")
    ERASED = Kind("erased", 403, "This user was erased, and is kept out until let in again")
    NOT_FOUND = Kind("not_found", 404, "There is nothing here")
    METHOD_NOT_ALLOWED = Kind("method_not_allowed", 405, "This method is not offered here")
    TIMEOUT = Kind("request_timeout", 408, "The body did not arrive in time", retryable=True)
    TOO_LARGE = Kind("too_large", 413, "The body is too large")
    UNSUPPORTED_ENCODING = Kind("unsupported_encoding", 415, "This Content-Encoding is not spoken")
    INVALID_FILTER = Kind("invalid_filter", 422, "The filter is not one")
    INVALID_SCHEMA = Kind("invalid_schema", 422, "The schema is not one")
    TOO_MUCH = Kind("too_much", 422, "The answer is over a limit of the server; ask for less")
    RATE_LIMITED = Kind("rate_limited", 429, "Too many requests for this key", retryable=True)
    INTERNAL = Kind("internal", 500, "Uptake itself has failed; the request id names the log line")
    OVERLOADED = Kind("overloaded", 503, "Too much work is waiting", retryable=True)
    UNAVAILABLE = Kind("unavailable", 503, "Storage cannot be reached or written", retryable=True)
    UNFINISHED = Kind("unfinished", 503, "It takes longer; what was done is kept", retryable=True)
    TOO_MANY_USERS = Kind("too_many_users", 507, "The users do not fit into memory")


class Problem(Exception):
    """A request turned away as a whole.

    Attributes:
        kind: the row of the table.
        detail: one sentence for the person who sent the request; carries nothing secret.
        retry_after: seconds after which to try again, for the retryable kinds.
        faults: what in particular is wrong, each with its place in the body.
    """

    def __init__(
        self,
        kind: Kinds,
        detail: str = "",
        retry_after: int | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(detail or kind.value.title)
        self.kind = kind
        self.faults = bounded(faults, MAX_PROBLEM_FAULTS)
        self.detail = cut(detail, MAX_DETAIL) or kind.value.title
        self.retry_after = (retry_after or DEFAULT_RETRY_AFTER) if kind.value.retryable else None

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.kind.value.status

    @property
    def code(self) -> str:
        """The stable code of the kind."""
        return self.kind.value.code


DEFAULT_RETRY_AFTER = 1
"""Seconds a client is asked to wait when nothing better is known: a group commits in far less."""


def json_reason(error: BaseException) -> str:
    """Why JSON cannot be read, in words for its sender: never the text of a Python exception."""
    match error:
        case RecursionError():
            return "nested too deep"
        case UnicodeDecodeError():
            return f"not UTF-8 (byte {error.start})"
    return str(error)
