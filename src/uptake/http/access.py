"""Who may do what: each route declares a permission, and every request's key is checked for it."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from uptake.formats import registry
from uptake.formats.base import Credential, Operation, Place
from uptake.model import clock, ids
from uptake.model.problems import Kinds, Problem
from uptake.store.base import Keys, StoreUnavailable
from uptake.store.definitions import Key
from uptake.time_units import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

    from uptake.http.executors import BoundedExecutor

SCOPES = (*registry.SCOPES, "data:read", "data:erase", "admin")

TRUST_SECONDS = 1.0
"""How long a key is used without asking the store again whether it was revoked."""

MAX_TRUSTED = 10_000
"""Keys remembered at once."""

seen_key: ContextVar[str | None] = ContextVar("seen_key", default=None)
"""Id of the key that this request carries, valid or not, for its log line; None while unknown."""


class About(Enum):
    """Whose data an operation is about, which decides what a key bound to a user may do with it."""

    NONE = "no data of users: answered without a key"
    UPLOAD = "the users named in an upload; a bound key uploads for its user, else 403"
    USER_IN_PATH = "the user in the path; a bound key reads its own user, else 403"
    USER_IN_QUERY = "the user in the query; a bound key names its own user, else 403"
    OWNER = "the user that a record belongs to; for a bound key other users' records are 403"
    PROJECT = "all users of the project, or its settings; a bound key gets 403"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a request needs: the scope of its key, and whose data the operation is about."""

    scope: str
    about: About


PUBLIC = Permission("", About.NONE)
"""Health, metrics, the OpenAPI document, and images, whose names cannot be guessed."""

DECLARED = "permission"
"""The option of a route handler that holds its `Permission`."""

USER_PARAMETER = "user_id"
"""The path parameter of routes that are about the user in their path."""

OPTIONS = {"OPTIONS"}
"""What the framework answers by itself for every path: which methods there are."""


class UndeclaredRoute(Exception):
    """A route does not declare its permission."""


def require_declared(handlers: "Iterable[HTTPRouteHandler]") -> None:
    """Check that every route declares its permission, before the first request is served.

    Raises:
        UndeclaredRoute: one does not, or has no user in its path although it says so.
    """
    for handler in handlers:
        if handler.http_methods == OPTIONS:
            continue
        permission = handler.opt.get(DECLARED)
        if not isinstance(permission, Permission):
            raise UndeclaredRoute(f"{sorted(handler.paths)} has no `{DECLARED}=`")
        in_path = all(f"{{{USER_PARAMETER}:" in path for path in handler.paths)
        if permission.about is About.USER_IN_PATH and not in_path:
            raise UndeclaredRoute(f"{sorted(handler.paths)} has no {{{USER_PARAMETER}}}")


class Access:
    """Admits requests by their keys.

    Args:
        registry: knows the keys.
        executor: where it is asked.
    """

    def __init__(self, registry: Keys, executor: "BoundedExecutor") -> None:
        self._registry = registry
        self._executor = executor
        self._trusted: dict[str, tuple[float, Key]] = {}

    async def admit(self, secret: str | None, scope: str) -> Key:
        """The key with this secret, if it is valid now and permits this.

        Raises:
            Problem: `UNAUTHORIZED`, `FORBIDDEN`, `RATE_LIMITED` or `UNAVAILABLE`.
        """
        return await self.permit(await self.find(secret), scope)

    async def find(self, secret: str | None) -> Key | None:
        """The key with this secret, valid or not.

        Raises:
            Problem: `UNAVAILABLE`.
        """
        key = await self._find(secret) if secret else None
        seen_key.set(None if key is None else key.id)
        return key

    async def permit(self, key: Key | None, scope: str) -> Key:
        """A key, if it is valid now and permits this.

        Raises:
            Problem: as `admit`.
        """
        now = clock.now()
        if key is None:
            raise Problem(Kinds.UNAUTHORIZED)
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise Problem(Kinds.UNAUTHORIZED)
        if scope not in key.scopes:
            raise Problem(Kinds.FORBIDDEN, f"The key lacks the scope {scope}")
        if key.rate is not None:
            await self._spend(key, now)
        return key

    async def guard(
        self, connection: "ASGIConnection[Any, Any, Any, Any]", handler: "BaseRouteHandler"
    ) -> None:
        """Admit a request by the permission that its route declares, before its body is read.

        Uploads are admitted by `Ingest`, as each vendor has its own place for the key.

        Raises:
            Problem: as `admit`; `FORBIDDEN` for a bound key that asks about anybody else.
        """
        permission = handler.opt.get(DECLARED)
        if permission is None and getattr(handler, "http_methods", None) != OPTIONS:
            raise Problem(Kinds.FORBIDDEN)
        if permission is None or permission.about is About.NONE:
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in connection.scope["headers"]
        }
        key = await self.admit(bearer(headers), permission.scope)
        match permission.about:
            case About.USER_IN_PATH:
                permit_users(key, {unquote(connection.path_params[USER_PARAMETER])})
            case About.PROJECT if key.user is not None:
                raise Problem(
                    Kinds.FORBIDDEN, "A key bound to a user cannot do this for the whole project"
                )
        connection.scope["state"]["key"] = key

    async def _find(self, secret: str) -> Key | None:
        digest = ids.key_digest(secret)
        trusted = self._trusted.get(digest)
        if trusted is not None and monotonic() - trusted[0] < TRUST_SECONDS:
            return trusted[1]
        try:
            key = await self._executor.run(partial(self._registry.key, digest))
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        self._trusted.pop(digest, None)
        if key is not None:
            if len(self._trusted) >= MAX_TRUSTED:
                self._trusted.clear()
            self._trusted[digest] = (monotonic(), key)
        return key

    async def _spend(self, key: Key, now: int) -> None:
        """Count a use in the store, so that the rate holds over all processes and nodes."""
        rate = key.rate
        if rate is None:
            return
        try:
            uses = await self._executor.run(partial(self._registry.spend, key.id, rate, now))
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if uses > rate.requests:
            length = rate.seconds * MICROSECONDS_PER_SECOND
            wait = -(-(length - now % length) // MICROSECONDS_PER_SECOND)
            message = f"This key may send {rate.requests} requests in {rate.seconds} seconds"
            raise Problem(Kinds.RATE_LIMITED, message, retry_after=wait)


def permit_users(key: Key, user_ids: Iterable[str | None]) -> None:
    """Let a key that is bound to a user act for that user alone.

    The ids of records cannot be guessed, so 403 for another user's record, where an id that nobody
    has is 404, gives nothing away.

    Args:
        key: of the request.
        user_ids: of the users it is about; None where that is not known.

    Raises:
        Problem: `FORBIDDEN`.
    """
    if key.user is not None and set(user_ids) - {key.user}:
        raise Problem(Kinds.FORBIDDEN, "The key is bound to another user")


def user_in_query(key: Key, user_id: str | None) -> str | None:
    """The user to ask about: the one in the query; for a bound key its own, named or not.

    Raises:
        Problem: `FORBIDDEN`, for a bound key that names another.
    """
    if user_id is not None:
        permit_users(key, {user_id})
    return user_id if user_id is not None else key.user


def find_credential(
    operation: Operation, headers: Mapping[str, str], query: bytes
) -> tuple[Credential | None, str | None]:
    """Where the key of a request stands, of the places its vendor documents, and the key."""
    for credential in operation.credentials:
        secret = _secret(credential, headers, query)
        if secret:
            return credential, secret
    return None, None


def _secret(credential: Credential, headers: Mapping[str, str], query: bytes) -> str | None:
    match credential.place:
        case Place.BEARER:
            return bearer(headers)
        case Place.HEADER:
            return headers.get(credential.name)
        case Place.QUERY:
            values = parse_qs(query.decode("latin-1")).get(credential.name)
            return values[0] if values else None


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
