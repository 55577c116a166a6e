"""How a blob store gives back a blob part by part."""

import pytest

from uptake.blobs import Blobs
from uptake.testing.blobs.contents import LARGE
from uptake.testing.blobs.opening import OpensBlobs

PART = 1024 * 1024
TEN = b"0123456789"


class Parts(OpensBlobs):
    """Any part of a blob can be read, by itself."""

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 10), (0, 1), (9, 10), (3, 7), (8, 12), (0, 2**40)]
    )
    def test_a_part_has_the_bytes_between_start_and_end(
        self, blobs: Blobs, start: int, end: int
    ) -> None:
        """From the start on, up to the end or that of the blob."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", start, end) == TEN[start:end]

    @pytest.mark.parametrize("start", [10, 11, 2**40])
    def test_after_the_end_there_is_nothing(self, blobs: Blobs, start: int) -> None:
        """Which is something else than no blob."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", start, start + 1) == b""
        assert blobs.read("some/other", start, start + 1) is None

    def test_of_nothing_there_is_no_part(self, blobs: Blobs) -> None:
        """An empty blob is one."""
        blobs.put("some/name", b"")
        assert blobs.read("some/name", 0, 1) == b""

    def test_a_large_blob_is_the_sum_of_its_parts(self, blobs: Blobs) -> None:
        """As it is served."""
        content = bytes(range(256)) * (LARGE // 256)
        blobs.put("some/name", content)
        parts = [blobs.read("some/name", at, at + PART) for at in range(0, LARGE, PART)]
        assert all(part is not None and len(part) == PART for part in parts)
        assert b"".join(part or b"" for part in parts) == content

    def test_a_blob_may_go_between_two_parts(self, blobs: Blobs) -> None:
        """Nothing is held open that would keep it."""
        blobs.put("some/name", TEN)
        assert blobs.read("some/name", 0, 5) == b"01234"
        blobs.delete(["some/name"])
        assert blobs.read("some/name", 5, 10) is None
