"""PostgreSQL passes the conformance suite of stores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from uptake.store import postgres
from uptake.store.base import Store
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres
from uptake.testing.store import DurableStoreConformance
from uptake.testing.store.making import OpensStore

DATABASE = "conformance"
ADDRESS = "address"
"""A file of a test's folder, from which other processes too learn where its database is."""


class OpensPostgres(OpensStore):
    """How a store on PostgreSQL is opened and broken."""

    _server: Postgres

    @pytest.fixture(autouse=True)
    def _database(self, postgresql: Postgres, tmp_path: Path) -> None:
        self._server = postgresql
        (tmp_path / ADDRESS).write_text(postgresql.emptied(DATABASE))

    def open_store(self, place: Path) -> SqlStore:
        """Open the database with the address in the folder."""
        return postgres.open_store((place / ADDRESS).read_text())

    @contextmanager
    def out_of_reach(self, store: Store, place: Path) -> Iterator[None]:
        """Close all connections and reject new ones, as while the server is replaced."""
        del store, place
        self._server.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")
        self._server.disconnect(DATABASE)
        try:
            yield
        finally:
            self._server.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")

    @contextmanager
    def unwritable(self, store: Store, place: Path) -> Iterator[None]:
        """The server can only be read, as a standby before it takes over."""
        del store, place
        setting = "default_transaction_read_only"
        self._server.execute(f"ALTER DATABASE {DATABASE} SET {setting} = on")
        self._server.disconnect(DATABASE)
        try:
            yield
        finally:
            self._server.execute(f"ALTER DATABASE {DATABASE} RESET {setting}")
            self._server.disconnect(DATABASE)


class TestPostgresStore(OpensPostgres, DurableStoreConformance):
    """All ports."""

    def test_groups_do_not_deadlock(self, stores: Sequence[Store]) -> None:
        """All lock in one order; the server would break a circle, but only after a second."""
        seen = len(self._server.log)
        self.test_groups_of_any_mixture_get_past_each_other(stores)
        assert "deadlock" not in self._server.log[seen:]
