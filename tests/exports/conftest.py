"""A store on disk with a project in it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from uptake.blobs import Blobs
from uptake.store import sqlite
from uptake.store.base import Store

from .project import blobs_in, fill


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A blob store of the test's own."""
    return blobs_in(tmp_path)


@pytest.fixture(scope="session")
def some_blobs(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    """A blob store that is asked for nothing, for tests of many examples."""
    return blobs_in(tmp_path_factory.mktemp("blobs"))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        yield store


@pytest.fixture
def store(empty: Store, blobs: Blobs) -> Store:
    """The same with something of every kind."""
    fill(empty, blobs)
    return empty
