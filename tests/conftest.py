"""What tests of every kind share: a live server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports them: their assertions are to tell what they compared.
pytest.register_assert_rewrite(
    "uptake.testing.store", "uptake.testing.blobs", "uptake.testing.vectors"
)

from uptake.testing.live import LiveServer, serving  # noqa: E402
from uptake.testing.postgres import Postgres, postgres  # noqa: E402


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that do not stop it; each takes a database of its own."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that neither stop it nor count what it holds."""
    with serving(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def key(live: LiveServer) -> str:
    """A key of the live server that may write and read everything in the default project."""
    return live.create_key()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder for a server of the test's own; not made yet."""
    return tmp_path / "data"
