"""Conformance suite: the names of blobs."""

from pathlib import Path

import pytest

from uptake.blobs import Blobs
from uptake.testing.blobs.opening import OpensBlobs

ANNA, ANNE = "images/default/ab/ab12", "images/default/ab/ab13"
"""What begins the names of two users' blobs: they are neighbours in one folder."""

STORED = {
    f"{ANNA}-one",
    f"{ANNA}-two",
    f"{ANNE}-one",
    "images/default/cd/cd34-one",
    "images/other/ab/ab12-one",
    "rejected/default/ab/ab12-one",
}
MANY = 1100
"""More than a page of a listing, which is 1000 names in S3 (ListObjectsV2, MaxKeys)."""


class Listing(OpensBlobs):
    """Names are found by how they begin."""

    @pytest.mark.parametrize(
        ("prefix", "count"),
        [
            ("", 6),
            ("images/", 5),
            ("images", 5),
            ("i", 5),
            ("images/default/", 4),
            (ANNA, 2),
            (f"{ANNA}-", 2),
            (f"{ANNA}-one", 1),
            (ANNE, 1),
            ("images/default/ab/ab1", 3),
            ("images/default/ab/ab12-one/", 0),
            ("nothing/", 0),
            ("IMAGES/", 0),
        ],
    )
    def test_names_are_found_by_how_they_begin(self, blobs: Blobs, prefix: str, count: int) -> None:
        """Wherever in a part of the name that ends."""
        for name in STORED:
            blobs.put(name, b"x")
        found = list(blobs.names(prefix))
        assert {name for name in STORED if name.startswith(prefix)} == set(found)
        assert len(found) == count

    def test_many_names_are_all_found(self, blobs: Blobs) -> None:
        """Once each, over several pages."""
        names = {f"some/{number:04}" for number in range(MANY)}
        for name in names:
            blobs.put(name, b"")
        found = list(blobs.names("some/"))
        assert (len(found), set(found)) == (MANY, names)
        blobs.delete(found)
        assert list(blobs.names("")) == []

    def test_a_store_knows_its_own_names_alone(self, blobs: Blobs, tmp_path: Path) -> None:
        """Not those of another store at a place that begins with the same characters."""
        place = tmp_path / "x"
        beside = tmp_path / "x2"
        for folder in (place, beside):
            folder.mkdir()
            self.open_blobs(folder).put(f"in/{folder.name}", b"x")
        assert list(self.open_blobs(place).names("")) == ["in/x"]
        assert list(blobs.names("in/")) == []
