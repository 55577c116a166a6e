"""The examples of the page about sources are read as described there."""

import re
from pathlib import Path
from typing import Any

import pytest

from uptake.uploader.sources import DocumentItem, ImageItem, ProfileRow, opening

from .found import EXAMPLES, read_samples, steps

PAGE = EXAMPLES.parent / "docs" / "how-to" / "sources.md"
_FILE = re.compile(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    for name, text in _FILE.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_page_has_a_file_of_every_kind(files: Path) -> None:
    """The tests below read these files."""
    assert {path.name for path in files.iterdir()} == {
        "steps.csv",
        "steps.ndjson",
        "profiles.csv",
        "profiles.ndjson",
        "documents.ndjson",
        "10001.json",
        "images.csv",
    }


def test_its_samples_are_read(files: Path) -> None:
    """Missing values are omitted."""
    ada: dict[str, Any] = {"user_id": "10001"}
    later = {"start_date": "2024-03-05T07:18:09+01:00", "value": 35.0}
    assert read_samples(files / "steps.csv") == (
        [
            steps(2, **ada, end_date="2024-03-05T07:18:09+01:00", value=412.0),
            steps(3, **ada, **later),
        ],
        [],
    )
    start = {"start_date": "2024-03-05T07:08:09Z"}
    beat = {"metric": "bpm", "device_name": "Watch", "value": 61.0, "unit": "count/min"}
    assert read_samples(files / "steps.ndjson") == (
        [steps(1, **ada, **start, value=412.0), steps(2, **ada, **start, **beat)],
        [],
    )


def test_its_profiles_are_read(files: Path) -> None:
    """Empty values and missing values differ."""
    table = str(files / "profiles.csv")
    assert list(opening.profiles(files / "profiles.csv")()) == [
        ProfileRow("10001", {"plan": "pro", "city": "Lyon", "age": "34"}, table, 2),
        ProfileRow("10002", {"plan": "free", "city": "", "age": "51"}, table, 3),
        ProfileRow("10003", {"city": "Graz"}, table, 4),
    ]
    lines = str(files / "profiles.ndjson")
    assert list(opening.profiles(files / "profiles.ndjson")()) == [
        ProfileRow("10001", {"plan": "pro", "age": 34, "newsletter": True}, lines, 1),
        ProfileRow("10002", {"plan": "free", "city": ""}, lines, 2),
    ]


def test_its_documents_are_read(files: Path) -> None:
    """Both forms of a line, and a file as one document."""
    lines = str(files / "documents.ndjson")
    assert list(opening.documents(files / "documents.ndjson")()) == [
        DocumentItem("10001", b'{"date": "2024-03-05", "hours": 7.1}', lines, 1),
        DocumentItem("10002", b'{"date": "2024-03-05", "hours": 6.4}', lines, 2),
    ]
    (files / "documents").mkdir()
    whole = str((files / "10001.json").rename(files / "documents" / "10001.json"))
    text = b'{\n  "date": "2024-03-05",\n  "hours": 7.1\n}'
    assert list(opening.documents(files / "documents")()) == [DocumentItem("10001", text, whole, 1)]


def test_its_images_are_read(files: Path) -> None:
    """Paths are relative to the folder of the table."""
    (files / "photos").mkdir()
    for name in ("left.jpg", "right.jpg"):
        (files / "photos" / name).write_bytes(b"\xff\xd8\xff")
    table = str(files / "images.csv")
    assert list(opening.images(files / "images.csv")()) == [
        ImageItem("42", files / "photos" / "left.jpg", 3, b"\xff\xd8\xff", table, 2),
        ImageItem("42", files / "photos" / "right.jpg", 3, b"\xff\xd8\xff", table, 3),
    ]
