"""A database file is made, brought up to date, or rejected with a sentence."""

import multiprocessing
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from uptake.store import sqlite, tables
from uptake.store.base import StoreUnusable
from uptake.store.definitions import Rate
from uptake.store.migrations import HEAD
from uptake.store.migrations.running import revisions, upgrade_to
from uptake.testing.store.making import NOON

OPENERS = 4
UNPRIVILEGED = 65534
"""The user id that owns nothing."""


def test_the_migrated_schema_is_the_one_the_code_uses(tmp_path: Path) -> None:
    """Tables, columns, types and indexes: nothing to migrate is left."""
    with (
        closing(sqlite.open_store(tmp_path / "uptake.db")) as store,
        store.reading() as connection,
    ):
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_a_fresh_schema_is_the_migrated_one(tmp_path: Path) -> None:
    """Also in what a comparison of the tables leaves out: keys, order, defaults, row ids."""
    fresh = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    tables.metadata.create_all(fresh)
    with closing(sqlite.open_store(tmp_path / "migrated.db")) as store:
        expected, actual = _schema(fresh), _schema(store.engine)
    fresh.dispose()
    assert expected == actual


def test_the_last_revision_is_that_of_alembic() -> None:
    """It is taken from the names of the files, so that a database need not wait for Alembic."""
    assert revisions()[0] == HEAD


def _schema(engine: sqlalchemy.Engine) -> dict[str, object]:
    found: dict[str, object] = {}
    with engine.connect() as connection:
        for table in tables.metadata.tables:
            found[table] = {
                pragma: sorted(map(repr, connection.exec_driver_sql(f"PRAGMA {pragma}('{table}')")))
                for pragma in ("table_xinfo", "foreign_key_list")
            }
            listed = connection.exec_driver_sql(f"PRAGMA index_list('{table}')").mappings().all()
            found[f"{table} indexes"] = sorted(
                (row["unique"], row["origin"], row["partial"], _index(connection, row["name"]))
                for row in listed
            )
        rowids = connection.exec_driver_sql("SELECT name, wr FROM pragma_table_list")
        found["without row ids"] = sorted(
            (name, without) for name, without in rowids if name in tables.metadata.tables
        )
    return found


def _index(connection: sqlalchemy.Connection, name: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(f"PRAGMA index_xinfo('{name}')")]


def test_keys_of_an_earlier_version_have_their_rate(tmp_path: Path) -> None:
    """And everything else that they had."""
    path = tmp_path / "uptake.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade_to(connection, "0008")
        for name, rate in (("a", (300, 60)), ("b", (None, None))):
            values = (name, f"digest-{name}", "default", "admin data:read", *rate, NOON)
            connection.exec_driver_sql(
                "INSERT INTO keys (id, digest, project_id, scopes, rate_requests, rate_seconds,"
                " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
    engine.dispose()
    with closing(sqlite.open_store(path)) as store:
        found = [store.key(f"digest-{name}") for name in "ab"]
    assert [one and (one.id, one.scopes, one.rates, one.created_at) for one in found] == [
        ("a", ("admin", "data:read"), (Rate(300, 60),), NOON),
        ("b", ("admin", "data:read"), (), NOON),
    ]


def test_a_store_opened_again_is_not_migrated_again(tmp_path: Path) -> None:
    """What is in it stays."""
    for expected in (["default", "one"], ["default", "one"]):
        with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
            if "one" not in store.projects():
                store.add_project("one", NOON)
            assert expected == store.projects()


def test_a_database_of_a_newer_version_is_rejected(tmp_path: Path) -> None:
    """The message has the remedy, and the file does not change."""
    path = tmp_path / "uptake.db"
    sqlite.open_store(path).close()
    with closing(sqlite3.connect(path)) as driver, driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable) as rejected:
        sqlite.open_store(path)
    expected = f"{path}: the data was written by a newer version of Uptake; use that one"
    assert expected == str(rejected.value)
    with closing(sqlite3.connect(path)) as driver:
        assert driver.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_a_file_that_is_not_a_database_is_rejected(tmp_path: Path) -> None:
    """And it stays as it is."""
    path = tmp_path / "uptake.db"
    path.write_bytes(b"These are my notes.\n" * 1000)
    with pytest.raises(StoreUnusable, match="file is not a database") as rejected:
        sqlite.open_store(path)
    assert str(rejected.value).startswith(f"{path}: ")
    assert path.read_bytes() == b"These are my notes.\n" * 1000


def test_a_folder_in_the_place_of_the_file_is_rejected(tmp_path: Path) -> None:
    """One sentence that names it."""
    (tmp_path / "uptake.db").mkdir()
    with pytest.raises(StoreUnusable, match="^" + str(tmp_path / "uptake.db") + ": [^\n]+$"):
        sqlite.open_store(tmp_path / "uptake.db")


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    """It is not made: a mistyped path would begin an empty store."""
    with pytest.raises(StoreUnusable, match="^" + str(tmp_path / "none") + "/uptake.db: [^\n]+$"):
        sqlite.open_store(tmp_path / "none" / "uptake.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("migrated", [True, False], ids=["migrated data", "empty file"])
def test_a_file_that_cannot_be_written_is_rejected(*, migrated: bool) -> None:
    """Whether it holds data or not; when it can be written again, it opens."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "uptake.db"
        if migrated:
            sqlite.open_store(path).close()
        else:
            path.touch()
        with _may_only_read(path), pytest.raises(StoreUnusable, match=f"^{path}: [^\n]+$"):
            sqlite.open_store(path)
        sqlite.open_store(path).close()


@contextmanager
def _may_only_read(path: Path) -> Iterator[None]:
    """Make a file and its folder writable for root only, and drop root's permissions."""
    user = os.geteuid()
    path.parent.chmod(0o555)
    path.chmod(0o444)
    if user == 0:
        os.seteuid(UNPRIVILEGED)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        path.parent.chmod(0o755)
        path.chmod(0o644)


def _open(path: Path) -> list[str]:
    with closing(sqlite.open_store(path)) as store:
        return store.projects()


def test_many_threads_that_open_a_new_file_create_it_once(tmp_path: Path) -> None:
    """None raises an error, and each finds all of it."""
    with ThreadPoolExecutor(OPENERS) as pool:
        for number in range(5):
            found = list(pool.map(_open, [tmp_path / f"{number}.db"] * OPENERS))
            assert found == [["default"]] * OPENERS


def test_many_processes_that_open_a_new_file_create_it_once(tmp_path: Path) -> None:
    """As several workers do that start together."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(OPENERS, mp_context=spawn) as pool:
        list(pool.map(_open, [tmp_path / "first.db"] * OPENERS))
        for number in range(20):
            found = list(pool.map(_open, [tmp_path / f"{number}.db"] * OPENERS))
            assert found == [["default"]] * OPENERS
