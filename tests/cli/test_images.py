"""`uptake images`: an image is deleted with its bytes."""

from contextlib import closing
from pathlib import Path

from exports.project import blobs_in, commit, image
from uptake.store import sqlite

from .conftest import Uptake


def test_an_image_is_deleted(in_process: Uptake, data: Path) -> None:
    """If it is the user's; its bytes go with it."""
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        commit(store, image(blobs_in(data), "anna", b"a picture"))
        (stored,) = store.images("default", "anna", 0, 9)
    number = str(stored.image_id)
    assert list(blobs_in(data).names(stored.blob)) == [stored.blob]
    in_process("images", "delete", "bert", number).assert_failed(1, f"no image '{number}'")
    done = in_process("images", "delete", "anna", number)
    assert done.out == f"Deleted image {number}.\n"
    assert list(blobs_in(data).names(stored.blob)) == []
    in_process("images", "delete", "anna", number).assert_failed(1, f"no image '{number}'")
