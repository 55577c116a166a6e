"""The stores pass their conformance suite while everything is folded all the time."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from store.test_postgres import TestPostgresStore as PostgresConformance
from store.test_sqlite import TestSqliteStore as SqliteConformance
from uptake.store.base import Store, StoreUnavailable
from uptake.store.sql_store import SqlStore
from uptake.testing.store.folding import LEAST

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


class TestSqliteStore(SqliteConformance):
    """On SQLite."""

    def open_store(self, place: Path) -> SqlStore:
        """The same store."""
        return always_folding(super().open_store(place))

    @contextmanager
    def out_of_reach(self, store: Store, place: Path) -> Iterator[None]:
        """Between two folds: a connection in use would not be closed with the others."""
        with ExitStack() as stack:
            with FOLDING:
                stack.enter_context(super().out_of_reach(store, place))
            yield


class TestPostgresStore(PostgresConformance):
    """On PostgreSQL."""

    def open_store(self, place: Path) -> SqlStore:
        """The same store."""
        return always_folding(super().open_store(place))

    @contextmanager
    def unwritable(self, store: Store, place: Path) -> Iterator[None]:
        """Without folds: the suite's way affects connections only that have never read."""
        with FOLDING, super().unwritable(store, place):
            yield


del SqliteConformance, PostgresConformance
