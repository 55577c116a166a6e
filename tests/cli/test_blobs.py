"""`uptake blobs prune`: bytes without a row are deleted, and nothing else."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from exports.project import blobs_in, commit, image
from uptake.intake.blob_keys import IMAGES, REJECTED, new_blob_key
from uptake.model import clock
from uptake.store import sqlite
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

from .conftest import Uptake

DAY_AGO = (clock.now() - MICROSECONDS_PER_DAY) // MICROSECONDS_PER_SECOND
TWO_DAYS_AGO = DAY_AGO - 86_400


def _put(folder: Path, name: str, written: int) -> str:
    """Store bytes that were written at a time."""
    path = folder / "blobs" / name
    if not path.exists():
        blobs_in(folder).put(name, b"x")
    os.utime(path, (written, written))
    return name


@pytest.fixture
def images(data: Path) -> list[str]:
    """The blobs of three old images with rows."""
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        for user in ("anna", "bert", "carl"):
            commit(store, image(blobs_in(data), user, b"a picture"))
        stored = [store.images("default", user, 0, 9)[0] for user in ("anna", "bert", "carl")]
    return [_put(data, one.blob, TWO_DAYS_AGO) for one in stored]


def test_old_blobs_without_a_row_are_deleted(
    in_process: Uptake, data: Path, images: list[str]
) -> None:
    """Those of images and of rejected items; not those with a row, nor of uploads in progress."""
    old = sorted(
        _put(data, new_blob_key(kind, "default", "0" * 64, "1" * 64), TWO_DAYS_AGO)
        for kind in (IMAGES, REJECTED)
    )
    new = _put(data, new_blob_key(IMAGES, "default", "0" * 64, "1" * 64), DAY_AGO + 43_200)
    other = _put(data, "other/file", TWO_DAYS_AGO)
    before = set(blobs_in(data).names(""))
    assert before > {*images, *old, new, other}
    dry = in_process("blobs", "prune", "--dry-run", "--json")
    found = {**dry.json, "unused": sorted(dry.json["unused"])}
    assert found == {"unused": old, "used": 3, "deleted": False}
    assert in_process("blobs", "prune", "--dry-run").out == (
        "No row refers to 2 of 5 blobs; none was deleted.\n"
    )
    assert set(blobs_in(data).names("")) == before
    assert in_process("blobs", "prune").out == "Deleted 2 of 5 blobs.\n"
    assert set(blobs_in(data).names("")) == before - set(old)
    assert in_process("blobs", "prune").out == "Deleted 0 of 3 blobs.\n"


def test_the_blobs_of_another_database_are_not_deleted(
    in_process: Uptake, data: Path, images: list[str]
) -> None:
    """When most have no row, the database is probably the wrong one; `--force` deletes them."""
    before = set(blobs_in(data).names(""))
    assert before > set(images)
    old = sorted(
        _put(data, new_blob_key(IMAGES, "default", "0" * 64, f"{number:064}"), TWO_DAYS_AGO)
        for number in range(4)
    )
    in_process("blobs", "prune").assert_failed(1, "4 of 7 blobs", "have no row", "--force")
    assert set(blobs_in(data).names("")) == before | set(old)
    done = in_process("blobs", "prune", "--force", "--json")
    assert done.json == {"unused": old, "used": 3, "deleted": True}
    assert set(blobs_in(data).names("")) == before


def test_blobs_that_cannot_be_listed_are_an_error(in_process: Uptake, data: Path) -> None:
    """Nothing is deleted."""
    in_process("blobs", "prune", "--blobs", str(data / "nothing" / "blobs\0")).assert_failed(1)
