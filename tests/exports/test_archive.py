"""The archive of a user has everything about that user and nothing about others."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from uptake.blobs import Blobs
from uptake.exports.archive import open_archive
from uptake.reading import Unknown
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT

from .opening import by_csv, parsed
from .project import SAMPLES, commit, image

PICTURE = bytes(range(256)) * 2000
FILES = [
    "README.txt",
    "profile.json",
    "samples.csv",
    "samples.ndjson",
    "documents.ndjson",
    "rejections.ndjson",
]


def archive(store: Store, blobs: Blobs, user_id: str) -> zipfile.ZipFile:
    """The archive of a user, found sound."""
    with open_archive(store, blobs, DEFAULT_PROJECT, user_id) as export:
        assert export.cursor is None
        made = zipfile.ZipFile(io.BytesIO(b"".join(export.parts)))
    assert made.testzip() is None
    return made


def test_an_archive_has_all_data_of_a_user(store: Store, blobs: Blobs) -> None:
    """One file for each kind, and the images with their bytes."""
    commit(store, image(blobs, "anna", PICTURE))
    made = archive(store, blobs, "anna")
    assert made.namelist() == [*FILES, "images/1000001.png", "images.ndjson"]
    profile = json.loads(made.read("profile.json"))
    assert profile == {
        "user_id": "anna",
        "attributes": {"n0": "null", "=x": ""},
        "first_seen": "2023-11-14T22:13:20.000000Z",
        "last_seen": "2023-11-14T22:13:24.000000Z",
    }
    lines = {name: parsed(made.read(name)) for name in made.namelist() if name.endswith("ndjson")}
    assert [row["start_date"] for row in lines["samples.ndjson"]][1:] == [
        sample.start for sample in SAMPLES
    ]
    assert len(by_csv(made.read("samples.csv"))) == 5
    assert [row["upload_id"] for row in lines["documents.ndjson"]] == ["doc-2"]
    assert [row["rejection_id"] for row in lines["rejections.ndjson"]] == ["r-1"]
    (listed,) = lines["images.ndjson"]
    assert listed["file"] == "images/1000001.png"
    assert made.read(listed["file"]) == PICTURE
    assert listed["bytes"] == len(PICTURE)


def test_a_user_with_little_data_has_an_archive(store: Store, blobs: Blobs) -> None:
    """With the same files, which are empty."""
    made = archive(store, blobs, "carl")
    assert made.namelist() == [*FILES, "images.ndjson"]
    assert made.read("documents.ndjson") == b""
    assert "profile.json" in made.read("README.txt").decode()


def test_an_image_without_bytes_is_listed_without_a_file(
    store: Store, blobs: Blobs, tmp_path: Path
) -> None:
    """The archive contains everything else."""
    commit(store, image(blobs, "anna", PICTURE))
    for file in (tmp_path / "blobs" / "images").rglob("*"):
        file.unlink()
    made = archive(store, blobs, "anna")
    assert made.namelist() == [*FILES, "images.ndjson"]
    assert parsed(made.read("images.ndjson"))[0]["file"] is None


def test_an_unknown_user_has_no_archive(store: Store, blobs: Blobs) -> None:
    """Nor does a user of another project."""
    with pytest.raises(Unknown), open_archive(store, blobs, "other", "bert"):
        raise AssertionError
