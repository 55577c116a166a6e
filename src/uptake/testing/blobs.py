"""The definition of what a blob store is, for whatever a URL of `open_blobs` leads to."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from uptake.blobs import Blobs, BlobsUnavailable

LARGE = 20 * 1024 * 1024
"""Bytes: the largest image that is taken."""

THREADS = 16

NAMES = (
    "a",
    "images/default/0a/0a1b2c/9f86d081884c7d65",
    "/".join(["part"] * 30),
    "My-Project_2.0/UPPER/lower",
    "x" * 200,
)


class BlobsConformance:
    """A test module of a blob store subclasses this, and fills in the first two methods."""

    def open_blobs(self, place: Path) -> Blobs:
        """A blob store in this folder, or by its name elsewhere; empty at first.

        The same place opened again is the same store, also while it is open.
        """
        raise NotImplementedError

    def out_of_reach(self, place: Path) -> AbstractContextManager[None]:
        """While the block runs the store cannot be reached; what it holds outlives it."""
        raise NotImplementedError

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        """A new store."""
        return self.open_blobs(tmp_path)

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

    def test_names_that_differ_in_case_are_two(self, blobs: Blobs) -> None:
        """Blobs of projects whose names look alike do not overwrite each other."""
        blobs.put("Some/name", b"1")
        blobs.put("some/name", b"2")
        assert (blobs.get("Some/name"), blobs.get("some/name")) == (b"1", b"2")

    def test_a_blob_can_be_put_again(self, blobs: Blobs) -> None:
        """With the same content, or with other content that then stands."""
        for content in (b"one", b"one", b"other"):
            blobs.put("some/name", content)
            assert blobs.get("some/name") == content

    def test_blobs_are_there_when_opened_again(self, blobs: Blobs, tmp_path: Path) -> None:
        """Whoever opens the same place finds them."""
        blobs.put("some/name", b"x")
        assert self.open_blobs(tmp_path).get("some/name") == b"x"

    def test_one_name_from_all_sides_is_never_seen_in_part(self, blobs: Blobs) -> None:
        """Many write and read one name at once: what is read was written by one of them."""
        contents = [bytes([number]) * 100_000 for number in range(THREADS)]
        ready = threading.Barrier(THREADS)

        def put_and_get(number: int) -> list[bytes | None]:
            ready.wait()
            seen = []
            for _ in range(5):
                blobs.put("some/name", contents[number])
                seen.append(blobs.get("some/name"))
            return seen

        with ThreadPoolExecutor(THREADS) as pool:
            seen = {content for part in pool.map(put_and_get, range(THREADS)) for content in part}
        assert seen <= set(contents)
        assert blobs.get("some/name") in contents

    def test_many_names_from_all_sides_are_all_kept(self, blobs: Blobs) -> None:
        """Folders that several need at once are made by whoever comes first."""
        names = [f"{number % 3}/{number % 7}/{number}" for number in range(100)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda name: blobs.put(name, name.encode()), names))
        assert [blobs.get(name) for name in names] == [name.encode() for name in names]

    @pytest.fixture
    def lost(self, blobs: Blobs, tmp_path: Path) -> Iterator[Blobs]:
        """A store with a blob, out of reach; back afterwards, with that blob and no other."""
        blobs.put("some/name", b"x")
        with self.out_of_reach(tmp_path):
            yield blobs
        assert blobs.get("some/name") == b"x"
        assert blobs.get("some/other") is None
        blobs.put("some/other", b"y")
        assert blobs.get("some/other") == b"y"

    def test_a_store_out_of_reach_does_not_say_that_a_blob_is_missing(self, lost: Blobs) -> None:
        """Neither of one that is there nor of one that never was."""
        for name in ("some/name", "some/other"):
            with pytest.raises(BlobsUnavailable):
                lost.get(name)

    def test_a_store_out_of_reach_takes_nothing(self, lost: Blobs) -> None:
        """And says so, every time."""
        for _ in range(2):
            with pytest.raises(BlobsUnavailable):
                lost.put("some/other", b"x")
