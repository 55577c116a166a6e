"""The port of blob stores."""

from collections.abc import Iterator, Sequence
from typing import Protocol

MAX_NAME = 1024
MAX_NAME_PART = 255
"""Characters of a name, and of a part between slashes: the limits of S3 and of file systems."""


class BlobsUnavailable(Exception):
    """The blob store cannot be reached or written. Retry."""


class BlobsUnusable(Exception):
    """The blob store of a URL cannot be opened."""


class UnknownBlobs(BlobsUnusable):
    """The URL does not refer to a blob store."""


def is_name(name: object) -> bool:
    """Whether a value is a valid name of a blob, which refers to one blob in every store."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME
        and all(" " <= character <= "~" for character in name)
        and all(
            part not in {"", ".", ".."} and len(part) <= MAX_NAME_PART for part in name.split("/")
        )
    )


class BlobSink(Protocol):
    """Takes blobs; see `Blobs.put`."""

    def put(self, name: str, content: bytes) -> None:
        """Store a blob."""


class Blobs(Protocol):
    """Blobs by name; a name is a path of printable ASCII without empty parts, `.` or `..`.

    An invalid name (`is_name`) raises ValueError. Methods are thread-safe.

    Attributes:
        parallel: the useful number of concurrent calls: more for a network, fewer for one disk.
    """

    parallel: int

    def check(self) -> None:
        """Write, read, list and delete a blob, to detect early what would fail later.

        Raises:
            BlobsUnavailable: one of these failed.
        """

    def put(self, name: str, content: bytes) -> None:
        """Store a blob, or replace the one with that name.

        Durable when it returns, and never visible in part.

        Raises:
            BlobsUnavailable: it is not stored.
        """

    def get(self, name: str) -> bytes | None:
        """Return a blob, or None if there is none with that name.

        Raises:
            BlobsUnavailable: it cannot be read.
        """

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return the bytes of a blob from `start` up to `end`, where `start` < `end`.

        Returns fewer bytes if the blob is shorter, and None if there is none with that name.
        Nothing stays open between two calls, so a slow reader costs the store nothing.

        Raises:
            BlobsUnavailable: it cannot be read.
        """

    def delete(self, names: Sequence[str]) -> None:
        """Delete blobs; names without a blob are ignored.

        Raises:
            BlobsUnavailable: some of them may still exist.
        """

    def names(self, prefix: str, before: int | None = None) -> Iterator[str]:
        """Iterate over the names that begin with these characters, in any order.

        This scans all names in the folder of the prefix.

        Args:
            prefix: the characters.
            before: only of blobs last written before this moment, by the clock of the store.

        Raises:
            BlobsUnavailable: they cannot be listed; also during the iteration.
        """
