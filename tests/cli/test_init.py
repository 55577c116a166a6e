"""Which commands create a database, and what the others report in a folder without one."""

import json
from pathlib import Path

import httpx2
import pytest

from backup.filling import fill
from uptake.testing.live import serving
from uptake.testing.postgres import Postgres

from .conftest import Uptake
from .test_usage import STORE_COMMANDS

WITHOUT_A_DATABASE = [
    *(command for command in STORE_COMMANDS if command[0] != "serve"),
    ("backup", "monday"),
    ("export", "samples", "samples.parquet"),
    ("types", "versions", "check-in"),
    ("users", "show", "42"),
    ("users", "archive", "42", "42.zip"),
    ("users", "erase", "42"),
    ("users", "readmit", "42", "--after-erasure"),
    ("erasures", "list"),
    ("erasures", "show", "id"),
    ("rejections", "list"),
    ("rejections", "show", "id"),
    ("rejections", "replay", "--all"),
    ("segments", "list"),
    ("segments", "show", "older"),
    ("segments", "users", "older"),
    ("segments", "delete", "older"),
    ("retention", "list"),
    ("retention", "create", "samples", "365"),
    ("retention", "delete", "samples"),
]


@pytest.mark.parametrize("command", WITHOUT_A_DATABASE, ids=" ".join)
def test_a_command_in_a_folder_without_a_database_fails(
    uptake: Uptake, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """One line names the folder, the command that creates a database, and how to name another."""
    failed = uptake(*command)
    failed.assert_failed(1, f"{tmp_path}/uptake-data", "`uptake init`", "--data-dir")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_without_a_database_stays_empty(
    uptake: Uptake, tmp_path: Path
) -> None:
    """No file is made in it, not even a lock."""
    (tmp_path / "empty").mkdir()
    uptake("keys", "list", "--data-dir", "empty").assert_failed(1, f"{tmp_path}/empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_file_without_tables_is_no_database(uptake: Uptake, tmp_path: Path) -> None:
    """An empty file is what an interrupted start leaves."""
    (tmp_path / "uptake-data").mkdir()
    (tmp_path / "uptake-data" / "uptake.db").touch()
    uptake("keys", "list").assert_failed(1, "`uptake init`")
    assert uptake("init").status == 0
    assert uptake("keys", "list").status == 0


def test_a_database_url_without_a_database_is_reported(uptake: Uptake, tmp_path: Path) -> None:
    """The line names the file, and how to name another."""
    failed = uptake("keys", "list", "--database", "sqlite:///none.db")
    failed.assert_failed(1, "none.db", "`uptake init`", "--database")
    assert list(tmp_path.iterdir()) == []


def test_init_creates_a_database_once(uptake: Uptake, tmp_path: Path) -> None:
    """A second time it changes nothing."""
    folder = tmp_path / "uptake-data"
    first = uptake("init")
    assert (first.status, first.out) == (0, f"Created a database in {folder}.\n")
    assert uptake("projects", "create", "acme").status == 0
    assert uptake("init").out == f"There is a database in {folder} already.\n"
    assert uptake("projects", "list").out == "acme\ndefault\n"
    created, found = (uptake("init", "--data-dir", "other", "--json").json for _ in range(2))
    assert (created["created"], found["created"]) == (True, False)
    assert created["instance"] == found["instance"]


def test_init_prints_the_id_that_the_server_answers(uptake: Uptake, tmp_path: Path) -> None:
    """So that a script can compare it with `GET /uptake/v1`."""
    made = uptake("init", "--data-dir", "data", "--json").json
    with serving(tmp_path / "data") as server:
        headers = {"Authorization": f"Bearer {server.create_key('data:read')}"}
        service = httpx2.get(f"{server.url}/uptake/v1", headers=headers).json()
    assert service["instance"] == made["instance"]


def test_restore_creates_a_database(uptake: Uptake, tmp_path: Path) -> None:
    """As a server does; a check of a backup creates none."""
    with serving(tmp_path / "data") as server:
        fill(server)
        assert uptake("backup", "monday", "--data-dir", "data").status == 0
    assert uptake("restore", "monday", "--check").status == 0
    assert not (tmp_path / "uptake-data").exists()
    assert uptake("restore", "monday").status == 0
    assert json.loads(uptake("keys", "list", "--json").out)


def test_postgresql_without_tables_is_reported(uptake: Uptake, postgresql: Postgres) -> None:
    """Commands leave the database empty; `uptake init` creates the tables."""
    url = postgresql.create("without_tables")
    for command in (("keys", "list"), ("backup", "monday"), ("db", "distribute")):
        failed = uptake(*command, "--database", url)
        assert (failed.status, failed.out) == (1, "")
    uptake("keys", "list", "--database", url).assert_failed(1, "no tables", "`uptake init`")
    created = uptake("init", "--database", url)
    assert (created.status, created.out) == (0, "Created the tables in the database.\n")
    assert uptake("projects", "list", "--database", url).out == "default\n"
