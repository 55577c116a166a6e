"""New databases on each engine."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from uptake.store import postgres, sqlite
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres

ENGINES = ("sqlite", "postgresql")
"""The parameters of a fixture that calls `new_database`."""


def new_database(request: pytest.FixtureRequest, folder: Path) -> Callable[[], SqlStore]:
    """Return what opens a new database, however often.

    Args:
        request: of a fixture with an engine as its parameter.
        folder: where a file may be created.
    """
    if request.param == "sqlite":
        return partial(sqlite.open_store, folder / "uptake.db")
    server: Postgres = request.getfixturevalue("postgresql")
    return partial(postgres.open_store, server.emptied(request.module.__name__.split(".")[-1]))
