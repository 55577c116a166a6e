"""Images in folders, and in tables of users and paths."""

import json
from pathlib import Path
from typing import Any

import pytest

from uptake.uploader.sources import ImageItem, UnknownSource, Unreadable, opening


def read(path: Path, **options: Any) -> list[ImageItem | Unreadable]:
    """All that a file or folder gives."""
    return list(opening.images(path, **options)())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images of several users, and other things."""
    names = ["42.jpg", "42-left.PNG", "7 (1).webp", "me.gif", "9/front.jpeg", "9/old/side.heic"]
    for name in [*names, ".DS_Store", ".thumbs/1.jpg", "notes.txt"]:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")
    return tmp_path / "images"


def test_names_of_files_and_folders_say_whom_images_are_about(folder: Path) -> None:
    """Hidden files and those that are no images are passed over."""
    expected = {
        "42-left.PNG": "42",
        "42.jpg": "42",
        "7 (1).webp": "7",
        "9/front.jpeg": "9",
        "9/old/side.heic": "9",
        "me.gif": "me",
    }
    source = opening.images(folder)
    assert list(source()) == [
        ImageItem(user, folder / name, str(folder / name), 0) for name, user in expected.items()
    ]
    assert source.position == source.size == 36


def test_all_images_of_a_folder_can_be_about_one_user(folder: Path) -> None:
    """The one that is given."""
    assert {found.user_id for found in read(folder, user="1")} == {"1"}  # type: ignore[union-attr]


def test_an_image_that_has_gone_is_told(folder: Path) -> None:
    """Those after it are read."""
    source = opening.images(folder)
    (folder / "42.jpg").unlink()
    found = list(source())
    assert len(found) == 6
    assert found[1] == Unreadable(str(folder / "42.jpg"), 0, f"there is no file {folder}/42.jpg")


def test_a_table_says_whom_images_are_about(folder: Path) -> None:
    """Its paths are relative to it."""
    table = folder.parent / "images.csv"
    table.write_text("path,user_id\nimages/me.gif,5\nimages/none.gif,5\nimages/9,5\n,5\nx,\n")
    assert read(table) == [
        ImageItem("5", folder / "me.gif", str(table), 2),
        Unreadable(str(table), 3, f"there is no file {folder}/none.gif"),
        Unreadable(str(table), 4, f"there is no file {folder}/9"),
        Unreadable(str(table), 5, "lacks path"),
        Unreadable(str(table), 6, "lacks user_id"),
    ]


def test_lines_and_mapped_columns_do_as_well(folder: Path) -> None:
    """Also those that were refused once."""
    table = folder.parent / "images.ndjson"
    line = {"who": 5, "where": str(folder / "me.gif"), "refused": [{"code": "BAD_REQUEST"}]}
    table.write_text(json.dumps(line))
    columns = {"user_id": "who", "path": "where"}
    assert read(table, columns=columns) == [ImageItem("5", folder / "me.gif", str(table), 1)]


def test_what_has_no_images_is_refused(folder: Path, tmp_path: Path) -> None:
    """At once, with what was found."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownSource, match="a folder without images"):
        opening.images(tmp_path / "empty")
    with pytest.raises(UnknownSource, match="a folder has no columns"):
        opening.images(folder, columns={"path": "x"})
    table = tmp_path / "images.csv"
    table.write_text("user,file\n")
    with pytest.raises(UnknownSource, match="no column 'user_id'; found: user, file"):
        opening.images(table)
