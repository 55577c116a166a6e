"""Projects of a test's own on servers over each engine, and a receiver."""

from collections.abc import Iterator

import pytest

from contract.conftest import client, store, tenant

from .receiver import Receiver, receiving

__all__ = ["client", "receiver", "store", "tenant"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything, until a test changes its answers."""
    with receiving() as one:
        yield one
