"""What tests of every kind share: a live server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports them: their assertions are to tell what they compared.
pytest.register_assert_rewrite(
    "uptake.testing.store", "uptake.testing.blobs", "uptake.testing.vectors"
)

# How long an example takes says more about the machine than about the law.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

from uptake.testing.live import LiveServer, serving  # noqa: E402
from uptake.testing.seaweedfs import SeaweedFS, object_store  # noqa: E402


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that neither stop it nor count what it holds."""
    with serving(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def key(live: LiveServer) -> str:
    """A key of the live server that may write and read everything in the default project."""
    return live.create_key()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One object store for all tests, which use places of their own in it; it may be killed."""
    with object_store(tmp_path_factory.mktemp("seaweedfs") / "data") as store:
        yield store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder for a server of the test's own; not made yet."""
    return tmp_path / "data"
