"""A project of its own for every test, on servers over each engine."""

from collections.abc import Iterator

import httpx2
import pytest

from deployments import Deployment
from service_probe import probing
from uptake.store.base import Store

from .tenant import Tenant, new_tenant


@pytest.fixture
def store(deployment: Deployment) -> Store:
    """The servers' store, opened beside them."""
    return deployment.store


@pytest.fixture
def client(deployment: Deployment) -> httpx2.Client:
    """A client of the servers; it carries no key."""
    return deployment.client


@pytest.fixture
def tenant(client: httpx2.Client, store: Store) -> Tenant:
    """A project that no one else uses, with the document type `mood`."""
    made = new_tenant(client, store)
    made.type("mood")
    return made


@pytest.fixture
def served_throughout(deployment: Deployment) -> Iterator[None]:
    """Requires that the servers answer honest clients in time during the whole test."""
    honest = new_tenant(deployment.client, deployment.store)
    with probing([server.url for server in deployment.servers], honest.key("samples:write")):
        yield
