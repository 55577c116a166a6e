"""Authorisation: each route declares a permission, and the API key of each request is checked."""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from uptake.formats import registry
from uptake.formats.base import BEARER, Credential, Operation, Place
from uptake.http.access_tokens import TOKEN_PREFIX, AccessTokens
from uptake.http.quota import Quota
from uptake.model import clock, ids
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.store.definitions import Key
from uptake.store.project_ports import Keys

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

    from uptake.http.executors import BoundedExecutor
    from uptake.http.key_uses import KeyUses
    from uptake.http.user_tokens import UserTokens

SCOPES = (*registry.SCOPES, "data:read", "data:erase", "admin", "operator")

TRUST_SECONDS = 1.0
"""How long a key is cached: for this time a revoked key still works."""

MAX_TRUSTED = 10_000
"""Keys in the cache."""

seen_key: ContextVar[str | None] = ContextVar("seen_key", default=None)
"""Id of the key of this request, valid or not, for its log line; None if unknown."""


class About(Enum):
    """The data that an operation uses, which decides what a key that is bound to a user may do."""

    NONE = "no user data: no key needed"
    KEY = "only the key itself: any valid key; the request does not count against the key's rate"
    USER_IN_PATH = "the user in the path; for a bound key other users are 403"
    USER_IN_QUERY = "the user in the query; for a bound key other users are 403"
    OWNER = "the user of a record; for a bound key records of other users are 403"
    PROJECT = "all users of the project, or its settings; a bound key gets 403"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a request needs: a scope of its key, and the data that the operation uses.

    Attributes:
        scope: that permits the operation; "" if any valid key does.
        about: the data.
        other_scopes: scopes of which each permits the operation too.
    """

    scope: str
    about: About
    other_scopes: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of which the key needs one."""
        return (self.scope, *self.other_scopes)


PUBLIC = Permission("", About.NONE)
"""Health, metrics, the OpenAPI document, and images (their names cannot be guessed)."""

ANY_KEY = Permission("", About.KEY)
"""What every client may know, whatever the scopes of its key."""

DECLARED = "permission"
"""The option of a route handler with its `Permission`."""

USER_PARAMETER = "user_id"
"""The path parameter with the user."""

SIGNED_IN = "signed_in"
"""Name of the key in the state of a request that a page of the console makes: that of its session.
Requests from clients have none."""

OPTIONS = {"OPTIONS"}
"""The method that Litestar adds to every path."""


class UndeclaredRoute(Exception):
    """A route does not declare its permission."""


def require_declared(handlers: "Iterable[HTTPRouteHandler]") -> None:
    """Check that every route declares its permission, before the first request is served.

    Raises:
        UndeclaredRoute: one does not, or declares a user in its path and has none.
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
    """Checks the API keys of requests.

    Args:
        registry: finds keys and counts their uses.
        executor: threads for that.
        uses: records when keys were last used.
        tokens: reads access tokens.
        user_tokens: checks tokens of end users.
    """

    def __init__(
        self,
        registry: Keys,
        executor: "BoundedExecutor",
        uses: "KeyUses",
        tokens: AccessTokens,
        user_tokens: "UserTokens",
    ) -> None:
        self._user_tokens = user_tokens
        self._registry = registry
        self._tokens = tokens
        self._executor = executor
        self._uses = uses
        self._trusted: dict[str, tuple[float, Key]] = {}

    async def find(self, secret: str | None) -> Key | None:
        """The key with this secret or access token, valid or not.

        Raises:
            Problem: `UNAVAILABLE`; `TOKEN_EXPIRED` for an access token; `UNAUTHORIZED` for an
                invalid token of an end user.
        """
        if secret and secret.startswith(TOKEN_PREFIX):
            key = await self._key_of_token(secret)
        elif secret and "." in secret:  # keys have no dot
            key = await self._key_of_user(secret)
        else:
            key = await self._find(ids.key_digest(secret)) if secret else None
        seen_key.set(None if key is None else key.id)
        return key

    async def log_in(self, key_id: str, secret: str) -> str:
        """A new access token for a key. The request counts against the rates of the key.

        An access token is not accepted as the secret: otherwise it could be renewed for ever.

        Raises:
            Problem: `UNAUTHORIZED`, `RATE_LIMITED` or `UNAVAILABLE`.
        """
        key, now = await self._find(ids.key_digest(secret)), clock.now()
        if key is None or key.id != key_id or not key.is_valid(now):
            raise Problem(Kinds.UNAUTHORIZED, "The user name or the password is wrong")
        seen_key.set(key.id)
        if key.rates:
            (await self.count_use(key)).check()
        return self._tokens.issue(key, now)

    async def _key_of_token(self, text: str) -> Key | None:
        token = self._tokens.read(text)
        if token is None:
            return None
        if token.expires_at <= clock.now():
            raise Problem(Kinds.TOKEN_EXPIRED)
        return await self._find(token.digest)

    async def permit(
        self,
        key: Key | None,
        scopes: Sequence[str],
        sent: Credential | None,
        places: Sequence[Credential] = (BEARER,),
    ) -> Key:
        """The key, as `check`; the request counts against its rates, unless it needs no scope.

        Raises:
            Problem: `UNAUTHORIZED`, `FORBIDDEN`, `RATE_LIMITED` or `UNAVAILABLE`.
        """
        checked = self.check(key, scopes, sent, places)
        if checked.rates and "" not in scopes:
            (await self.count_use(checked)).check()
        return checked

    @staticmethod
    def check(
        key: Key | None,
        scopes: Sequence[str],
        sent: Credential | None,
        places: Sequence[Credential] = (BEARER,),
    ) -> Key:
        """The key, if it is valid and has the scope; the request is not counted.

        Args:
            key: of the request.
            scopes: of which the request needs one; "" needs none.
            sent: where the request had a key.
            places: where it may have one.

        Raises:
            Problem: `UNAUTHORIZED` or `FORBIDDEN`.
        """
        now = clock.now()
        if sent is None:
            expected = " or ".join(place.label for place in places)
            raise Problem(Kinds.UNAUTHORIZED, f"There is no API key in {expected}")
        if (
            key is None
            or key.revoked_at is not None
            or (key.expires_at is not None and key.expires_at <= now)
        ):
            message = f"The API key in {sent.label} is unknown, revoked or expired"
            raise Problem(Kinds.UNAUTHORIZED, message)
        if "" not in scopes and not any(scope in key.scopes for scope in scopes):
            raise Problem(Kinds.FORBIDDEN, f"The key does not have the scope {' or '.join(scopes)}")
        return key

    async def count_use(self, key: Key) -> Quota:
        """Count a use in the store, so that the rates apply across all processes and nodes.

        Raises:
            Problem: `UNAVAILABLE`.
        """
        now = clock.now()
        count = partial(self._registry.count_use, key.id, key.rates, now)
        try:
            return Quota(key.rates, await self._executor.run(count), now)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error

    async def guard(
        self, connection: "ASGIConnection[Any, Any, Any, Any]", handler: "BaseRouteHandler"
    ) -> None:
        """Check the permission that the route declares, before the body is read.

        `Ingest` checks uploads itself, because each vendor has its own place for the key.

        Raises:
            Problem: as `permit`; `FORBIDDEN` for another user than that of a bound key.
        """
        permission = handler.opt.get(DECLARED)
        if permission is None and getattr(handler, "http_methods", None) != OPTIONS:
            raise Problem(Kinds.FORBIDDEN)
        if permission is None or permission.about is About.NONE:
            return
        found: Key | None = connection.scope["state"].get(SIGNED_IN)
        sent: Credential | None = BEARER
        if found is None:
            secret = bearer(header_map(connection.scope["headers"]))
            sent = BEARER if secret else None
            found = await self.find(secret)
        key = await self.permit(found, permission.scopes, sent)
        match permission.about:
            case About.USER_IN_PATH:
                permit_users(key, {unquote(connection.path_params[USER_PARAMETER])})
            case About.PROJECT:
                permit_project(key)
        connection.scope["state"]["key"] = key

    async def _key_of_user(self, token: str) -> Key:
        # No digest of a key begins like this, so that a token is never found as a key.
        digest = "token " + ids.key_digest(token)
        key = self._trusted_key(digest)
        if key is None:
            key = await self._user_tokens.key_of(token)
            self._trust(digest, key)
        return key

    def _trusted_key(self, digest: str) -> Key | None:
        trusted = self._trusted.get(digest)
        if trusted is not None and monotonic() - trusted[0] < TRUST_SECONDS:
            return trusted[1]
        return None

    def _trust(self, digest: str, key: Key) -> None:
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted[digest] = (monotonic(), key)

    async def _find(self, digest: str) -> Key | None:
        trusted = self._trusted_key(digest)
        if trusted is not None:
            return trusted
        try:
            key = await self._executor.run(partial(self._registry.key, digest))
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        self._trusted.pop(digest, None)
        if key is not None:
            self._trust(digest, key)
            if key.is_valid(now := clock.now()):
                self._uses.note(key.id, now)
        return key


def permit_users(key: Key, user_ids: Iterable[str | None]) -> None:
    """Check that a key which is bound to a user is used for that user only.

    Another user's record is 403 and an unknown id is 404. This reveals nothing, because the ids of
    records cannot be guessed.

    Args:
        key: of the request.
        user_ids: users of the data; None if unknown.

    Raises:
        Problem: `FORBIDDEN`.
    """
    if key.user is not None and set(user_ids) - {key.user}:
        raise Problem(Kinds.FORBIDDEN, "The key is bound to another user")


def permit_project(key: Key) -> None:
    """Check that a key is not bound to a user.

    Raises:
        Problem: `FORBIDDEN`.
    """
    if key.user is not None:
        message = "A key that is bound to a user cannot use the whole project"
        raise Problem(Kinds.FORBIDDEN, message)


def require_bound(key: Key) -> None:
    """Check that a key is bound to a user, for operations that take the user from the key.

    Raises:
        Problem: `FORBIDDEN`.
    """
    if key.user is None:
        raise Problem(Kinds.FORBIDDEN, "The key is not bound to a user")


def user_in_query(key: Key, user_id: str | None) -> str | None:
    """The user to select: the one in the query, else the one to which the key is bound.

    Raises:
        Problem: `FORBIDDEN`, for another user than that of a bound key.
    """
    if user_id is not None:
        permit_users(key, {user_id})
    return user_id if user_id is not None else key.user


def find_credential(
    operation: Operation, headers: Mapping[str, str], query: bytes
) -> tuple[Credential | None, str | None]:
    """The API key of a request and its place, of the places that the vendor documents."""
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


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by lower-case name; of several with the same name, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
