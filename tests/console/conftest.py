"""A server for tests of the console, which count what it stores."""

from collections.abc import Iterator

import pytest

from uptake.testing.live import ALL_WRITES, LiveServer, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for the pages."""
    with serving(tmp_path_factory.mktemp("console") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def secret(server: LiveServer) -> str:
    """A key that may do everything."""
    return server.create_key(*ALL_WRITES, "data:read", "admin", "data:erase")
