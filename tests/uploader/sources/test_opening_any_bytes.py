"""Reading any file results in items, unreadable places, or a rejection."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import UnknownSource, Unreadable, opening

from .found import EXAMPLES

OPENERS: dict[str, Any] = {
    "samples": opening.samples,
    "profiles": opening.profiles,
    "documents": opening.documents,
    "images": opening.images,
}
FILES = [path for path in sorted(EXAMPLES.iterdir()) if path.is_file()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the files."""
    path = tmp_path_factory.mktemp("any")
    yield path
    shutil.rmtree(path)


def read_all(path: Path) -> None:
    """Read a file as every kind of source."""
    for open_ in OPENERS.values():
        try:
            source = open_(path)
        except UnknownSource:
            continue
        for found in source():
            if isinstance(found, Unreadable):
                assert found.file.startswith(str(path.parent))
                assert found.line >= 0
                assert found.reason


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([path.suffix for path in FILES] + [".x", ".json"]))
def test_any_bytes_are_read_or_rejected(folder: Path, content: bytes, suffix: str) -> None:
    """For any suffix."""
    path = folder / f"any{suffix}"
    path.write_bytes(content)
    read_all(path)


@settings(deadline=None)
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=9)), max_size=4),
    st.floats(0.5, 1),
)
def test_damaged_files_are_read_as_far_as_they_go(
    folder: Path, example: Path, changes: list[tuple[float, int, bytes]], part: float
) -> None:
    """With bytes changed, removed and inserted, and truncated."""
    content = example.read_bytes()
    for place, length, change in changes:
        at = int(place * len(content))
        content = content[:at] + change + content[at + length :]
    path = folder / example.name
    path.write_bytes(content[: int(len(content) * part)])
    read_all(path)
    path.write_bytes(content)
    read_all(path)
