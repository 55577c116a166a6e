"""The port of the console's links and sessions; see `store.base`."""

from typing import Literal, Protocol

from msgspec import Struct


class ConsoleToken(Struct, frozen=True):
    """A one-time link to the console, or a session in it, without its secret.

    Attributes:
        digest: `ids.key_digest` of the secret.
        kind: a link can be followed once; a session is a browser that is signed in.
        project: that its pages show.
        key_digest: of the API key that signed in; None for a link and a session of an operator,
            who may see all projects.
        expires_at: the moment from which it is not valid.
    """

    digest: str
    kind: Literal["link", "session"]
    project: str
    key_digest: str | None
    expires_at: int


class ConsoleTokens(Protocol):
    """Links to the console, and sessions in it."""

    def put_console_token(self, token: ConsoleToken, now: int) -> None:
        """Store a token, or a new project of a stored one; delete those that expired until now."""

    def console_token(self, digest: str) -> ConsoleToken | None:
        """Return the token with this digest, expired or not."""

    def delete_console_token(self, digest: str) -> bool:
        """Delete a token; False if there is none: of several callers, one gets True."""
