"""A schema passes the conformance suite of stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uptake.store import schemas
from uptake.store.base import Store
from uptake.store.sql_store import SqlStore
from uptake.testing.postgres import Postgres, postgres
from uptake.testing.store import DurableStoreConformance

DATABASE = "shared"
ADDRESS = "address"
"""A file of a test's folder, from which other processes too learn where its schema is."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL of the suite's own."""
    with postgres() as started:
        started.create(DATABASE)
        yield started


class TestSchemas(DurableStoreConformance):
    """All ports."""

    @pytest.fixture(autouse=True)
    def _schema(self, server: Postgres, tmp_path: Path) -> None:
        self._server = server
        name = tmp_path.name.replace("-", "_").replace(".", "_")[:60]
        address = server.url(DATABASE).replace("postgresql:", "schemas:")
        (tmp_path / ADDRESS).write_text(f"{address}#{name}")

    def open_store(self, place: Path) -> SqlStore:
        """Open the schema with the address in the folder."""
        return schemas.open_store((place / ADDRESS).read_text())

    @contextmanager
    def out_of_reach(self, store: Store, place: Path) -> Iterator[None]:
        """Close all connections, and reject new ones."""
        self._server.execute("ALTER DATABASE shared ALLOW_CONNECTIONS false")
        self._server.disconnect(DATABASE)
        yield
        self._server.execute("ALTER DATABASE shared ALLOW_CONNECTIONS true")

    @contextmanager
    def unwritable(self, store: Store, place: Path) -> Iterator[None]:
        """Make the server read-only, like a standby."""
        self._server.execute("ALTER DATABASE shared SET default_transaction_read_only = on")
        self._server.disconnect(DATABASE)
        yield
        self._server.execute("ALTER DATABASE shared RESET default_transaction_read_only")
        self._server.disconnect(DATABASE)
