"""How the conformance suite opens the blob store under test."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from uptake.blobs import Blobs


class OpensBlobs:
    """What a back end's test fills in, and the store that each test is given."""

    def open_blobs(self, place: Path) -> Blobs:
        """A blob store in this folder, or by its name elsewhere; empty at first.

        The same place opened again is the same store, also while it is open.
        """
        raise NotImplementedError

    def out_of_reach(self, place: Path) -> AbstractContextManager[None]:
        """While the block runs the store cannot be reached; what it holds outlives it."""
        raise NotImplementedError

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        """A new store."""
        return self.open_blobs(tmp_path)
