"""Backups of PostgreSQL, and between the engines."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from faults.ledger import (
    BOUND_USER,
    Ledger,
    Load,
    acknowledged,
    send_documents_again,
    verify,
    wait_for_all_kinds,
)
from faults.uploads import Uploads, keys_of
from uptake.testing.live import LiveServer
from uptake.testing.postgres import Postgres

from .conftest import done, rejected
from .test_restore import rows_of


@contextmanager
def _database(server: Postgres) -> Iterator[str]:
    """A new database, by its URL."""
    name = f"backup{uuid4().hex}"
    yield server.create(name)
    server.drop(name)


def test_from_sqlite_to_postgresql_and_back(
    backup: Path, postgresql: Postgres, tmp_path: Path
) -> None:
    """All of it arrives, each time."""
    with _database(postgresql) as url:
        done("restore", backup, "--database", url, "--blobs", (tmp_path / "blobs").as_uri())
        there = tmp_path / "there"
        done("backup", there, "--database", url, "--blobs", (tmp_path / "blobs").as_uri())
        assert "is not empty" in rejected("restore", backup, "--database", url)
    done("restore", there, "--data-dir", tmp_path / "data")
    done("backup", tmp_path / "back", "--data-dir", tmp_path / "data")
    assert rows_of(backup) == rows_of(there) == rows_of(tmp_path / "back")


def test_a_backup_of_postgresql_has_everything_acknowledged_before(
    postgresql: Postgres, data_dir: Path, tmp_path: Path
) -> None:
    """Under load; restored into another database."""
    ledger = Ledger()
    with _database(postgresql) as first, _database(postgresql) as second:
        server = LiveServer(data_dir, environment={"UPTAKE_DATABASE": first})
        server.start()
        try:
            keys = keys_of(server, BOUND_USER)
            load = Load(ledger, server.url, keys)
            load.start(first=0)
            wait_for_all_kinds(ledger)
            before = acknowledged(ledger)
            done("backup", tmp_path / "backup", "--data-dir", data_dir, "--database", first)
            load.end()
        finally:
            server.kill()
        shutil.rmtree(data_dir)
        done("restore", tmp_path / "backup", "--data-dir", data_dir, "--database", second)
        server = LiveServer(data_dir, environment={"UPTAKE_DATABASE": second})
        server.start()
        try:
            uploads = Uploads(server.url, *keys)
            verify(before, uploads)
            send_documents_again(before, uploads)
            uploads.close()
        finally:
            server.kill()
