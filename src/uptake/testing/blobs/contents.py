"""What a blob store does with the blobs that it is given."""

from pathlib import Path

import pytest

from uptake.blobs import Blobs
from uptake.testing.blobs.opening import OpensBlobs

LARGE = 20 * 1024 * 1024
"""Bytes: the largest image that is taken."""

NAMES = (
    "a",
    "images/default/0a/0a1b2c/9f86d081884c7d65",
    "/".join(["part"] * 30),
    "My-Project_2.0/UPPER/lower",
    "x" * 200,
)
NO_NAMES = ("../secret", "a/../b", "a//b", ".", "a/./b")


class Contents(OpensBlobs):
    """Blobs come back as they were, and no others."""

    @pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
    def test_a_blob_comes_back_as_it_was(self, blobs: Blobs, name: str) -> None:
        """Any bytes, under a name of any number of parts."""
        blobs.put(name, bytes(range(256)))
        assert blobs.get(name) == bytes(range(256))

    @pytest.mark.parametrize("size", [0, 1, LARGE])
    def test_a_blob_may_have_any_size(self, blobs: Blobs, size: int) -> None:
        """From nothing to the largest image."""
        content = b"\x00\xff" * (size // 2) + b"\x07" * (size % 2)
        blobs.put("some/name", content)
        assert blobs.get("some/name") == content

    def test_a_name_never_given_is_none(self, blobs: Blobs) -> None:
        """Neither a name beside one that is there, nor a part of it, nor one below it."""
        assert blobs.get("some/name") is None
        blobs.put("some/name", b"x")
        for name in ("some/other", "some", "some/name2", "some/nam", "else/name"):
            assert blobs.get(name) is None
            assert blobs.read(name, 0, 1) is None

    @pytest.mark.parametrize("name", NO_NAMES)
    def test_what_is_no_name_is_rejected(self, blobs: Blobs, name: str) -> None:
        """So that none leads out of the place that the store was given."""
        with pytest.raises(ValueError, match="path"):
            blobs.get(name)
        with pytest.raises(ValueError, match="path"):
            blobs.put(name, b"x")

    def test_names_that_differ_in_case_are_two(self, blobs: Blobs) -> None:
        """Blobs of projects with similar names do not overwrite each other."""
        blobs.put("Some/name", b"1")
        blobs.put("some/name", b"2")
        assert (blobs.get("Some/name"), blobs.get("some/name")) == (b"1", b"2")

    def test_a_blob_can_be_put_again(self, blobs: Blobs) -> None:
        """With the same content, or with other content that replaces it."""
        for content in (b"one", b"one", b"other"):
            blobs.put("some/name", content)
            assert blobs.get("some/name") == content

    def test_blobs_are_there_when_opened_again(self, blobs: Blobs, tmp_path: Path) -> None:
        """Whoever opens the same place finds them."""
        blobs.put("some/name", b"x")
        assert self.open_blobs(tmp_path).get("some/name") == b"x"

    def test_a_check_leaves_nothing_behind(self, blobs: Blobs) -> None:
        """And does not touch what is there."""
        blobs.put("some/name", b"x")
        blobs.check()
        assert list(blobs.names("")) == ["some/name"]
