"""What operators define: keys, document types, segments and retention rules.

Moments are microseconds since the epoch.
"""

from typing import Literal

from msgspec import Struct

DEFAULT_PROJECT = "default"
"""The project that always exists."""

PROJECT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""Pattern of the names of projects, which are used in paths of blobs and URLs."""

FIRST_VERSION = 1
"""The first version of a document type."""

UNKNOWN_USER = "unknown-user"
"""Type of a retention rule for rejections without a known user."""

RetentionKind = Literal["samples", "documents", "images", "rejections", "receipts"]


class Project(Struct, frozen=True):
    """A project: its name, and when it was created."""

    name: str
    created_at: int


class Rate(Struct, frozen=True):
    """At most `requests` in each window of `seconds`."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.requests}/{self.seconds}s"


class Key(Struct, frozen=True):
    """An API key, without its secret.

    Attributes:
        id: its identity, which a rotation does not change.
        digest: `ids.key_digest` of the secret.
        project: the project that its requests belong to.
        scopes: what it permits.
        user: the only user it may act for; None for any.
        rates: its rate limits, each for windows of another length.
        created_at, expires_at, revoked_at: moments.
        name: chosen by the operator, for lists.
        last_used_at: moment of a recent use, at most a minute before the last one.
    """

    id: str
    digest: str
    project: str
    scopes: tuple[str, ...]
    created_at: int
    user: str | None = None
    rates: tuple[Rate, ...] = ()
    expires_at: int | None = None
    revoked_at: int | None = None
    name: str | None = None
    last_used_at: int | None = None

    def is_valid(self, now: int) -> bool:
        """Whether requests with this key are accepted at a moment."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class DocumentType(Struct, frozen=True):
    """A registered type of document.

    Attributes:
        name: as in the URL that documents are sent to.
        schema: the current schema, JSON text; None accepts any object.
        created_at: when it was first registered.
        version: of the schema; grows by one with each change.
    """

    name: str
    schema: str | None
    created_at: int
    version: int = FIRST_VERSION


class TypeVersion(Struct, frozen=True):
    """A current or former schema of a type, and when it was registered."""

    version: int
    schema: str | None
    created_at: int


class Segment(Struct, frozen=True):
    """A named filter over a project's users; `filter` is JSON text."""

    name: str
    filter: str
    created_at: int
    changed_at: int


class RetentionRule(Struct, frozen=True):
    """How long data is stored, counted from when it was received.

    Attributes:
        kind: of data.
        days: number of days.
        type: a metric, a document type, for rejections `UNKNOWN_USER`, for receipts the code of
            an error; "" for all data of the kind.
    """

    kind: RetentionKind
    days: int
    type: str = ""


class Issuer(Struct, frozen=True):
    """An issuer of end users' tokens that a project trusts.

    Attributes:
        id: its identity.
        project: the project of its users.
        name: unique in the project.
        issuer, audience: the claims `iss` and `aud` of its tokens.
        source: the URL of its key set.
        user_claim: the claim with the user id.
        scopes: what its tokens permit.
        created_at: moment.
        key_set: the key set that was read last, if any.
        read_at: moment at which it was read.
        tried_at: moment at which that was last tried.
    """

    id: str
    project: str
    name: str
    issuer: str
    audience: str
    source: str
    user_claim: str
    scopes: tuple[str, ...]
    created_at: int
    key_set: str | None = None
    read_at: int | None = None
    tried_at: int | None = None
