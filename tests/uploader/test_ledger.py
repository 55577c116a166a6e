"""Every supported version of Python executes the ledger's statements, and its files are closed."""

import re
import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from uptake.uploader.ledger import LedgerUnusable

from .sending import Sender, counts_of, some, write

NUMBERED = re.compile(r"\?[0-9]")


class Strict(sqlite3.Connection):
    """From Python 3.14 on, numbered placeholders do not take a sequence."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Reject a sequence."""
        assert isinstance(parameters, dict) or not NUMBERED.search(sql), sql
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Reject sequences."""
        rows = list(parameters)
        assert all(isinstance(row, dict) for row in rows) or not NUMBERED.search(sql), sql
        return super().executemany(sql, rows)


def test_numbered_placeholders_take_values_by_their_numbers(
    sender: Sender, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first run, and in one after a correction."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Strict))
    good, bad = some(user, 9), some(user, 1, first=20, value=-1)
    expected = {"read": 10, "acknowledged": 9, "refused": 1, "requests": 1}
    assert sender.send(good + bad) == expected
    corrected = good + some(user, 3, first=20)
    assert sender.send(corrected) == {"read": 12, "known": 9, "acknowledged": 3, "requests": 1}
    table = write(sender.folder / "profiles.ndjson", [{"user_id": user, "age": 30, "city": "Rome"}])
    for count in ("acknowledged", "known"):
        assert counts_of(sender.uploader().send_profiles(table))[count] == 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_run_without_a_usable_ledger_leaves_no_database_open(
    sender: Sender, user: str, monkeypatch: pytest.MonkeyPatch, *, dry_run: bool
) -> None:
    """Neither the ledger, nor its copy in memory, nor the reports of rejected rows."""
    opened: list[sqlite3.Connection] = []

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(sqlite3.dbapi2.connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    (sender.folder / "sent.ledger").write_bytes(b"not a database " * 100)
    with pytest.raises(LedgerUnusable, match="not a ledger"):
        sender.send(some(user, 1), dry_run=dry_run)
    assert opened
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
