"""A project of its own for every test, on the live server."""

from collections.abc import Iterator

import httpx2
import pytest

from uptake.settings import Settings
from uptake.store.base import Store
from uptake.testing.live import LiveServer
from uptake.wiring import open_store

from .tenant import Tenant, new_tenant


@pytest.fixture(scope="session")
def store(live: LiveServer) -> Iterator[Store]:
    """The live server's store, opened beside it."""
    opened = open_store(Settings(data_dir=live.data_dir))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def client(live: LiveServer) -> Iterator[httpx2.Client]:
    """A client of the live server; it carries no key."""
    with httpx2.Client(base_url=live.url, timeout=30) as opened:
        yield opened


@pytest.fixture
def tenant(client: httpx2.Client, store: Store) -> Tenant:
    """A project that nobody else uses, with the document type `mood`."""
    made = new_tenant(client, store)
    made.type("mood")
    return made
