"""The live server of these tests, and what those of the contract need of it."""

from collections.abc import Iterator

import pytest

from contract.conftest import client, store, tenant
from deployments import Deployment, deployed
from uptake.testing.live import LiveServer, serving
from uptake.testing.seaweedfs import SeaweedFS

__all__ = ["client", "store", "tenant"]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, seaweedfs: SeaweedFS) -> Iterator[LiveServer]:
    """A server that neither stops nor counts, over a place of its own in the object store."""
    folder = tmp_path_factory.mktemp("live") / "data"
    blobs = seaweedfs.url("live/images")
    with serving(folder, "--blobs", blobs, **seaweedfs.environment) as server:
        yield server
        assert not (folder / "blobs").exists()


@pytest.fixture(scope="session")
def deployment(live: LiveServer) -> Iterator[Deployment]:
    """That server alone; the contract's tests run on several nodes over an object store too."""
    with deployed([live]) as found:
        yield found
