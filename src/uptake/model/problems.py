"""The closed table of problems: reasons for which a whole request fails.

Items have faults instead (see `submission`). The server translates a problem once, into the error
format of the vendor that the path belongs to.
"""

from dataclasses import dataclass
from enum import Enum

from uptake.model.submission import Fault, bounded, cut

MAX_PROBLEM_FAULTS = 100
"""Faults listed with a problem."""

MAX_DETAIL = 1000
"""Characters of a problem's detail, which may quote the request."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: a stable code, its HTTP status, a title, and whether to retry."""

    code: str
    status: int
    title: str
    retryable: bool = False


class Kinds(Enum):
    """All kinds of problems."""

    BAD_REQUEST = Kind("bad_request", 400, "Invalid request")
    UNAUTHORIZED = Kind("unauthorized", 401, "The API key is missing, unknown, revoked or expired")
    FORBIDDEN = Kind("forbidden", 403, "The API key does not permit this request")
    TOKEN_EXPIRED = Kind("token_expired", 403, "The access token has expired. Log in again.")
    ERASED = Kind("erased", 403, "This user was erased. Readmit the user before sending new data.")
    NOT_FOUND = Kind("not_found", 404, "Not found")
    METHOD_NOT_ALLOWED = Kind("method_not_allowed", 405, "Method not allowed")
    TIMEOUT = Kind("request_timeout", 408, "The body did not arrive in time", retryable=True)
    TOO_LARGE = Kind("too_large", 413, "The body is too large")
    UNSUPPORTED_ENCODING = Kind("unsupported_encoding", 415, "Unsupported Content-Encoding")
    INVALID_FILTER = Kind("invalid_filter", 422, "Invalid filter")
    INVALID_SCHEMA = Kind("invalid_schema", 422, "Invalid schema")
    TOO_MUCH = Kind("too_much", 422, "The answer exceeds a limit of the server. Request less data.")
    RATE_LIMITED = Kind("rate_limited", 429, "Too many requests for this API key", retryable=True)
    INTERNAL = Kind("internal", 500, "Internal error. Search the server log for this request id.")
    MAINTENANCE = Kind("maintenance", 503, "Maintenance: uploads are paused", retryable=True)
    OVERLOADED = Kind("overloaded", 503, "The server is overloaded", retryable=True)
    UNAVAILABLE = Kind("unavailable", 503, "Storage cannot be reached or written", retryable=True)
    UNFINISHED = Kind(
        "unfinished",
        503,
        "Timed out. Retry: the next attempt continues from here.",
        retryable=True,
    )
    TOO_MANY_USERS = Kind("too_many_users", 507, "The users do not fit into memory")


class Problem(Exception):
    """A request that fails as a whole.

    Attributes:
        kind: the row of the table.
        detail: one sentence for the sender of the request; contains no secrets.
        retry_after: seconds after which to retry, for the retryable kinds.
        faults: the faults of the body, each with its place.
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
"""Seconds a client waits unless the problem has its own time: a group commits in far less."""


MSGSPEC_TRUNCATED = "Input data was truncated"
"""The reason that msgspec gives for JSON that ends too early."""


def json_reason(error: BaseException) -> str:
    """The reason that JSON is invalid, for its sender; never the text of a Python exception."""
    match error:
        case RecursionError():
            return "nested too deep"
        case UnicodeDecodeError():
            return f"not UTF-8 (byte {error.start})"
    reason = str(error)
    return "it is not complete JSON" if reason == MSGSPEC_TRUNCATED else reason
