"""`uptake doctor`: what it finds in healthy and in broken deployments."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uptake.testing.postgres import Postgres, postgres

from .conftest import Done, Uptake

SCOPE = ("--scope", "samples:write")


@pytest.fixture
def made(uptake: Uptake, tmp_path: Path) -> Path:
    """The data folder of a deployment with a key and a folder for images."""
    uptake("init")
    uptake("keys", "create", *SCOPE)
    folder = tmp_path / "uptake-data"
    (folder / "blobs").mkdir()
    return folder


@pytest.fixture(scope="module")
def careless() -> Iterator[Postgres]:
    """A PostgreSQL server with settings that give up durability for speed."""
    with postgres(fsync="off", full_page_writes="off", synchronous_commit="off") as server:
        yield server


def _by_name(done: Done) -> dict[str, Any]:
    return {check["name"]: check for check in done.json["checks"]}


def _statuses(done: Done) -> dict[str, str]:
    """Of each check but the clock: whether a machine for tests synchronises it is not known."""
    return {name: check["status"] for name, check in _by_name(done).items() if name != "clock"}


@pytest.mark.usefixtures("made")
def test_a_healthy_deployment_has_no_faults(uptake: Uptake) -> None:
    """SQLite and a folder; exit status 0, also with warnings."""
    done = uptake("doctor", "--json")
    assert (done.status, done.json["healthy"]) == (0, True)
    assert set(_statuses(done).values()) == {"ok"}
    assert set(_statuses(done)) == {
        *("owner", "permissions", "disk", "file system", "database", "journal_mode"),
        *("synchronous", "schema", "keys", "blobs"),
    }
    assert all(check["found"] for check in done.json["checks"])
    text = uptake("doctor")
    assert text.status == 0
    assert "ok       synchronous: synchronous is FULL\n" in text.out
    assert "ok       keys: 1 valid API key\n" in text.out
    assert "\n\nno faults, " in text.out


@pytest.mark.usefixtures("made")
def test_nothing_is_left_behind(uptake: Uptake, tmp_path: Path) -> None:
    """The blob that was written is deleted, and no file is created."""
    before = {path for path in tmp_path.rglob("*") if path.suffix not in {".db-wal", ".db-shm"}}
    uptake("doctor")
    assert {path for path in tmp_path.rglob("*") if path.suffix not in {".db-wal", ".db-shm"}} == (
        before
    )


def test_a_folder_without_a_database_is_a_fault(uptake: Uptake, tmp_path: Path) -> None:
    """With the folder and the command that creates one; doctor creates none."""
    done = uptake("doctor", "--json")
    assert done.status == 1
    found = _by_name(done)["database"]
    assert found["status"] == "fault"
    assert f"no database in {tmp_path}/uptake-data; run `uptake init`" in found["found"]
    assert list(tmp_path.iterdir()) == []


def test_a_deployment_without_keys_or_images_is_warned_about(uptake: Uptake) -> None:
    """Its status is 0: nothing is lost."""
    uptake("init")
    done = uptake("doctor", "--json")
    assert done.status == 0
    assert _statuses(done)["keys"] == "warning"
    assert "uptake keys create" in _by_name(done)["keys"]["action"]
    assert _statuses(done)["blobs"] == "warning"


def test_a_revoked_key_is_not_counted(uptake: Uptake) -> None:
    """It answers 401."""
    uptake("init")
    created = uptake("keys", "create", *SCOPE, "--json")
    uptake("keys", "revoke", created.json["id"])
    check = _by_name(uptake("doctor", "--json"))["keys"]
    assert check["found"].startswith("there is no valid API key")


def test_a_folder_that_others_can_enter_is_warned_about(uptake: Uptake, made: Path) -> None:
    """With its mode, and the command that changes it."""
    made.chmod(0o755)
    check = _by_name(uptake("doctor", "--json"))["permissions"]
    assert check["status"] == "warning"
    assert "mode 0755" in check["found"]
    assert check["action"] == f"chmod -R go= {made}"


def test_files_of_several_users_are_a_fault(uptake: Uptake, made: Path) -> None:
    """As after a command that was run as root beside a server that is not."""
    if os.geteuid() == 0:
        os.chown(made / "blobs", 4711, -1)
    else:
        (made / "link").symlink_to("/etc/hosts")
    done = uptake("doctor", "--json")
    assert done.status == 1
    assert "files of several users: " in _by_name(done)["owner"]["found"]


def test_a_folder_in_memory_is_warned_about(uptake: Uptake, tmp_path: Path) -> None:
    """Its data is lost at a restart."""
    folder = Path("/dev/shm") / tmp_path.name  # noqa: S108 - memory on every Linux
    uptake("init", "--data-dir", folder)
    try:
        check = _by_name(uptake("doctor", "--data-dir", folder, "--json"))["file system"]
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert check["status"] == "warning"
    assert "memory" in check["found"]


@pytest.mark.parametrize(
    ("revision", "status", "word"), [("0001", "warning", "restart"), ("9999", "fault", "Update")]
)
def test_another_revision_of_the_schema_is_reported(
    uptake: Uptake, made: Path, revision: str, status: str, word: str
) -> None:
    """An older one is upgraded at the next start, not by doctor; a newer one cannot be used."""
    with sqlite3.connect(made / "uptake.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
    database.close()
    for _ in range(2):
        done = uptake("doctor", "--json")
        check = _by_name(done)["schema"]
        assert (done.status, check["status"]) == (int(status == "fault"), status)
        assert revision in check["found"]
        assert word in check["action"]


def test_a_damaged_database_is_a_fault(uptake: Uptake, made: Path) -> None:
    """One line of the report, not an error of the command."""
    (made / "uptake.db").write_bytes(b"not a database" * 100)
    done = uptake("doctor", "--json")
    assert (done.status, _statuses(done)["database"]) == (1, "fault")
    assert "uptake.db" in _by_name(done)["database"]["found"]


@pytest.mark.usefixtures("made")
def test_an_object_store_out_of_reach_is_a_fault(uptake: Uptake) -> None:
    """With its URL, and without the credentials."""
    secret = {"AWS_ACCESS_KEY_ID": "anna", "AWS_SECRET_ACCESS_KEY": "secret"}
    endpoint = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}
    done = uptake("doctor", "--blobs", "s3://bucket/blobs", "--json", **secret, **endpoint)
    assert (done.status, _statuses(done)["blobs"]) == (1, "fault")
    assert "s3://bucket/blobs: " in _by_name(done)["blobs"]["found"]
    assert "secret" not in done.out


def test_settings_of_postgresql_that_break_durability_are_faults(
    uptake: Uptake, careless: Postgres, tmp_path: Path
) -> None:
    """`fsync` and `full_page_writes`; Uptake itself turns `synchronous_commit` on."""
    where = ("--database", careless.create("careless"))
    assert _statuses(uptake("doctor", *where, "--json"))["schema"] == "fault"
    uptake("init", *where)
    uptake("keys", "create", *SCOPE, *where)
    (tmp_path / "uptake-data" / "blobs").mkdir(parents=True)
    done = uptake("doctor", *where, "--json")
    statuses = _statuses(done)
    assert done.status == 1
    assert {name: statuses[name] for name in ("fsync", "full_page_writes")} == {
        "fsync": "fault",
        "full_page_writes": "fault",
    }
    assert statuses["synchronous_commit"] == "warning"
    assert [statuses[name] for name in ("database", "database clock", "schema", "keys")] == (
        ["ok"] * 4
    )
    assert "Set `fsync = on`" in _by_name(done)["fsync"]["action"]


def test_a_standby_is_a_fault(uptake: Uptake, careless: Postgres) -> None:
    """A server that replays the log of another: it answers queries and rejects every upload."""
    where = ("--database", careless.create("standby"))
    uptake("init", *where)
    careless.stop()
    (careless.folder / "data" / "standby.signal").touch()
    careless.start()
    try:
        done = uptake("doctor", *where, "--json")
    finally:
        careless.execute("SELECT pg_promote()")
    found = _by_name(done)["database"]
    assert (done.status, found["status"]) == (1, "fault")
    assert "is a standby and accepts no writes" in found["found"]
    assert found["action"] == "Name the primary server in --database."
    assert _statuses(uptake("doctor", *where, "--json"))["database"] == "ok"


def test_a_database_that_rejects_writes_is_a_fault(uptake: Uptake, postgresql: Postgres) -> None:
    """As a provider makes it when its disk is full."""
    where = ("--database", postgresql.create("read_only"))
    uptake("init", *where)
    assert _statuses(uptake("doctor", *where, "--json"))["default_transaction_read_only"] == "ok"
    postgresql.execute("ALTER DATABASE read_only SET default_transaction_read_only = on")
    done = uptake("doctor", *where, "--json")
    found = _by_name(done)["default_transaction_read_only"]
    assert (done.status, found["status"]) == (1, "fault")
    assert "answered with 503" in found["action"]
    assert "RESET default_transaction_read_only" in found["action"]


def test_postgresql_as_it_is_installed_has_no_faults(uptake: Uptake, postgresql: Postgres) -> None:
    """Its three settings are on."""
    where = ("--database", postgresql.create("doctor"))
    uptake("init", *where)
    done = uptake("doctor", *where, "--json")
    statuses = _statuses(done)
    names = ("fsync", "full_page_writes", "synchronous_commit")
    expected = {name: _by_name(done)[name]["found"] for name in names}
    assert done.status == int("fault" in statuses.values())
    assert {name: f"{name} is on" for name in names} == expected


def test_a_database_out_of_reach_is_a_fault_without_its_password(uptake: Uptake) -> None:
    """With its address and the reason."""
    done = uptake("doctor", "--database", "postgresql://anna:secret@127.0.0.1:1/data", "--json")
    assert (done.status, _statuses(done)["database"]) == (1, "fault")
    assert "Connection refused" in _by_name(done)["database"]["found"]
    assert "secret" not in done.out
