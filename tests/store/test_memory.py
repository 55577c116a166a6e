"""The store in memory is a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uptake.store.base import Store
from uptake.store.memory import MemoryStore
from uptake.testing.store import StoreConformance


class TestMemoryStore(StoreConformance):
    """Everything that a store does that need not outlive its process."""

    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self._stores: dict[Path, MemoryStore] = {}

    def open_store(self, place: Path) -> MemoryStore:
        """One store for a place, while a test runs."""
        return self._stores.setdefault(place, MemoryStore())

    @contextmanager
    def out_of_reach(self, store: Store, place: Path) -> Iterator[None]:
        """The switch that it has for this."""
        del store
        self._stores[place].reachable = False
        yield
        self._stores[place].reachable = True
