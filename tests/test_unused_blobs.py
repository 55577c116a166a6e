"""Unused blobs are found on every store, in any number of reads of the rows."""

from contextlib import closing
from pathlib import Path

import pytest

from exports.project import commit, image
from uptake import unused_blobs
from uptake.intake.blob_keys import IMAGES, REJECTED
from uptake.model import clock
from uptake.store import postgres, sqlite
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.testing.postgres import Postgres
from uptake.unused_blobs import UNUSED_AGE, find_unused


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_only_blobs_without_a_row_are_unused(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite. At most as many as fit into memory are found."""
    monkeypatch.setattr(unused_blobs, "NAMES_AT_ONCE", at_once)
    monkeypatch.setattr(unused_blobs, "MAX_UNUSED", 3)
    blobs, path = MemoryBlobs(), tmp_path / "uptake.db"
    with closing(sqlite.open_store(path)) as store:
        for user in ("anna", "bert"):
            commit(store, image(blobs, user, b"x"))
    unused = [f"{IMAGES}/default/one", f"{REJECTED}/default/two"]
    for name in (*unused, "checks/three"):
        blobs.put(name, b"x")
    with closing(sqlite.open_contents(path)) as contents:
        assert find_unused(contents, blobs, clock.now()) == ([], 0)
        later = clock.now() + UNUSED_AGE + 1
        assert find_unused(contents, blobs, later) == (unused, 2)
        for number in range(9):
            blobs.put(f"{IMAGES}/default/{number}", b"x")
        found = find_unused(contents, blobs, clock.now() + UNUSED_AGE + 1)
    assert len(found.unused) in range(3, 3 + at_once)


def test_unused_blobs_are_found_on_postgresql(postgresql: Postgres) -> None:
    """As on SQLite."""
    blobs, url = MemoryBlobs(), postgresql.create("unused_blobs")
    with closing(postgres.open_store(url)) as store:
        commit(store, image(blobs, "anna", b"x"))
    blobs.put(f"{IMAGES}/default/one", b"x")
    with closing(postgres.open_contents(url)) as contents:
        found = find_unused(contents, blobs, clock.now() + UNUSED_AGE + 1)
    assert found == ([f"{IMAGES}/default/one"], 1)
