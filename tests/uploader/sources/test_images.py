"""Images in folders, and in tables of users and paths."""

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uptake.uploader.sources import ImageItem, UnknownSource, Unreadable, opening

from .found import items, skipped


def read(path: Path, **options: Any) -> list[ImageItem | Unreadable]:
    """The items of a file or folder."""
    return items(opening.images(path, **options))


JPEG = b"\xff\xd8\xff\xe0 pixels"


def image(path: Path, user: str, file: Path | None = None, line: int = 0) -> ImageItem:
    """An image as a source yields it."""
    content = path.read_bytes()
    return ImageItem(user, path, len(content), content, str(file or path), line)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images of several users, and other things."""
    contents = {
        "42.jpg": JPEG,
        "42-left.PNG": b"\x89PNG\r\n\x1a\n pixels",
        "7 (1).webp": b"RIFF\x10\0\0\0WEBPVP8 ",
        "me.gif": b"GIF89a pixels",
        "9/front.jfif": JPEG,
        "9/old/side": JPEG,
        ".DS_Store": JPEG,
        ".thumbs/1.jpg": JPEG,
    }
    for name, content in contents.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "images"


def test_names_of_files_and_folders_are_the_users_of_images(folder: Path) -> None:
    """Images are recognized by their content; hidden files are skipped."""
    expected = {
        "42-left.PNG": "42",
        "42.jpg": "42",
        "7 (1).webp": "7",
        "9/front.jfif": "9",
        "9/old/side": "9",
        "me.gif": "me",
    }
    source = opening.images(folder)
    assert items(source) == [image(folder / name, user) for name, user in expected.items()]
    assert skipped(source) == [(1, "a hidden file")] * 2
    sizes = [one.size for one in read(folder) if isinstance(one, ImageItem)]
    assert source.position == source.size == sum(sizes)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"SECRET=1", "is not a PNG, JPEG, GIF or WebP image"),
        (b"", "is empty"),
        (b"\0\0\0\x18ftypheic\0\0", "is HEIC, and not a PNG, JPEG, GIF or WebP image"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "is not a PNG, JPEG, GIF or WebP image"),
        (b"%PDF-1.7", "is a PDF document, and not a PNG, JPEG, GIF or WebP image"),
    ],
)
def test_a_file_that_is_no_image_is_reported(tmp_path: Path, content: bytes, reason: str) -> None:
    """Its name is the place of the report, and not in the reason; for any suffix."""
    path = tmp_path / "5.jpg"
    path.write_bytes(content)
    assert read(tmp_path) == [Unreadable(str(path), 0, reason)]


def test_all_images_of_a_folder_can_belong_to_one_user(folder: Path) -> None:
    """With the option `user`."""
    assert {found.user_id for found in read(folder, user="1")} == {"1"}  # type: ignore[union-attr]


def test_a_deleted_image_is_reported(folder: Path) -> None:
    """The images after it are read."""
    source = opening.images(folder)
    (folder / "42.jpg").unlink()
    found = items(source)
    assert len(found) == 6
    assert found[1] == Unreadable(str(folder / "42.jpg"), 0, "does not exist")


def test_a_table_has_the_users_of_images(folder: Path) -> None:
    """Its paths are relative to the folder of the table."""
    table = folder.parent / "images.csv"
    table.write_text("path,user_id\nimages/me.gif,5\nimages/none.gif,5\nimages/9,5\n,5\nx,\n")
    assert read(table) == [
        image(folder / "me.gif", "5", table, 2),
        Unreadable(str(table), 3, f"the file {folder}/none.gif does not exist"),
        Unreadable(str(table), 4, f"the file {folder}/9 is a folder"),
        Unreadable(str(table), 5, "lacks path"),
        Unreadable(str(table), 6, "lacks user_id; name a default user with --user"),
    ]


def test_a_table_can_be_ndjson_with_mapped_members(folder: Path) -> None:
    """Also lines of rejected images."""
    table = folder.parent / "images.ndjson"
    line = {"who": 5, "where": str(folder / "me.gif"), "refused": [{"code": "BAD_REQUEST"}]}
    table.write_text(json.dumps(line))
    columns = {"user_id": "who", "path": "where"}
    assert read(table, columns=columns) == [image(folder / "me.gif", "5", table, 1)]


def test_a_source_without_images_is_rejected(folder: Path, tmp_path: Path) -> None:
    """The message has the names that were found."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownSource, match="a folder without images"):
        opening.images(tmp_path / "empty")
    with pytest.raises(UnknownSource, match="a folder has no columns"):
        opening.images(folder, columns={"path": "x"})
    table = tmp_path / "images.csv"
    table.write_text("user,file\n")
    with pytest.raises(UnknownSource, match="no column 'user_id'; found: user, file"):
        opening.images(table)


def _socket(path: Path, _secret: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


ODD_FILES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "link out": (lambda path, secret: path.symlink_to(secret), "is not below the folder"),
    "relative link out": (
        lambda path, secret: path.symlink_to(Path("..") / secret.name),
        "is not below the folder",
    ),
    "link to a folder": (lambda path, _: path.symlink_to("/etc"), "is not below the folder"),
    "dangling link": (lambda path, _: path.symlink_to("nowhere"), "does not exist"),
    "loop of links": (lambda path, _: path.symlink_to(path.name), "cannot be opened"),
    "pipe": (lambda path, _: os.mkfifo(path), "is a pipe"),
    "device": (lambda path, _: path.symlink_to("/dev/zero"), "is not below the folder"),
    "socket": (_socket, "is a socket"),
}


@pytest.mark.parametrize("kind", ODD_FILES)
@pytest.mark.parametrize("named", ["in the folder", "by a table"])
def test_only_regular_files_of_the_folder_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, named: str
) -> None:
    """Links to other folders are not followed, and no pipe is waited for."""
    secret = tmp_path / "secret"
    secret.write_bytes(JPEG)
    folder = tmp_path / "f"
    folder.mkdir()
    monkeypatch.chdir(folder)  # the length of the path of a socket is limited
    make, reason = ODD_FILES[kind]
    make(Path("5.jpg"), secret)
    source = folder
    if named == "by a table":
        source = folder / "images.csv"
        source.write_text("user_id,path\n5,5.jpg\n")
    (found,) = read(source)
    assert isinstance(found, Unreadable)
    where = "" if named == "by a table" else f"{Path(found.file).name} "
    assert f"5.jpg {reason}" in f"{where}{found.reason}"


@pytest.mark.parametrize("path", ["{secret}", "../secret", "in/../../secret", "/dev/zero", "."])
def test_a_table_can_only_name_files_below_its_folder(tmp_path: Path, path: str) -> None:
    """Or below the folder of the option `root`."""
    secret = tmp_path / "secret"
    secret.write_bytes(JPEG)
    table = tmp_path / "f" / "images.csv"
    (table.parent / "in").mkdir(parents=True)
    table.write_text(f"user_id,path\n5,{path.format(secret=secret)}\n")
    (found,) = read(table)
    assert isinstance(found, Unreadable)
    assert "is not below the folder" in found.reason
    if "secret" in path:
        (item,) = read(table, root=tmp_path)
        assert isinstance(item, ImageItem)
        assert item.content == JPEG


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    """Their targets are in the folder."""
    (folder / "8.jpg").symlink_to("9/front.jfif")
    assert image(folder / "8.jpg", "8") in read(folder)


def test_no_file_outside_is_read_while_a_folder_is_replaced_by_a_link(tmp_path: Path) -> None:
    """The folder is replaced again and again during the reading."""
    outside, inside, spare = (tmp_path / name for name in ("outside", "f/in", "spare"))
    for place, content in ((outside, JPEG + b"secret"), (inside, JPEG)):
        place.mkdir(parents=True)
        (place / "5.jpg").write_bytes(content)
    table = tmp_path / "f" / "images.csv"
    table.write_text("user_id,path\n" + "5,in/5.jpg\n" * 2000)
    ended = threading.Event()

    def exchange() -> None:
        while not ended.is_set():
            inside.rename(spare)
            inside.symlink_to(outside)
            inside.unlink()
            spare.rename(inside)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        found = read(table)
    finally:
        ended.set()
        thread.join()
    assert {one.content for one in found if isinstance(one, ImageItem)} <= {JPEG}
