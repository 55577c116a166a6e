"""What `uptake doctor` finds on machines that a test cannot have, as the system calls report."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, Pool, event

from uptake import diagnosis
from uptake.diagnosis import Check, diagnose
from uptake.model import clock
from uptake.settings import Settings
from uptake.testing.postgres import Postgres
from uptake.wiring import open_store

GIB = 1 << 30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty database and a folder for images."""
    settings = Settings(data_dir=tmp_path / "data")
    open_store(settings, make=True).close()
    (tmp_path / "data" / "blobs").mkdir()
    return settings


def _check(settings: Settings, name: str) -> Check:
    (check,) = (check for check in diagnose(settings) if check.name == name)
    return check


def _free(monkeypatch: pytest.MonkeyPatch, size: int, files: int = 900) -> None:
    usage = SimpleNamespace(free=size, total=100 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    system = SimpleNamespace(f_files=1000, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: system)


@pytest.mark.parametrize(
    ("size", "files", "status", "found"),
    [
        (100 << 20, 900, "fault", "0.1 GiB of 100.0 GiB are free"),
        (GIB, 900, "warning", "1.0 GiB of 100.0 GiB are free"),
        (50 * GIB, 49, "warning", "49 of 1,000 files (inodes) are free"),
        (50 * GIB, 50, "ok", "50.0 GiB of 100.0 GiB are free"),
    ],
)
def test_free_space_and_files_are_checked(  # noqa: PLR0917 - parameters of the case
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    files: int,
    status: str,
    found: str,
) -> None:
    """A full disk is a fault; little space or few inodes are a warning."""
    _free(monkeypatch, size, files)
    check = _check(settings, "disk")
    assert (check.status, bool(check.action)) == (status, status != "ok")
    assert found in check.found


def test_the_disk_of_images_in_another_folder_is_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And that of the data folder."""
    (tmp_path / "images").mkdir()
    _free(monkeypatch, 100 << 20)
    elsewhere = Settings(data_dir=settings.data_dir, blobs=str(tmp_path / "images"))
    disks = [check.found for check in diagnose(elsewhere) if check.name == "disk"]
    assert [found.rpartition(" ")[2] for found in disks] == [
        str(settings.data_dir),
        str(tmp_path / "images"),
    ]


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("nfs4", "fault", "PostgreSQL"),
        ("overlay", "warning", "volume"),
        ("tmpfs", "warning", "volume"),
        ("ext4", "ok", ""),
    ],
)
def test_the_file_system_is_checked(  # noqa: PLR0917 - parameters of the case
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    status: str,
    word: str,
) -> None:
    """SQLite loses data on a network file system; a container's layer and memory do not last."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext3 rw 0 0\nserver:/data {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr(diagnosis, "MOUNTS", mounts)
    check = _check(settings, "file system")
    assert check.status == status
    assert kind in check.found or status == "warning"
    assert word in check.action


def test_a_clock_that_was_never_set_is_a_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine without a battery, which starts in 1970 or 2000."""
    monkeypatch.setattr(clock, "now", lambda: 946_684_800_000_000)
    check = _check(settings, "clock")
    assert (check.status, check.action) == ("fault", "Set the clock.")
    assert "2000-01-01" in check.found


@pytest.mark.parametrize(("state", "status"), [(5, "warning"), (0, "ok")])
def test_a_clock_without_a_time_server_is_warned_about(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, state: int, status: str
) -> None:
    """The kernel knows whether one synchronises it."""
    library = SimpleNamespace(adjtimex=lambda _: state)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert _check(settings, "clock").status == status


def test_a_folder_that_cannot_be_written_is_a_fault(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for another user than the server's."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    check = _check(settings, "owner")
    assert (check.status, check.action) == ("fault", "Run the command as the user of the server.")


@pytest.fixture
def without_shared_memory() -> Iterator[None]:
    """SQLite where processes cannot share memory, as on network file systems of macOS.

    On Linux it always can, or opening fails.
    """

    def connect(_dialect: object, _record: object, places: list[str], _options: object) -> None:
        places[0] += "&vfs=unix-none"

    event.listen(Engine, "do_connect", connect)
    yield
    event.remove(Engine, "do_connect", connect)


@pytest.mark.usefixtures("without_shared_memory")
def test_sqlite_without_its_log_is_a_fault(tmp_path: Path) -> None:
    """A new database has a rollback journal, with which reads and writes wait for each other."""
    settings = Settings(data_dir=tmp_path / "data")
    open_store(settings, make=True).close()
    check = _check(settings, "journal_mode")
    assert (check.status, check.found) == ("fault", "journal_mode is delete")
    assert check.action == "Move the data folder to a local disk, or use PostgreSQL."


def test_commits_of_sqlite_that_are_not_synced_are_a_fault(settings: Settings) -> None:
    """No file and no setting leads to this, because each connection turns it on: a defect would."""

    def turn_off(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL").close()

    event.listen(Pool, "checkout", turn_off)
    try:
        check = _check(settings, "synchronous")
    finally:
        event.remove(Pool, "checkout", turn_off)
    assert (check.status, check.found) == ("fault", "synchronous is NORMAL")
    assert check.action == "Update Uptake: it sets `synchronous = FULL`."


def test_clocks_that_differ_are_warned_about(
    tmp_path: Path, postgresql: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's and the database server's."""
    settings = Settings(data_dir=tmp_path, database=postgresql.create("clocks"))
    open_store(settings, make=True).close()
    assert _check(settings, "database clock").status == "ok"
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 60_000_000)
    check = _check(settings, "database clock")
    assert (check.status, check.action) == ("warning", "Synchronise both with a time server.")
    assert "differ by 60 s" in check.found
