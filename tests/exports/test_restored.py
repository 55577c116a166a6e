"""Exports go on after a backup was restored, from cursors that were given after it was taken."""

from contextlib import closing
from pathlib import Path

import pytest

from uptake.blobs import Blobs
from uptake.cli import run
from uptake.settings import Settings
from uptake.store import sqlite
from uptake.testing.postgres import Postgres
from uptake.wiring import open_store

from .opening import export, rows
from .project import batch, commit, sample


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Where a backup is restored to, as options of the command line."""
    where = ["--data-dir", str(tmp_path / "restored")]
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgresql")
        server.drop("restored_exports")
        where += ["--database", server.create("restored_exports")]
    return where


def test_data_received_after_a_restore_is_in_increments(
    some_blobs: Blobs, tmp_path: Path, target: list[str]
) -> None:
    """Even if as much was received after the backup and lost."""
    data = tmp_path / "data"
    data.mkdir()
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        commit(store, batch("anna", [sample("2025-01-01T00:00:00Z")]))
        assert run(["backup", str(tmp_path / "backup"), "--data-dir", str(data)]) == 0
        for day in range(2, 9):
            commit(store, batch("lost", [sample(f"2025-01-0{day}T00:00:00Z")]))
        _, cursor = export(store, some_blobs, "samples")
    assert run(["restore", str(tmp_path / "backup"), *target]) == 0
    options = dict(zip(target[::2], target[1::2], strict=True))
    settings = Settings(
        data_dir=Path(options["--data-dir"]), database=options.get("--database", "")
    )
    with closing(open_store(settings)) as store:
        assert rows(store, some_blobs, "samples", since=cursor) == []
        commit(store, batch("new", [sample("2025-01-01T00:00:00Z")]))
        found = rows(store, some_blobs, "samples", since=cursor)
        assert [row["user_id"] for row in found] == ["new"]
        assert len(rows(store, some_blobs, "samples")) == 2
