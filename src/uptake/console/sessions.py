"""Who is signed in to the console: one-time links, API keys and the sessions that they begin."""

import hmac
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from uptake.model import clock, ids
from uptake.store.base import Installation
from uptake.store.console_ports import ConsoleToken, ConsoleTokens
from uptake.store.definitions import Key
from uptake.store.project_ports import Keys, Projects
from uptake.time_units import MICROSECONDS_PER_SECOND

LINK_SECONDS = 10 * 60
"""Time to follow a one-time link: enough to copy it from a terminal."""

SESSION_SECONDS = 12 * 60 * 60
"""Length of a session: a working day."""

SECRET_BYTES = 32

READ, CHANGE, ERASE, OPERATOR = "data:read", "admin", "data:erase", "operator"
OPERATOR_SCOPES = (READ, ERASE, CHANGE, OPERATOR)
"""What a session of a one-time link permits: who can print a link can read the database too."""

MAX_FAILURES = 10
FAILURE_SECONDS = 60.0
"""Failed attempts to sign in from an address in this time; then all are rejected. Keys cannot be
guessed; this bounds the work for those who try."""

MAX_ADDRESSES = 10_000
"""Addresses with failures that a process counts."""


class SignInStore(ConsoleTokens, Keys, Projects, Installation, Protocol):
    """The ports that sessions need."""


class SignInFailed(Exception):
    """The link or the key does not permit a session; the message has the reason."""


class TooManyAttempts(SignInFailed):
    """The address has failed too often."""


class Session(Struct, frozen=True):
    """A browser that is signed in.

    Attributes:
        key: each page has its permissions; an API key, or that of an operator.
        csrf: the token of its forms.
        projects: that it may show; only its own for an API key.
        is_operator: whether it began with a one-time link.
    """

    key: Key
    csrf: str
    projects: tuple[str, ...]
    is_operator: bool

    @property
    def can_change(self) -> bool:
        """Whether it may change settings and replay rejections."""
        return CHANGE in self.key.scopes

    @property
    def can_manage_keys(self) -> bool:
        """Whether it may create, rotate and revoke API keys."""
        return bool({CHANGE, OPERATOR} & set(self.key.scopes))

    @property
    def is_server_operator(self) -> bool:
        """Whether it may see the settings and the state of the server."""
        return OPERATOR in self.key.scopes

    @property
    def can_erase(self) -> bool:
        """Whether it may erase users."""
        return ERASE in self.key.scopes


@dataclass(frozen=True, slots=True)
class Sessions:
    """Begins, finds and ends sessions.

    Attributes:
        store: where the hashes of their secrets are.
    """

    store: SignInStore

    def new_link(self, project: str) -> str:
        """Store a one-time link, and return its secret."""
        return self._new(LINK_SECONDS, "link", project)

    def follow_link(self, secret: str) -> str:
        """Begin a session with a link, which is then used up. Returns the secret of the session.

        Raises:
            SignInFailed: the link is unknown, used or expired.
        """
        digest, now = ids.key_digest(secret), clock.now()
        token = self.store.console_token(digest)
        if (
            token is None
            or token.kind != "link"
            or token.expires_at <= now
            or not self.store.delete_console_token(digest)
        ):
            raise SignInFailed(
                "This link is used, expired or unknown. `uptake console-link` prints another."
            )
        return self._new(SESSION_SECONDS, "session", token.project)

    def sign_in(self, secret: str) -> str:
        """Begin a session with an API key. Returns the secret of the session.

        Raises:
            SignInFailed: the key is not valid, or does not permit it.
        """
        key = self.store.key(ids.key_digest(secret))
        if key is None or not key.is_valid(clock.now()):
            raise SignInFailed("The API key is unknown, revoked or expired.")
        if not {READ, CHANGE, OPERATOR} & set(key.scopes):
            raise SignInFailed("The API key needs the scope `data:read`, `admin` or `operator`.")
        if key.user is not None:
            raise SignInFailed("The API key is bound to a user; the console needs an unbound key.")
        return self._new(SESSION_SECONDS, "session", key.project, key.digest)

    def find(self, secret: str) -> Session | None:
        """Return a session; None if it has ended, or its key is revoked or expired."""
        digest, now = ids.key_digest(secret), clock.now()
        token = self.store.console_token(digest)
        if token is None or token.kind != "session" or token.expires_at <= now:
            return None
        csrf = hmac.digest(secret.encode(), b"csrf", "sha256").hex()
        if token.key_digest is None:
            # Without an end: keys that it creates may be valid for longer than the session.
            key = Key(f"console-{digest[:12]}", digest, token.project, OPERATOR_SCOPES, now)
            return Session(key, csrf, tuple(self.store.projects()), is_operator=True)
        found = self.store.key(token.key_digest)
        if found is None or not found.is_valid(now):
            return None
        return Session(found, csrf, (found.project,), is_operator=False)

    def choose_project(self, secret: str, project: str) -> None:
        """Show another project in a session of an operator."""
        token = self.store.console_token(ids.key_digest(secret))
        if token is not None and token.key_digest is None and project in self.store.projects():
            self.store.put_console_token(replace(token, project=project), clock.now())

    def sign_out(self, secret: str) -> None:
        """End a session."""
        self.store.delete_console_token(ids.key_digest(secret))

    def cookie_name(self) -> str:
        """The name of the cookie: servers on ports of one host share cookies, but not sessions."""
        return f"uptake_session_{self.store.secrets().instance[:8]}"

    def _new(
        self,
        seconds: int,
        kind: Literal["link", "session"],
        project: str,
        key_digest: str | None = None,
    ) -> str:
        secret, now = secrets.token_urlsafe(SECRET_BYTES), clock.now()
        expires_at = now + seconds * MICROSECONDS_PER_SECOND
        token = ConsoleToken(ids.key_digest(secret), kind, project, key_digest, expires_at)
        self.store.put_console_token(token, now)
        return secret


class Attempts:
    """Counts failed attempts to sign in, by address, in one process."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[float, int]] = {}

    def check(self, address: str) -> None:
        """Check that an address may try again.

        Raises:
            TooManyAttempts: it has failed too often.
        """
        since, count = self._failures.get(address, (0.0, 0))
        if count >= MAX_FAILURES and monotonic() - since < FAILURE_SECONDS:
            raise TooManyAttempts("Too many failed attempts. Try again in a minute.")

    def failed(self, address: str) -> None:
        """Count a failure."""
        since, count = self._failures.get(address, (0.0, 0))
        if monotonic() - since >= FAILURE_SECONDS:
            since, count = monotonic(), 0
            if len(self._failures) >= MAX_ADDRESSES:
                self._failures.clear()
        self._failures[address] = since, count + 1
