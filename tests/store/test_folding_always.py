"""The stores pass the suites that store samples while everything is folded all the time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.test_postgres import OpensPostgres
from store.test_sqlite import OpensSqlite
from uptake.store.base import Store, StoreUnavailable
from uptake.store.sql_store import SqlStore
from uptake.testing.store import (
    BatchQueriesSuite,
    ChangeFeedSuite,
    CommitsSuite,
    DeletionsSuite,
    ErasuresSuite,
    FoldingSuite,
    OutboxSuite,
    OutboxUpkeepSuite,
    RetentionSuite,
    SegmentWatchesSuite,
    SnapshotsSuite,
    UserQueriesSuite,
)
from uptake.testing.store.commits import Volume
from uptake.testing.store.concurrency import Concurrency
from uptake.testing.store.faults import Durability
from uptake.testing.store.folding import LEAST
from uptake.testing.store.users import Users

PAUSE_SECONDS = 0.002
"""Between two folds."""


FOLDING = threading.Lock()
"""Is held during a fold."""


def always_folding(store: SqlStore) -> SqlStore:
    """Fold in a thread until the store is closed."""
    stop, close = threading.Event(), store.close

    def fold() -> None:
        while not stop.wait(PAUSE_SECONDS):
            with suppress(StoreUnavailable), FOLDING:
                for project in store.projects():
                    store.fold(project, LEAST, stop.is_set)

    thread = threading.Thread(target=fold, name="folding", daemon=True)

    def stop_and_close() -> None:
        stop.set()
        if thread.is_alive():
            thread.join()
        close()

    store.close = stop_and_close  # type: ignore[method-assign]
    thread.start()
    return store


class WithSamples(
    CommitsSuite,
    Users,
    BatchQueriesSuite,
    UserQueriesSuite,
    ChangeFeedSuite,
    SnapshotsSuite,
    ErasuresSuite,
    DeletionsSuite,
    RetentionSuite,
    FoldingSuite,
    OutboxSuite,
    OutboxUpkeepSuite,
    SegmentWatchesSuite,
    Concurrency,
    Durability,
    Volume,
):
    """What stores samples, reads them, or deletes them; nothing else is folded."""


class TestSqliteStore(OpensSqlite, WithSamples):
    """On SQLite."""

    def open_store(self, place: Path) -> SqlStore:
        """The same store."""
        return always_folding(super().open_store(place))


class TestPostgresStore(OpensPostgres, WithSamples):
    """On PostgreSQL."""

    def open_store(self, place: Path) -> SqlStore:
        """The same store."""
        return always_folding(super().open_store(place))

    @contextmanager
    def unwritable(self, store: Store, place: Path) -> Iterator[None]:
        """Without folds: the suite's way affects connections only that have never read."""
        with FOLDING, super().unwritable(store, place):
            yield
