"""Whatever holds data of users is readable by its owner alone, whatever the umask."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.filling import fill
from uptake import Uploader
from uptake.testing.live import LiveServer

from .conftest import Uptake

OPEN_TO_ALL = ("/bin/sh", "-c", 'umask 000; exec "$@"', "sh", sys.executable, "-m", "uptake")
"""`uptake` with a umask that lets everyone read and write new files."""

SHARED = 0o077


def shared(folder: Path) -> list[str]:
    """What is in a folder that others than its owner may do something with."""
    return [
        f"{path.relative_to(folder)} {stat.filemode(path.stat().st_mode)}"
        for path in sorted(folder.rglob("*"))
        if path.stat().st_mode & SHARED and not path.is_socket()
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with something of everything, started with an open umask."""
    folder = tmp_path_factory.mktemp("open")
    running = LiveServer(folder / "made" / "data", program=OPEN_TO_ALL)
    (folder / "made").mkdir()
    running.start()
    try:
        fill(running)
        yield running
    finally:
        running.kill()


def test_a_server_makes_private_files(server: LiveServer) -> None:
    """The folder, the database with its log, the blobs; while it runs and after it."""
    names = {path.name for path in server.data_dir.iterdir()}
    assert {"uptake.db", "uptake.db-wal", "uptake.db-shm", "uptake.db.lock", "blobs"} <= names
    assert any(path.is_file() for path in (server.data_dir / "blobs").rglob("*"))
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "uptake.db").stat().st_mode) == 0o600
    assert "other users" not in server.log
    assert shared(server.data_dir) == []


def test_commands_make_private_files(server: LiveServer, uptake: Uptake, tmp_path: Path) -> None:
    """Backups, restored data, exports, archives, ledgers and files of rejected items."""
    key = tmp_path / "key"
    key.write_text(server.create_key())
    key.chmod(0o600)
    rows = tmp_path / "profiles.csv"
    rows.write_text("user_id,plan\n5,pro\n,free\n")
    rows.chmod(0o600)
    data = ["--data-dir", server.data_dir]
    commands: list[list[object]] = [
        ["backup", "backup", *data],
        ["restore", "backup", "--data-dir", "restored"],
        ["export", "profiles", "exported.csv", *data],
        ["export", "samples", "folder/", *data],
        ["users", "archive", "1", "1.zip", *data],
        ["send", "profiles", rows, "--to", server.url, "--key-file", key, "--ledger", "l/sent"],
    ]
    for command in commands:
        ran = uptake(*command)
        assert ran.status == (1 if command[0] == "send" else 0), ran.err
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {
        *("key", "profiles.csv", "backup", "restored", "exported.csv", "folder", "1.zip", "l"),
        "uptake-refused.csv",
    }
    assert shared(tmp_path) == []


def test_the_library_makes_private_files(server: LiveServer, tmp_path: Path) -> None:
    """It does not change the umask of the program that it is part of."""
    rows = tmp_path / "profiles.csv"
    rows.write_text("user_id,plan\n,free\n")
    rows.chmod(0o600)
    before = os.umask(0)
    try:
        Uploader(
            server.url, "k", ledger=tmp_path / "l" / "sent", refused_file=tmp_path / "refused"
        ).send_profiles(rows)
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "refused").exists()
    assert shared(tmp_path) == []


def test_the_mode_of_an_existing_folder_stays(uptake: Uptake, tmp_path: Path) -> None:
    """Access may have been given to a group on purpose; what is made in it is private."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o750)
    assert uptake("init", "--data-dir", folder).status == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert shared(folder) == []


def test_a_server_warns_of_data_that_others_can_read(uptake: Uptake, tmp_path: Path) -> None:
    """As earlier versions left it; the line states what closes it."""
    folder = tmp_path / "data"
    server = LiveServer(folder)
    assert uptake("init", "--data-dir", folder).status == 0
    folder.chmod(0o755)
    (folder / "uptake.db").chmod(0o644)
    server.start()
    server.kill()
    assert (
        f"uptake: other users of this machine can read {folder}/uptake.db;"
        f" to prevent it: chmod -R go= {folder}\n"
    ) in server.log
