"""The definition of a blob store: a back end is one if it passes this conformance suite.

The test module of a back end subclasses `BlobsConformance` and implements how it is opened and
broken:

    class TestMine(BlobsConformance):
        def open_blobs(self, place): ...
        def out_of_reach(self, place): ...
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from time import monotonic

import pytest

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

LARGE = 20 * 1024 * 1024
"""Bytes of the largest image."""

NAMES = (
    "a",
    "images/default/0a/0a1b2c/9f86d081884c7d65",
    "/".join(["part"] * 30),
    "My-Project_2.0/UPPER/lower",
    "x" * 200,
)
INVALID_NAMES = ("../secret", "a/../b", "a//b", ".", "a/./b")

PART = 1024 * 1024
TEN = b"0123456789"

ANNA, ANNE = "images/default/ab/ab12", "images/default/ab/ab13"
"""Prefixes of the names of two users' blobs, which are in one folder."""

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

HOUR = 3600 * MICROSECONDS_PER_SECOND

THREADS = 8

CALLS: dict[str, Callable[[Blobs], object]] = {
    "check": lambda blobs: blobs.check(),
    "put": lambda blobs: blobs.put("some/other", b"lost"),
    "put again": lambda blobs: blobs.put("some/name", b"lost"),
    "get": lambda blobs: blobs.get("some/name"),
    "get what is not there": lambda blobs: blobs.get("some/other"),
    "read": lambda blobs: blobs.read("some/name", 0, 1),
    "read what is not there": lambda blobs: blobs.read("some/other", 0, 1),
    "delete": lambda blobs: blobs.delete(["some/name"]),
    "names": lambda blobs: list(blobs.names("")),
}
"""One call of each method, and more where the answer could be mistaken for another."""

CALLERS = 50
SECONDS = 5.0
"""Time limit for all callers together."""


class BlobsConformance:
    """The tests that every blob store passes."""

    # Its methods are not abstract: pytest does not collect the tests of an abstract class.

    def open_blobs(self, place: Path) -> Blobs:
        """Open the blob store of this folder, or of a name that follows from it; empty at first.

        Opening the same place again opens the same store, also while it is open.
        """
        raise NotImplementedError("the test class of a blob store must define open_blobs")

    def out_of_reach(self, place: Path) -> AbstractContextManager[None]:
        """Make the store unreachable while the block runs; its content stays."""
        raise NotImplementedError("the test class of a blob store must define out_of_reach")

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        """A new store."""
        return self.open_blobs(tmp_path)

    @pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
    def test_a_blob_comes_back_as_it_was(self, blobs: Blobs, name: str) -> None:
        """Any bytes, under a name with any number of parts."""
        blobs.put(name, bytes(range(256)))
        assert blobs.get(name) == bytes(range(256))

    @pytest.mark.parametrize("size", [0, 1, LARGE])
    def test_a_blob_may_have_any_size(self, blobs: Blobs, size: int) -> None:
        """From nothing to the largest image."""
        content = b"\x00\xff" * (size // 2) + b"\x07" * (size % 2)
        blobs.put("some/name", content)
        assert blobs.get("some/name") == content

    def test_an_unknown_name_is_none(self, blobs: Blobs) -> None:
        """Even if a similar name, a part of it or a name below it exists."""
        assert blobs.get("some/name") is None
        blobs.put("some/name", b"x")
        for name in ("some/other", "some", "some/name2", "some/nam", "else/name"):
            assert blobs.get(name) is None
            assert blobs.read(name, 0, 1) is None

    @pytest.mark.parametrize("name", INVALID_NAMES)
    def test_an_invalid_name_is_rejected(self, blobs: Blobs, name: str) -> None:
        """So no name leads out of the store's folder."""
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
        """Another process that opens the same place finds them."""
        blobs.put("some/name", b"x")
        assert self.open_blobs(tmp_path).get("some/name") == b"x"

    def test_a_check_leaves_nothing_behind(self, blobs: Blobs) -> None:
        """And does not change stored blobs."""
        blobs.put("some/name", b"x")
        blobs.check()
        assert list(blobs.names("")) == ["some/name"]

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 10), (0, 1), (9, 10), (3, 7), (8, 12), (0, 2**40)]
    )
    def test_a_part_has_the_bytes_between_start_and_end(
        self, blobs: Blobs, start: int, end: int
    ) -> None:
        """It begins at `start` and ends at `end` or at the end of the blob."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", start, end) == TEN[start:end]

    @pytest.mark.parametrize("start", [10, 11, 2**40])
    def test_a_part_after_the_end_is_empty(self, blobs: Blobs, start: int) -> None:
        """A part of an unknown blob is None."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", start, start + 1) == b""
        assert blobs.read("some/other", start, start + 1) is None

    def test_a_part_of_an_empty_blob_is_empty(self, blobs: Blobs) -> None:
        """An empty blob exists, so the part is not None."""
        blobs.put("some/name", b"")
        assert blobs.read("some/name", 0, 1) == b""

    def test_a_large_blob_is_the_sum_of_its_parts(self, blobs: Blobs) -> None:
        """Images are served part by part."""
        content = bytes(range(256)) * (LARGE // 256)
        blobs.put("some/name", content)
        parts = [blobs.read("some/name", at, at + PART) for at in range(0, LARGE, PART)]
        assert all(part is not None and len(part) == PART for part in parts)
        assert b"".join(part or b"" for part in parts) == content

    def test_a_blob_can_be_deleted_between_two_parts(self, blobs: Blobs) -> None:
        """Reading a part does not keep the blob open."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", 0, 5) == b"01234"
        blobs.delete(["some/name"])
        assert blobs.read("some/name", 5, 10) is None

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
        """The prefix may end within a part of the name."""
        for name in STORED:
            blobs.put(name, b"x")
        found = list(blobs.names(prefix))
        assert {name for name in STORED if name.startswith(prefix)} == set(found)
        assert len(found) == count

    def test_names_are_found_by_the_time_they_were_written(self, blobs: Blobs) -> None:
        """By the clock of the store, which may differ by minutes from this one."""
        for name in ("some/name", "other/name"):
            blobs.put(name, b"x")
        hour_ago, in_an_hour = clock.now() - HOUR, clock.now() + HOUR
        assert list(blobs.names("some/", in_an_hour)) == ["some/name"]
        assert list(blobs.names("", hour_ago)) == []

    def test_many_names_are_all_found(self, blobs: Blobs) -> None:
        """Once each, over several pages."""
        names = {f"some/{number:04}" for number in range(MANY)}
        for name in names:
            blobs.put(name, b"")
        found = list(blobs.names("some/"))
        assert (len(found), set(found)) == (MANY, names)
        blobs.delete(found)
        assert list(blobs.names("")) == []

    def test_a_store_lists_only_its_own_names(self, blobs: Blobs, tmp_path: Path) -> None:
        """Not those of another store at a place that begins with the same characters."""
        place = tmp_path / "x"
        beside = tmp_path / "x2"
        for folder in (place, beside):
            folder.mkdir()
            self.open_blobs(folder).put(f"in/{folder.name}", b"x")
        assert list(self.open_blobs(place).names("")) == ["in/x"]
        assert list(blobs.names("in/")) == []

    def test_a_deleted_blob_is_gone_for_all_readers(self, blobs: Blobs, tmp_path: Path) -> None:
        """Other blobs of the same folders stay."""
        for name in ("some/one", "some/two", "some/three", "else/one"):
            blobs.put(name, name.encode())
        blobs.delete(["some/one", "else/one"])
        for reader in (blobs, self.open_blobs(tmp_path)):
            assert reader.get("some/one") is None
            assert reader.read("else/one", 0, 1) is None
            assert reader.get("some/two") == b"some/two"
            assert set(reader.names("")) == {"some/two", "some/three"}

    def test_deleting_an_unknown_name_succeeds(self, blobs: Blobs) -> None:
        """Alone, twice, or together with other names, which are deleted."""
        for name in ("some/one", "some/two", "some/three"):
            blobs.put(name, b"x")
        blobs.delete([])
        blobs.delete(["nothing/here"])
        blobs.delete(["some/one", "some/other", "nothing", "some/two", "some/one"])
        blobs.delete(["some/one"])
        assert list(blobs.names("")) == ["some/three"]

    def test_a_name_can_be_used_again(self, blobs: Blobs) -> None:
        """Even if its folder was deleted with it."""
        for content in (b"one", b"two"):
            blobs.put("some/deep/name", content)
            assert blobs.get("some/deep/name") == content
            blobs.delete(["some/deep/name"])
        assert blobs.get("some/deep/name") is None

    def test_parallel_writes_of_one_name_are_atomic(self, blobs: Blobs) -> None:
        """A reader sees the complete content of one writer."""
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

    def test_parallel_writes_of_many_names_are_all_stored(self, blobs: Blobs) -> None:
        """Writers that need the same new folder do not disturb each other."""
        names = [f"{number % 3}/{number % 7}/{number}" for number in range(100)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda name: blobs.put(name, name.encode()), names))
        assert [blobs.get(name) for name in names] == [name.encode() for name in names]

    def test_parallel_writes_and_deletes_of_one_name_are_atomic(self, blobs: Blobs) -> None:
        """Folders are deleted with their last blob and created again; other blobs stay.

        A blob that is deleted while it is being put may raise `BlobsUnavailable`.
        """
        ready = threading.Barrier(THREADS)

        def put_and_delete(number: int) -> set[bytes | None]:
            ready.wait()
            seen: set[bytes | None] = set()
            for _ in range(5):
                blobs.put(f"some/deep/{number}", b"own")
                with suppress(BlobsUnavailable):
                    blobs.put("some/deep/name", b"shared")
                seen.add(blobs.get("some/deep/name"))
                assert blobs.get(f"some/deep/{number}") == b"own"
                blobs.delete(["some/deep/name", f"some/deep/{number}"])
            return seen

        with ThreadPoolExecutor(THREADS) as pool:
            seen = set.union(*pool.map(put_and_delete, range(THREADS)))
        assert seen <= {b"shared", None}
        assert list(blobs.names("")) == []

    def test_every_method_raises_while_the_store_is_out_of_reach(
        self, blobs: Blobs, tmp_path: Path
    ) -> None:
        """Each time; it never reports a blob as missing or as stored."""
        blobs.put("some/name", b"x")
        with self.out_of_reach(tmp_path):
            for name, call in CALLS.items():
                with pytest.raises(BlobsUnavailable):
                    pytest.fail(f"{name}: {call(blobs)!r}")
        assert blobs.get("some/name") == b"x"
        assert blobs.get("some/other") is None
        assert list(blobs.names("")) == ["some/name"]
        blobs.put("some/other", b"y")
        assert blobs.get("some/other") == b"y"

    def test_many_callers_fail_without_waiting_for_each_other(
        self, blobs: Blobs, tmp_path: Path
    ) -> None:
        """After the first failure, calls fail at once."""
        with self.out_of_reach(tmp_path):
            began = monotonic()
            with ThreadPoolExecutor(4) as pool:
                results = list(pool.map(lambda _: _outcome(blobs), range(CALLERS)))
            assert monotonic() - began < SECONDS
        assert {"BlobsUnavailable"} == set(results)
        assert blobs.get("some/name") is None


def _outcome(blobs: Blobs) -> str:
    try:
        blobs.put("some/name", b"x")
    except BlobsUnavailable as error:
        return type(error).__name__
    return "stored"
