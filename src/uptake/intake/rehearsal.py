"""A rehearsal: a submission is accepted as every other, and nothing of it is stored.

It is validated in the same way, and written in a transaction that is undone: so its outcome is that
of the same submission if it were stored now.
"""

from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

from uptake.store.base import Commits
from uptake.store.records import Entry
from uptake.store.stored import Committed


class NoBlobs:
    """Drops the bytes that would be stored. See `BlobSink`."""

    def put(self, name: str, content: bytes) -> None:
        """Store nothing."""


class Rehearsal:
    """Writes entries and undoes it. See `Committer`.

    Args:
        store: where entries would be written.
    """

    def __init__(self, store: Commits) -> None:
        self._store = store

    @property
    def arriving(self) -> AbstractContextManager[None]:
        """A block without effect: an entry is written alone."""
        return nullcontext()

    def submit(self, entry: Entry) -> Future[Committed]:
        """Return the outcome that the entry would have.

        Raises:
            StoreUnavailable: as of the store.
        """
        future: Future[Committed] = Future()
        future.set_result(self._store.rehearse(entry))
        return future
