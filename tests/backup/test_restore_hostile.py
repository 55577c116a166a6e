"""A backup from somewhere else is a stranger's input: odd names, links and rows are found."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from uptake.backup.manifest import RowFile
from uptake.backup.rowfile import read_rows, write_rows

from .conftest import rejected
from .filling import PNG

LISTED = ("name", "bytes", "sha256")
SHA256 = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
def forged(backup: Path, tmp_path: Path) -> Path:
    """A copy of a backup, for an attacker who also writes a matching manifest."""
    return shutil.copytree(backup, tmp_path / "forged")


def manifest_of(folder: Path) -> Any:
    """The manifest of a backup."""
    return msgspec.json.decode((folder / "manifest.json").read_bytes())


def write_manifest(folder: Path, manifest: Any) -> None:
    """Replace the manifest."""
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))


def replace_blobs(folder: Path, rows: Sequence[Sequence[Any]], size: int | None = None) -> None:
    """List other blobs."""
    (folder / "blobs.rows").unlink()
    file = write_rows(folder / "blobs.rows", LISTED, rows, lambda _: None)
    manifest = manifest_of(folder)
    manifest["blobs"] = msgspec.to_builtins(file)
    if size is None:
        size = sum(row[1] for row in rows)
    write_manifest(folder, manifest | {"blob_bytes": size})


def replace_rows(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the rows of a table, by column."""
    manifest = manifest_of(folder)
    path = folder / "tables" / f"{name}.rows"
    file = msgspec.convert(manifest["tables"][name], RowFile)
    rows = [dict(zip(file.columns, row, strict=True)) for row in read_rows(folder, path, file)]
    for row in rows:
        change(row)
    path.unlink()
    written = write_rows(path, file.columns, [list(row.values()) for row in rows], lambda _: None)
    manifest["tables"][name] = msgspec.to_builtins(written)
    write_manifest(folder, manifest)


def replace_file(folder: Path, name: str, content: bytes, rows: int = 1) -> None:
    """Have other bytes as the file of a table."""
    (folder / "tables" / f"{name}.rows").write_bytes(content)
    manifest = manifest_of(folder)
    sums = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "rows": rows}
    manifest["tables"][name] |= sums
    write_manifest(folder, manifest)


def assert_found(folder: Path, tmp_path: Path, words: str) -> None:
    """The check finds it, and restoring ends with the same line and writes nothing anywhere."""
    before = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    line = rejected("restore", folder, "--check")
    assert words in line
    assert rejected("restore", folder, "--data-dir", tmp_path / "data") == line
    made = {path for path in tmp_path.rglob("*") if folder not in path.parents} - before
    data = tmp_path / "data"
    names = {"uptake.db", "uptake.db-wal", "uptake.db-shm", "uptake.db.lock", "blobs"}
    assert made <= {data, *(data / name for name in names)}
    assert (tmp_path / "secret").read_bytes() == PNG


NAMES = [
    *("/etc/passwd", "../secret", "images/../../../secret", "images/./a", "images//a", "images/"),
    *("", ".", "..", "a\0b", "a\nb", "x" * 256, "a/" * 600 + "a", "é", "a\x1b[31m", "C:\u202ea"),
]


@pytest.fixture(autouse=True)
def secret(tmp_path: Path) -> Path:
    """A file beside the backup with content that matches forged lists."""
    path = tmp_path / "secret"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:24]))
def test_an_invalid_name_of_a_blob_is_rejected(forged: Path, tmp_path: Path, name: str) -> None:
    """Absolute, leading out, empty, too long, with control characters."""
    replace_blobs(forged, [(name, len(PNG), SHA256)])
    assert_found(forged, tmp_path, "is no name of a blob")


@pytest.mark.parametrize(
    "row",
    [
        *((5, 1, SHA256), (None, 1, SHA256), ("a", "1", SHA256), ("a", -1, SHA256)),
        *(("a", 1 << 62, SHA256), ("a", 1, "x" * 64), ("a", 1, None), ("a", True, SHA256)),
    ],
)
def test_an_invalid_entry_of_the_list_is_rejected(
    forged: Path, tmp_path: Path, row: Sequence[Any]
) -> None:
    """Of other types, or with impossible sizes."""
    replace_blobs(forged, [row], 1)
    assert_found(forged, tmp_path, "blobs.rows: an entry is not name, size and SHA-256")


def test_a_blob_that_is_listed_twice_is_rejected(forged: Path, tmp_path: Path) -> None:
    """Its bytes would count twice."""
    (forged / "blobs" / "a").write_bytes(PNG)
    replace_blobs(forged, [("a", len(PNG), SHA256)] * 2)
    assert_found(forged, tmp_path, "'a' is listed twice")


def _link_to_a_file(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _link_to_a_folder(path: Path, secret: Path) -> None:
    path.parent.rmdir()
    (secret.parent / "elsewhere").mkdir()
    (secret.parent / "elsewhere" / path.name).write_bytes(PNG)
    path.parent.symlink_to(secret.parent / "elsewhere")


ODD_FILES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "link to a file": (_link_to_a_file, "is not below the folder"),
    "link to a folder": (_link_to_a_folder, "is not below the folder"),
    "pipe": (lambda path, _: os.mkfifo(path), "is a pipe"),
    "device": (lambda path, _: path.symlink_to("/dev/zero"), "is not below the folder"),
    "folder": (lambda path, _: path.mkdir(), "is a folder"),
    "much larger": (lambda path, _: os.truncate(_made(path), 1 << 40), "is not what it was"),
}


def _made(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize("kind", ODD_FILES)
def test_files_outside_of_the_backup_are_not_read(
    forged: Path, tmp_path: Path, secret: Path, kind: str
) -> None:
    """Links lead nowhere, pipes are not waited for, and no more is read than is listed."""
    make, words = ODD_FILES[kind]
    path = forged / "blobs" / "in" / "a"
    path.parent.mkdir()
    make(path, secret)
    replace_blobs(forged, [("in/a", len(PNG), SHA256)])
    assert_found(forged, tmp_path, words)


@pytest.mark.parametrize("name", ["manifest.json", "blobs.rows", "tables/users.rows"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_the_manifest_and_tables_must_be_regular_files(
    forged: Path, tmp_path: Path, name: str, kind: str
) -> None:
    """Even if a link leads to the right bytes."""
    path = forged / name
    (tmp_path / "moved").write_bytes(path.read_bytes())
    path.unlink()
    if kind == "link":
        path.symlink_to(tmp_path / "moved")
    else:
        os.mkfifo(path)
    assert_found(forged, tmp_path, "is not below the folder" if kind == "link" else "is a pipe")


VALUES: dict[str, tuple[str, str, Any]] = {
    "text for a number": ("users", "first_seen", "soon"),
    "number for text": ("users", "user_id", 5),
    "no text": ("users", "user_id", None),
    "a list": ("users", "user_id", ["a"]),
    "an object": ("documents", "data", {"a": 1}),
    "over 64 bits": ("users", "first_seen", (1 << 64) - 1),
    "a fraction": ("users", "first_seen", 0.5),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_that_does_not_fit_its_column_is_rejected(
    forged: Path, tmp_path: Path, kind: str
) -> None:
    """On any engine: SQLite would take it, and a server fail on it later."""
    table, column, value = VALUES[kind]
    replace_rows(forged, table, lambda row: row.update({column: value}))
    assert_found(forged, tmp_path, f"{table}.rows: row 1 has no value that fits {column}")


def test_a_row_with_an_invalid_name_of_a_blob_is_rejected(forged: Path, tmp_path: Path) -> None:
    """A server would look for it, and erase it, outside of its folder."""
    replace_rows(forged, "images", lambda row: row.update(blob="../../secret"))
    assert_found(forged, tmp_path, "images.rows: row 1 names a blob that cannot be one")


def _rows(*encoded: bytes) -> bytes:
    return zstandard.compress(b"".join(len(one).to_bytes(4, "big") + one for one in encoded))


DEEP = b"\x91" * 100_000 + b"\xc0"
ROWS: dict[str, tuple[bytes, str]] = {
    "deep": (_rows(DEEP), "users.rows"),
    "cut off": (_rows(b"\x91\xc0")[:-3], "users.rows"),
    "cut off within a row": (zstandard.compress(b"\0\0\0\x09\x91"), "breaks off in row 1"),
    "cut off within a length": (zstandard.compress(b"\0\0"), "breaks off in row 1"),
    "no rows": (zstandard.compress(b""), "users.rows has 0 rows, not 1"),
    "zeros that inflate to a gigabyte": (zstandard.compress(bytes(1 << 30)), "users.rows"),
    "a row of four gigabytes": (zstandard.compress(b"\xff\xff\xff\xff"), "a row has 4294967295"),
    "not compressed": (b"rows", "users.rows"),
    "empty": (b"", "users.rows has 0 rows, not 1"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_unreadable_rows_are_rejected(forged: Path, tmp_path: Path, kind: str) -> None:
    """Whatever checksums the manifest has."""
    content, words = ROWS[kind]
    replace_file(forged, "users", content)
    assert_found(forged, tmp_path, words)


def test_more_rows_than_in_the_manifest_are_rejected(forged: Path, tmp_path: Path) -> None:
    """Reading stops there."""
    manifest = manifest_of(forged)
    manifest["tables"]["documents"]["rows"] = 7
    write_manifest(forged, manifest)
    assert_found(forged, tmp_path, "documents.rows has more than 7 rows, not 7")


def _nested(manifest: Any) -> bytes:
    return msgspec.json.encode(manifest)[:-1] + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def _with_counts(manifest: Any, count: bytes) -> bytes:
    return re.sub(b'"rows":[0-9]+', b'"rows":' + count, msgspec.json.encode(manifest))


MANIFESTS: dict[str, Callable[[Any], bytes]] = {
    "empty": lambda _: b"",
    "deep": _nested,
    "an array": lambda _: b"[]",
    "not UTF-8": lambda _: b'{"format": 1, "uptake": "\xff"}',
    "huge counts": lambda one: _with_counts(one, b"9" * 400),
    "counts of 63 bits": lambda one: _with_counts(one, b"9223372036854775807"),
    "negative counts": lambda one: msgspec.json.encode(one | {"blob_bytes": -1}),
    "large": lambda one: msgspec.json.encode(one | {"x": "y" * (2 << 20)}),
    "other columns of blobs": lambda one: msgspec.json.encode(
        one | {"blobs": one["blobs"] | {"columns": ["name"] * 70}}
    ),
    "other revision": lambda one: msgspec.json.encode(one | {"revision": "\x1b[31m\n../0001"}),
    "tables elsewhere": lambda one: msgspec.json.encode(
        one | {"tables": {"../../secret": one["tables"]["users"]}}
    ),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_invalid_manifests_are_rejected(forged: Path, tmp_path: Path, kind: str) -> None:
    """In one line, without a traceback."""
    content = MANIFESTS[kind](manifest_of(forged))
    (forged / "manifest.json").write_bytes(content)
    assert_found(forged, tmp_path, "")
