"""How a conformance suite opens the store under test."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from uptake.store.base import Store


class OpensStore:
    """Base of all suites: what a back end's test class implements, and the store of each test."""

    def open_store(self, place: Path) -> Store:
        """Open the store of this folder, or of a name that follows from it; new at first.

        Opening the same place again opens the same store, also while it is open.
        """
        raise NotImplementedError

    def out_of_reach(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """Make the store unreachable while the block runs; its content stays."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store, closed after the test."""
        with closing(self.open_store(tmp_path)) as store:
            yield store
