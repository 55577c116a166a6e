"""Conformance suite: a blob store that cannot be reached."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.testing.blobs.opening import OpensBlobs

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
"""How long so many callers may wait together: they do not wait one after the other."""


class Faults(OpensBlobs):
    """A store out of reach raises at once, and has all its blobs when it is back."""

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

    def test_many_callers_do_not_wait_for_each_other(self, blobs: Blobs, tmp_path: Path) -> None:
        """However few threads serve them: after the first failure, calls fail at once."""
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
