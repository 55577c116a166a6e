"""Tokens of end users: JSON Web Tokens of issuers that a project trusts.

A valid token is a key that is bound to the user in one of its claims.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol

import jwt
import structlog

from uptake.http.executors import BoundedExecutor
from uptake.http.key_sets import (
    FETCH_SECONDS,
    SigningKey,
    UnreadableKeySet,
    read_key_set,
    signing_keys,
)
from uptake.model import clock
from uptake.model.items import user_id_fault
from uptake.model.problems import Kinds, Problem
from uptake.store.base import Maintenance, StoreUnavailable
from uptake.store.definitions import Issuer, Key
from uptake.store.operator_ports import Issuers
from uptake.time_units import MICROSECONDS_PER_SECOND

MAX_TOKEN = 16 * 1024
"""Characters of a token. Those of issuers have one or two thousand."""

LEEWAY_SECONDS = 60
"""By how much the clocks of an issuer and of this server may differ (wire contract)."""

FETCH_INTERVAL = 60 * MICROSECONDS_PER_SECOND
"""A key set is fetched at most so often, by all nodes together (wire contract)."""

REFRESH_INTERVAL = 3600 * MICROSECONDS_PER_SECOND
"""A key set that is older is fetched again, so that keys which were removed end."""

TRUST_SECONDS = 1.0
"""How long the issuers of a URL are cached: for this time a removed issuer is still trusted."""

MAX_TRUSTED = 1000
"""URLs in the cache."""

POLL_SECONDS = 0.1
"""Interval at which a process looks whether another one has fetched a key set."""

_UNUSABLE = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)
"""What PyJWT raises for a token that is not valid, whatever is in it."""

_CHECKS: Any = {"require": ["exp"], "verify_iat": False, "verify_sub": False, "verify_jti": False}
"""The times are checked, but `iat`, `sub` and `jti` may be anything."""

_log = structlog.get_logger()


class IssuerStore(Issuers, Maintenance, Protocol):
    """The ports with issuers, and with claims of tasks."""


class UserTokens:
    """Checks tokens.

    Args:
        store: has the issuers, and their key sets as they were fetched last.
        look_ups: threads for queries.
        fetches: threads that fetch key sets.
        read: reads a key set.
    """

    def __init__(
        self,
        store: IssuerStore,
        look_ups: BoundedExecutor,
        fetches: BoundedExecutor,
        read: Callable[[str], str] = read_key_set,
    ) -> None:
        self._store = store
        self._look_ups = look_ups
        self._fetches = fetches
        self._read = read
        self._trusted: dict[str, tuple[float, list[Issuer]]] = {}
        self._fetching: dict[str, asyncio.Task[Issuer]] = {}

    async def key_of(self, token: str) -> Key:
        """The key that a token is.

        Raises:
            Problem: `UNAUTHORIZED`; `UNAVAILABLE` or `OVERLOADED`.
        """
        header, claims = _unverified(token)
        issuer = _chosen(await self._issuers_of(claims["iss"]), claims.get("aud"))
        key = _matching(issuer, header)
        now = clock.now()
        may_fetch = now - (issuer.tried_at or 0) >= FETCH_INTERVAL
        if key is None and may_fetch:
            issuer = await asyncio.shield(self._fetch(issuer))
            key = _matching(issuer, header)
        elif may_fetch and now - (issuer.read_at or 0) >= REFRESH_INTERVAL:
            self._fetch(issuer)  # in the background
        if key is None:
            raise _invalid("no key of its issuer has its key id and algorithm")
        try:
            return _bound_key(issuer, _verified(token, key, issuer))
        except _UNUSABLE as error:
            raise _invalid(_reason(error)) from None

    async def _issuers_of(self, url: str) -> list[Issuer]:
        trusted = self._trusted.get(url)
        if trusted is not None and monotonic() - trusted[0] < TRUST_SECONDS:
            return trusted[1]
        try:
            found = await self._look_ups.run(partial(self._store.issuers_of, url))
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        if found:
            self._trusted[url] = monotonic(), found
        return found

    def _fetch(self, issuer: Issuer) -> "asyncio.Task[Issuer]":
        """Fetch the key set of an issuer; concurrent requests share the task."""
        task = self._fetching.get(issuer.id)
        if task is None:
            task = asyncio.create_task(self._fetched(issuer))
            self._fetching[issuer.id] = task
            task.add_done_callback(partial(self._forget, issuer.id))
        return task

    async def _fetched(self, issuer: Issuer) -> Issuer:
        try:
            found = await self._fetches.run(partial(self._fetch_or_wait, issuer))
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        self._trusted.pop(issuer.issuer, None)
        return found

    def _forget(self, issuer_id: str, task: "asyncio.Task[Issuer]") -> None:
        del self._fetching[issuer_id]
        if not task.cancelled():
            task.exception()  # retrieved, as no request may wait for it

    def _fetch_or_wait(self, issuer: Issuer) -> Issuer:
        """Fetch the key set, unless another process does; then wait for that."""
        now = clock.now()
        if self._store.claim(f"key set {issuer.id}", now, now + FETCH_INTERVAL):
            key_set = None
            try:
                key_set = self._read(issuer.source)
            except UnreadableKeySet as error:
                _log.warning("key set not read", issuer=issuer.name, reason=str(error))
            self._store.put_key_set(issuer.id, key_set, clock.now())
            return self._current(issuer)
        until = monotonic() + FETCH_SECONDS
        current = self._current(issuer)
        while now - (current.tried_at or 0) >= FETCH_INTERVAL and monotonic() < until:
            time.sleep(POLL_SECONDS)
            current = self._current(issuer)
        return current

    def _current(self, issuer: Issuer) -> Issuer:
        found = [one for one in self._store.issuers_of(issuer.issuer) if one.id == issuer.id]
        if not found:
            raise _invalid("its issuer is not trusted")
        return found[0]


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, of which nothing is verified.

    Raises:
        Problem: `UNAUTHORIZED`.
    """
    if len(token) > MAX_TOKEN:
        raise _invalid(f"it has more than {MAX_TOKEN} characters")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except _UNUSABLE:
        raise _invalid("it is not a JSON Web Token") from None
    if not isinstance(claims.get("iss"), str):
        raise _invalid("it names no issuer")
    if "\0" in claims["iss"] or not _is_text(claims["iss"]):
        raise _invalid("its issuer is not trusted")
    return header, claims


def _chosen(issuers: Sequence[Issuer], audience: Any) -> Issuer:
    """The issuer with the audience of a token.

    Raises:
        Problem: `UNAUTHORIZED`.
    """
    if not issuers:
        raise _invalid("its issuer is not trusted")
    named = audience if isinstance(audience, list) else [audience]
    for issuer in issuers:
        if issuer.audience in named:
            return issuer
    raise _invalid("it is for another audience")


def _matching(issuer: Issuer, header: dict[str, Any]) -> SigningKey | None:
    """The key with the key id and the algorithm of a header; without an id, the only such key."""
    known = [
        key for key in signing_keys(issuer.key_set or "") if key.algorithm == header.get("alg")
    ]
    if "kid" in header:
        known = [key for key in known if key.key_id == header["kid"]]
    return known[0] if len(known) == 1 else None


def _verified(token: str, key: SigningKey, issuer: Issuer) -> dict[str, Any]:
    return jwt.decode(
        token,
        key.key,
        algorithms=[key.algorithm],
        audience=issuer.audience,
        issuer=issuer.issuer,
        leeway=LEEWAY_SECONDS,
        options=_CHECKS,
    )


def _bound_key(issuer: Issuer, claims: dict[str, Any]) -> Key:
    """The key that is bound to the user of the claims.

    Raises:
        Problem: `UNAUTHORIZED`.
    """
    user_id = claims.get(issuer.user_claim)
    if not isinstance(user_id, str):
        raise _invalid(f"it has no text in the claim {issuer.user_claim}")
    if user_id_fault(user_id) is not None or not _is_text(user_id):
        raise _invalid(f"its claim {issuer.user_claim} is not a user id")
    return Key(
        id=issuer.id,
        digest="",
        project=issuer.project,
        scopes=issuer.scopes,
        created_at=issuer.created_at,
        user=user_id,
        expires_at=(int(claims["exp"]) + LEEWAY_SECONDS) * MICROSECONDS_PER_SECOND,
    )


def _is_text(value: str) -> bool:
    """Whether a text is Unicode: JSON may have halves of surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _reason(error: BaseException) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case jwt.MissingRequiredClaimError():
            return "it has no exp"
    return "its claims are wrong"


def _invalid(reason: str) -> Problem:
    return Problem(Kinds.UNAUTHORIZED, f"The token is not valid: {reason}")
