"""Who may do what: the key of a request, found where it may stand, and what it permits."""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from uptake.formats.base import Credential, Endpoint, Place
from uptake.model import clock, ids
from uptake.model.problems import Kinds, Problem
from uptake.store.base import Registry, StoreUnavailable
from uptake.store.records import Key

if TYPE_CHECKING:
    from uptake.http.executors import BoundedExecutor

SCOPES = (
    "user-data:write",
    "profiles:write",
    "images:write",
    "samples:write",
    "data:read",
    "data:erase",
    "admin",
)

TRUST_SECONDS = 1.0
"""How long a key is used without asking the store again whether it was revoked."""

MAX_TRUSTED = 10_000
"""Keys remembered at once."""

seen_key: ContextVar[str | None] = ContextVar("seen_key", default=None)
"""Id of the key that this request carries, valid or not, for its log line; None while unknown."""


class Access:
    """Admits requests by their keys.

    Args:
        registry: knows the keys.
        executor: where it is asked.
    """

    def __init__(self, registry: Registry, executor: "BoundedExecutor") -> None:
        self._registry = registry
        self._executor = executor
        self._trusted: dict[str, tuple[float, Key]] = {}

    async def admit(self, secret: str | None, scope: str) -> Key:
        """The key with this secret, if it is valid now and permits this.

        Raises:
            Problem: `UNAUTHORIZED`, `FORBIDDEN`, `RATE_LIMITED` or `UNAVAILABLE`.
        """
        key = await self._find(secret) if secret else None
        seen_key.set(None if key is None else key.id)
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
            length = rate.seconds * clock.MICROSECONDS
            wait = -(-(length - now % length) // clock.MICROSECONDS)
            message = f"This key may send {rate.requests} requests in {rate.seconds} seconds"
            raise Problem(Kinds.RATE_LIMITED, message, retry_after=wait)


def permit_users(key: Key, user_ids: set[str]) -> None:
    """Let a key that is bound to a user speak for that user alone.

    Raises:
        Problem: `FORBIDDEN`.
    """
    if key.user is not None and user_ids - {key.user}:
        raise Problem(Kinds.FORBIDDEN, "The key is bound to another user")


def find_credential(
    endpoint: Endpoint, headers: Mapping[str, str], query: bytes
) -> tuple[Credential | None, str | None]:
    """Where the key of a request stands, of the places its vendor documents, and the key."""
    for credential in endpoint.credentials:
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
