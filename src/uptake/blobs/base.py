"""What a blob store is: the port that intake, reading and the image route work with."""

from collections.abc import Iterator, Sequence
from typing import Protocol

MAX_NAME = 1024
MAX_NAME_PART = 255
"""Characters of a name, and of what is between two slashes of it: S3's bound, and file systems'."""


class BlobsUnavailable(Exception):
    """The blob store cannot be reached or written now. Try again."""


class BlobsUnusable(Exception):
    """The URL does not lead to a blob store."""


def is_name(name: object) -> bool:
    """Whether something can be the name of a blob: on every store it then means one blob."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME
        and all(" " <= character <= "~" for character in name)
        and all(
            part not in {"", ".", ".."} and len(part) <= MAX_NAME_PART for part in name.split("/")
        )
    )


class Blobs(Protocol):
    """Blobs by name; a name is a path of printable ASCII without empty parts, `.` or `..`.

    A name that is none (`is_name`) raises ValueError. Any thread may call.

    Attributes:
        parallel: how many calls at once are worth a thread each: more where they wait for a
            network, fewer where they wait for one disk.
    """

    parallel: int

    def check(self) -> None:
        """Put a blob, read it, list it and delete it, to see now what would fail later.

        Raises:
            BlobsUnavailable: one of these failed.
        """

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob, also in place of one of that name.

        Durable when it returns, and never seen in part.

        Raises:
            BlobsUnavailable: it was not kept.
        """

    def get(self, name: str) -> bytes | None:
        """A blob, or None when there is none of that name.

        Raises:
            BlobsUnavailable: it cannot be read.
        """

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """The bytes of a blob from `start` up to `end`, which lies after it.

        There are fewer where the blob ends before; None when there is none of that name. Nothing is
        held open between two calls, so a slow reader costs the store nothing.

        Raises:
            BlobsUnavailable: it cannot be read.
        """

    def delete(self, names: Sequence[str]) -> None:
        """Remove blobs for good; those that are not there are no fault.

        Raises:
            BlobsUnavailable: some of them may still be there.
        """

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with these characters, in no order.

        All names in the folder where the prefix ends are looked through.

        Raises:
            BlobsUnavailable: they cannot be listed; also later, while they are.
        """
