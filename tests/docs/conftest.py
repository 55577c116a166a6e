"""Fixtures of the tests of documents."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .fork_server import uptake_program


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a program `uptake` that has nothing to import."""
    folder = tmp_path_factory.mktemp("programs")
    with uptake_program(folder):
        yield folder
