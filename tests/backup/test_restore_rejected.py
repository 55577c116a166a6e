"""A damaged backup, a target that is not empty, a missing source: one line of error each."""

import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from uptake.backup.manifest import Damaged, RowFile, read_manifest
from uptake.backup.rowfile import read_rows, write_rows

from .conftest import done, rejected, run

CONFINED = Path(__file__).parents[1] / "faults" / "confined.py"


@pytest.fixture
def damaged(backup: Path, tmp_path: Path) -> Path:
    """A copy of a backup, to be damaged."""
    return shutil.copytree(backup, tmp_path / "damaged")


def _a_blob(folder: Path) -> Path:
    return next(path for path in sorted((folder / "blobs").rglob("*")) if path.is_file())


PLACES: dict[str, Callable[[Path], Path]] = {
    "tables/documents.rows": lambda folder: folder / "tables" / "documents.rows",
    "tables/users.rows": lambda folder: folder / "tables" / "users.rows",
    "blobs.rows": lambda folder: folder / "blobs.rows",
    "blobs/images/": _a_blob,
    "manifest.json": lambda folder: folder / "manifest.json",
}


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)


HARMS: dict[str, Callable[[Path], None]] = {
    "cut off": _cut_off,
    "changed": _change_a_byte,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("place", PLACES)
def test_a_damaged_backup_is_rejected_and_changes_nothing(
    damaged: Path, tmp_path: Path, place: str, harm: str
) -> None:
    """Whatever is cut off, changed or gone, the line names it, and no server could start on it."""
    path = PLACES[place](damaged)
    if (place, harm) == ("manifest.json", "cut off"):
        path.write_bytes(path.read_bytes()[:-9])  # the very last byte is a line's end
    else:
        HARMS[harm](path)
    assert place in rejected("restore", damaged, "--data-dir", tmp_path / "data")
    database = tmp_path / "data" / "uptake.db"
    assert not database.exists() or _tables(database) == []
    assert not [path for path in (tmp_path / "data").rglob("*") if "blobs/" in str(path)]


def _tables(database: Path) -> list[tuple[str]]:
    driver = sqlite3.connect(database)
    try:
        return driver.execute("SELECT name FROM sqlite_schema").fetchall()
    finally:
        driver.close()


@given(st.data())
def test_a_changed_manifest_is_reported_or_harmless(backup: Path, data: st.DataObject) -> None:
    """Whatever bytes it has, reading it ends well or with `Damaged`."""
    content = bytearray((backup / "manifest.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_bytes(content)
        with suppress(Damaged):
            assert read_manifest(Path(folder)).format == 1


@given(content=st.binary(max_size=100), compressed=st.booleans())
def test_any_bytes_as_rows_are_reported(content: bytes, *, compressed: bool) -> None:
    """No bytes by chance are the one row that is expected: they are `Damaged`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.rows"
        path.write_bytes(zstandard.compress(content) if compressed else content)
        expected = RowFile(tuple("abcdefgh"), 1, len(content), "0" * 64)
        with pytest.raises(Damaged):
            list(read_rows(path.parent, path, expected))


def _one_row_more(manifest: Any) -> None:
    manifest["tables"]["documents"]["rows"] += 1


def _another_column(manifest: Any) -> None:
    manifest["tables"]["documents"]["columns"][3] = "kind"


def _a_table_less(manifest: Any) -> None:
    del manifest["tables"]["users"]


def _a_table_elsewhere(manifest: Any) -> None:
    manifest["tables"]["../users"] = manifest["tables"]["users"]


UNFIT: dict[str, Callable[[Any], None]] = {
    "was made by a newer version of Uptake": lambda manifest: manifest.update(format=2),
    "was written by a newer version of Uptake": lambda manifest: manifest.update(revision="9999"),
    "documents.rows has 103 rows, not 104": _one_row_more,
    "documents has other columns": _another_column,
    "these are not the tables of": _a_table_less,
    "'../users' is no table": _a_table_elsewhere,
}


@pytest.mark.parametrize("words", UNFIT)
def test_a_manifest_that_does_not_fit_is_rejected(
    damaged: Path, tmp_path: Path, words: str
) -> None:
    """Of a newer version, or other than the files beside it; nothing is there afterwards."""
    path = damaged / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes())
    UNFIT[words](manifest)
    path.write_bytes(msgspec.json.encode(manifest))
    assert words in rejected("restore", damaged, "--data-dir", tmp_path / "data")
    database = tmp_path / "data" / "uptake.db"
    assert not database.exists() or _tables(database) == []


def test_names_of_blobs_do_not_lead_out_of_the_backup(damaged: Path, tmp_path: Path) -> None:
    """A backup from somewhere else must not read or write beside its folder."""
    (damaged / "blobs.rows").unlink()
    row = ("../secret", 1, "0" * 64)
    file = write_rows(damaged / "blobs.rows", ("name", "bytes", "sha256"), [row], lambda _: None)
    manifest = msgspec.json.decode((damaged / "manifest.json").read_bytes())
    manifest["blobs"] = msgspec.to_builtins(file)
    (damaged / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    assert "'../secret' is no name of a blob" in rejected(
        "restore", damaged, "--data-dir", tmp_path / "data"
    )


def test_a_folder_without_a_backup_is_rejected(tmp_path: Path) -> None:
    """And no data folder is made for it."""
    line = rejected("restore", tmp_path, "--data-dir", tmp_path / "data")
    assert line == f"uptake: {tmp_path} has no manifest.json: no backup, or an unfinished one\n"
    assert not (tmp_path / "data").exists()


def test_a_database_with_data_is_never_overwritten(backup: Path, tmp_path: Path) -> None:
    """Nor is one that a server has only been started on."""
    assert run("init", "--data-dir", tmp_path / "data").status == 0
    before = (tmp_path / "data" / "uptake.db").read_bytes()
    line = rejected("restore", backup, "--data-dir", tmp_path / "data")
    assert line == "uptake: the database is not empty\n"
    assert before == (tmp_path / "data" / "uptake.db").read_bytes()


def test_a_backup_is_never_overwritten(filled: Path, backup: Path) -> None:
    """A folder that holds anything is rejected and left as it is."""
    before = (backup / "manifest.json").read_bytes()
    assert "is not empty" in rejected("backup", backup, "--data-dir", filled)
    assert before == (backup / "manifest.json").read_bytes()


def test_a_missing_database_is_reported(tmp_path: Path) -> None:
    """A mistyped folder is neither made nor backed up as an empty one."""
    line = rejected("backup", tmp_path / "backup", "--data-dir", tmp_path / "none")
    assert line.startswith(f"uptake: there is no database in {tmp_path}/none; run `uptake init`")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database " * 100], ids=["empty", "notes"])
def test_a_file_with_other_content_is_rejected(tmp_path: Path, content: bytes) -> None:
    """And no folder is left behind."""
    (tmp_path / "uptake.db").write_bytes(content)
    rejected("backup", tmp_path / "backup", "--data-dir", tmp_path)
    assert not (tmp_path / "backup").exists()


def test_a_missing_blob_is_reported_and_the_rest_is_copied(filled: Path, tmp_path: Path) -> None:
    """Incomplete is status 1, with the name; what could be copied restores."""
    data = shutil.copytree(filled, tmp_path / "data")
    gone = _a_blob(data)
    gone.unlink()
    ran = run("backup", tmp_path / "backup", "--data-dir", data)
    assert ran.status == 1
    name = gone.relative_to(data / "blobs")
    assert ran.err == f"uptake: missing although rows refer to them: 1 of 3 blobs, {name}\n"
    assert done("restore", tmp_path / "backup", "--check")["blobs"] == 2


def test_a_damaged_backup_is_found_without_restoring_it(damaged: Path) -> None:
    """`--check` reads all of it."""
    _change_a_byte(_a_blob(damaged))
    line = rejected("restore", damaged, "--check")
    assert "is not what it was when the backup was made" in line


def test_a_full_disk_leaves_no_partial_backup(filled: Path, tmp_path: Path) -> None:
    """One line, and the folder is as it was."""
    (tmp_path / "backup").mkdir()
    command: list[str | Path]
    command = [
        sys.executable,
        CONFINED,
        "--largest-file",
        "100000",
        "--",
        "backup",
    ]
    ran = subprocess.run(
        [*command, tmp_path / "backup", "--data-dir", filled],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("uptake: ")
    assert ran.stderr.count("\n") == 1
    assert list((tmp_path / "backup").iterdir()) == []


def test_a_terminal_shows_the_progress(filled: Path, tmp_path: Path) -> None:
    """Rows and blobs, on standard error; a pipe is shown nothing but the result."""
    terminal, end = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "uptake", "backup", tmp_path / "backup", "--data-dir", filled],
        stdout=subprocess.PIPE,
        stderr=end,
        check=False,
    )
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    os.close(end)
    assert ran.returncode == 0
    assert "rows" in shown
    assert "3/3" in shown
    assert ran.stdout.decode().startswith(f"{tmp_path}/backup: stored ")
