"""Links, keys and sessions, on a store of the test's own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from uptake.cli.keys import new_key
from uptake.console.sessions import (
    MAX_FAILURES,
    OPERATOR_SCOPES,
    Attempts,
    Sessions,
    SignInFailed,
    TooManyAttempts,
)
from uptake.model import clock, ids
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.wiring import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with two projects."""
    with closing(open_store(Settings(data_dir=tmp_path), make=True)) as opened:
        opened.add_project("acme", clock.now())
        yield opened


@pytest.fixture
def sessions(store: Store) -> Sessions:
    """The sessions of that store."""
    return Sessions(store)


def _expire(store: Store, secret: str) -> None:
    token = store.console_token(ids.key_digest(secret))
    assert token is not None
    assert store.delete_console_token(token.digest)
    store.put_console_token(replace(token, expires_at=clock.now()), 0)


def test_a_link_begins_one_session(store: Store, sessions: Sessions) -> None:
    """Of all projects; a second use, an expired link and a session in place of it fail."""
    link = sessions.new_link("acme")
    secret = sessions.follow_link(link)
    session = sessions.find(secret)
    assert session is not None
    assert (session.key.project, session.key.scopes) == ("acme", OPERATOR_SCOPES)
    assert session.projects == ("acme", "default")
    late = sessions.new_link("acme")
    _expire(store, late)
    for used in (link, late, secret, "", "x"):
        with pytest.raises(SignInFailed, match="console-link"):
            sessions.follow_link(used)
    assert sessions.find(link) is None
    sessions.choose_project(secret, "default")
    sessions.choose_project(secret, "unknown")
    moved = sessions.find(secret)
    assert moved is not None
    assert (moved.key.project, moved.csrf) == ("default", session.csrf)


def test_a_session_of_a_key_ends_with_the_key(store: Store, sessions: Sessions) -> None:
    """It has the key's permissions and its project alone."""
    key, secret = new_key("acme", ("admin", "data:read"))
    store.add_key(key)
    signed_in = sessions.sign_in(secret)
    sessions.choose_project(signed_in, "default")
    session = sessions.find(signed_in)
    assert session is not None
    assert (session.key, session.projects, session.can_change) == (key, ("acme",), True)
    assert session.can_erase is False
    store.revoke_key(key.id, clock.now())
    assert sessions.find(signed_in) is None
    with pytest.raises(SignInFailed, match="revoked"):
        sessions.sign_in(secret)


def test_a_session_ends_when_it_expires_or_is_signed_out(store: Store, sessions: Sessions) -> None:
    """Other sessions stay."""
    first, second, third = (sessions.follow_link(sessions.new_link("acme")) for _ in range(3))
    sessions.sign_out(first)
    _expire(store, second)
    assert [sessions.find(one) is not None for one in (first, second, third)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("scopes", "user", "reason"),
    [(("samples:write",), None, "scope"), (("data:read",), "ada", "bound")],
)
def test_a_key_that_cannot_read_a_project_does_not_sign_in(
    store: Store, sessions: Sessions, scopes: tuple[str, ...], user: str | None, reason: str
) -> None:
    """A key that only writes, and one of a user."""
    key, secret = new_key("acme", scopes, user=user)
    store.add_key(key)
    with pytest.raises(SignInFailed, match=reason):
        sessions.sign_in(secret)


def test_attempts_are_limited_by_address() -> None:
    """After some failures; other addresses may try."""
    attempts = Attempts()
    for _ in range(MAX_FAILURES):
        attempts.check("192.0.2.1")
        attempts.failed("192.0.2.1")
    with pytest.raises(TooManyAttempts):
        attempts.check("192.0.2.1")
    attempts.check("192.0.2.2")
