"""How a suite gets at the store that it judges."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from uptake.store.base import Store


class OpensStore:
    """What a back end's test fills in, and the store that each test is given."""

    def open_store(self, place: Path) -> Store:
        """A store that keeps what it holds in this folder, or by its name elsewhere; new at first.

        The same place opened again is the same store, also while it is open.
        """
        raise NotImplementedError

    def out_of_reach(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """While the block runs the store cannot be reached; what it holds outlives it."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store, closed after the test."""
        with closing(self.open_store(tmp_path)) as store:
            yield store
