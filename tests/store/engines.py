"""New databases on each engine."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from uptake.store import postgres, sqlite
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres

ENGINES = ("sqlite", "postgresql")
"""The parameters of a fixture that calls `new_database`."""


@cache
def _new_sqlite() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "uptake.db"
        sqlite.open_store(path).close()
        return path.read_bytes()


def open_sqlite(path: Path) -> SqlStore:
    """Open a database. A new one is a copy: its migrations take longer than most tests."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_new_sqlite())
    return sqlite.open_store(path)


def new_database(request: pytest.FixtureRequest, folder: Path) -> Callable[[], SqlStore]:
    """Return what opens a new database, however often.

    Args:
        request: of a fixture with an engine as its parameter.
        folder: where a file may be created.
    """
    if request.param == "sqlite":
        return partial(open_sqlite, folder / "uptake.db")
    server: Postgres = request.getfixturevalue("postgresql")
    return partial(postgres.open_store, server.emptied(request.module.__name__.split(".")[-1]))
