"""Conformance suite: links to the console, and sessions in it."""

from msgspec.structs import replace

from uptake.store.base import Store
from uptake.store.console_ports import ConsoleToken
from uptake.testing.store.making import NOON, OpensStore


class ConsoleTokensSuite(OpensStore):
    """Tokens are returned until they are deleted, and a link is followed once."""

    def test_a_token_is_returned_as_it_was(self, store: Store) -> None:
        """Of a key or of an operator; a new project replaces the first."""
        session = ConsoleToken("d-1", "session", "default", "k-1", NOON + 10)
        link = ConsoleToken("d-2", "link", "other", None, NOON + 20)
        for token in (session, link):
            store.put_console_token(token, NOON)
        assert [store.console_token(name) for name in ("d-1", "d-2")] == [session, link]
        assert store.console_token("d-3") is None
        moved = replace(session, project="other")
        store.put_console_token(moved, NOON)
        assert store.console_token("d-1") == moved

    def test_expired_tokens_are_deleted_when_another_is_stored(self, store: Store) -> None:
        """Those that expire later stay."""
        for number in (1, 2, 3):
            token = ConsoleToken(f"d-{number}", "session", "default", None, NOON + number)
            store.put_console_token(token, NOON)
        store.put_console_token(ConsoleToken("d-4", "link", "default", None, NOON + 9), NOON + 2)
        left = [name for name in ("d-1", "d-2", "d-3", "d-4") if store.console_token(name)]
        assert left == ["d-3", "d-4"]

    def test_a_token_is_deleted_once(self, store: Store) -> None:
        """Others stay."""
        for name in ("d-1", "d-2"):
            store.put_console_token(ConsoleToken(name, "link", "default", None, NOON + 1), NOON)
        assert store.delete_console_token("d-1") is True
        assert store.delete_console_token("d-1") is False
        assert store.console_token("d-1") is None
        assert store.console_token("d-2") is not None
