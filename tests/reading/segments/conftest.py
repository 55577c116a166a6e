"""A store for the tests of segments."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.store import sqlite
from uptake.store.sql_store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A new database."""
    opened = sqlite.open_store(tmp_path / "uptake.db")
    yield opened
    opened.close()
