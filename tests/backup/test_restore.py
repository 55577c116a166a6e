"""What is restored is what was backed up."""

import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from uptake.backup.create import create
from uptake.backup.manifest import BLOB_LIST, read_manifest, table_file
from uptake.backup.rowfile import read_rows, write_rows
from uptake.blobs import open_blobs
from uptake.store import sqlite, tables
from uptake.store.contents import BLOB_COLUMNS
from uptake.store.migrations import revision_of
from uptake.store.migrations.running import revisions, upgrade_to
from uptake.testing.live import LiveServer, serving

from .conftest import done
from .filling import LARGE_REJECTED, PNG, USERS

REVISIONS = revisions()
Rows = dict[str, list[Any]]


def rows_of(folder: Path) -> Rows:
    """All rows of a backup, in an order of their own, and those that list its blobs.

    Without the numbers of transactions, which go on from higher ones after a restore.
    """
    manifest = read_manifest(folder)
    found: Rows = {
        name: sorted(read_rows(folder, table_file(folder, name), file), key=repr)
        for name, file in manifest.tables.items()
        if name != "marks"
    }
    found["blobs"] = sorted(read_rows(folder, folder / BLOB_LIST, manifest.blobs))
    return found


def test_a_restored_store_has_the_same_rows(backup: Path, tmp_path: Path) -> None:
    """Every row and every blob: a backup of what was restored has them all."""
    found = done("restore", backup, "--data-dir", tmp_path / "data")
    done("backup", tmp_path / "again", "--data-dir", tmp_path / "data")
    expected = rows_of(backup)
    assert expected == rows_of(tmp_path / "again")
    assert (found["rows"]["users"], found["rows"]["documents"]) == (4, 103)
    assert (found["rows"]["images"], found["rows"]["sample_batches"]) == (2, 3)
    assert (found["rows"]["keys"], found["rows"]["projects"], found["blobs"]) == (
        3,
        2,
        3,
    )


def test_blobs_are_stored_in_it_unchanged(backup: Path) -> None:
    """Readable without this program."""
    blobs = [path.read_bytes() for path in (backup / "blobs").rglob("*") if path.is_file()]
    assert sorted([PNG, PNG, LARGE_REJECTED]) == sorted(blobs)


def test_a_restored_server_serves_the_same(filled: Path, backup: Path, tmp_path: Path) -> None:
    """With the keys that it had: the same profiles, samples and images."""
    done("restore", backup, "--data-dir", tmp_path / "data")
    with serving(filled) as old, serving(tmp_path / "data") as new:
        key = old.create_key()
        second = new.create_key()
        assert _served(old, key) == _served(new, second)


def _served(server: LiveServer, key: str) -> list[object]:
    found: list[object] = []
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=server.url, headers=headers) as client:
        for user in USERS:
            for path in ("", "/samples?metric=steps", "/images"):
                answer = client.get(f"/uptake/v1/users/{user}{path}")
                assert answer.status_code == 200
                found.append(answer.text.replace(server.url, ""))
        images = client.get("/uptake/v1/users/1/images").json()["images"]
        found += [client.get(image["url"]).content for image in images]
    assert found[-1] == PNG
    return found


def test_a_running_server_is_backed_up_with_environment_variables(tmp_path: Path) -> None:
    """The same variables as the server's."""
    variables = {
        "UPTAKE_DATABASE": f"sqlite:///{tmp_path}/here.db",
        "UPTAKE_BLOBS": (tmp_path / "there").as_uri(),
    }
    with serving(tmp_path / "data", **variables):
        options = ("--database", variables["UPTAKE_DATABASE"], "--blobs", variables["UPTAKE_BLOBS"])
        found = done("backup", tmp_path / "backup", *options)
    assert found["rows"]["projects"] == 1
    assert not (tmp_path / "uptake-data").exists()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_backup_of_any_revision_is_migrated(tmp_path: Path, revision: str) -> None:
    """Rows are restored into the schema that they had, then migrated."""
    old = sqlite.open_contents(tmp_path / "old.db", make=True)
    with old.writing() as connection:
        upgrade_to(connection, revision)
    old.close()
    done("backup", tmp_path / "backup", "--database", f"sqlite:///{tmp_path}/old.db")
    assert revision == read_manifest(tmp_path / "backup").revision
    done("restore", tmp_path / "backup", "--data-dir", tmp_path / "data")
    store = sqlite.open_store(tmp_path / "data" / "uptake.db")
    assert store.projects() == ["default"]
    names = sqlalchemy.inspect(store.engine).get_table_names()
    store.close()
    assert {*tables.metadata.tables, "alembic_version"} == set(names)


def test_a_backup_does_not_migrate_the_database(tmp_path: Path) -> None:
    """It is what one takes before an upgrade: the database must stay as it is."""
    path = tmp_path / "old.db"
    old = sqlite.open_contents(path, make=True)
    with old.writing() as connection:
        upgrade_to(connection, REVISIONS[-1])
        connection.exec_driver_sql("CREATE TABLE notes (text VARCHAR)")
    old.close()
    done("backup", tmp_path / "backup", "--database", f"sqlite:///{path}")
    old = sqlite.open_contents(path)
    with old.reading() as connection:
        assert revision_of(connection) == REVISIONS[-1]
    old.close()
    assert "notes" not in read_manifest(tmp_path / "backup").tables


def test_every_column_that_refers_to_a_blob_is_known() -> None:
    """Or its blobs would be missing in a backup."""
    naming = [
        (table.name, column.name)
        for table in tables.metadata.tables.values()
        for column in table.columns
        if "blob" in column.name
    ]
    assert sorted(BLOB_COLUMNS.items()) == sorted(naming)


VALUES = st.none() | st.text() | st.binary() | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=50))
def test_any_rows_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, object]]
) -> None:
    """Text, bytes, whole numbers and nothing."""
    path = tmp_path_factory.mktemp("rows") / "some.rows"
    file = write_rows(path, ("a", "b"), rows, lambda _: None)
    assert file.rows == len(rows)
    assert [list(row) for row in rows] == list(read_rows(path.parent, path, file))


class Erasing:
    """Watches a backup, and erases a user between its rows and its blobs."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._key = server.create_key("data:erase")

    def begin(self, what: str, total: int | None) -> None:
        """When the rows are copied, erase the user."""
        if what == "blobs":
            assert total == 3
            headers = {"Authorization": f"Bearer {self._key}"}
            answer = httpx2.delete(f"{self._server.url}/uptake/v1/users/1", headers=headers)
            assert answer.json()["counts"]["images"] == 1

    def advance(self, steps: int) -> None:
        """Nothing to do."""


def test_blobs_of_users_erased_during_a_backup_are_not_reported_missing(
    filled: Path, tmp_path: Path
) -> None:
    """Its images are gone, as they should be: the backup is complete without them."""
    data = shutil.copytree(filled, tmp_path / "data")
    with serving(data) as server:
        contents = sqlite.open_contents(data / "uptake.db")
        blobs = open_blobs((data / "blobs").as_uri())
        taken = create(contents, blobs, tmp_path / "backup", Erasing(server))
        contents.close()
    assert taken.missing == []
    assert taken.manifest.blobs.rows == 1
    assert done("restore", tmp_path / "backup", "--data-dir", tmp_path / "back")["blobs"] == 1
