"""What backups need from their callers: the contents of a store, and a display of progress."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = Sequence[Any]
"""The values of a row: text, numbers, bytes and None."""


class Snapshot(Protocol):
    """The rows of a store at one moment."""

    revision: str
    """Of the schema of the rows."""

    @property
    def tables(self) -> dict[str, list[str]]:
        """The column names of each table."""

    def rows(self, name: str) -> Iterator[Row]:
        """Read the rows of a table in any order, with few of them in memory at a time.

        The log of changes has none: its positions are valid in one database only.
        """

    def still_named(self, blobs: Collection[str]) -> set[str]:
        """Return those of some blobs that a row refers to."""


class Filling(Protocol):
    """The empty tables of a store that is being restored."""

    @property
    def names(self) -> set[str]:
        """The names of the tables."""

    def add(
        self, name: str, columns: Sequence[str], rows: Iterable[Row], added: Callable[[int], None]
    ) -> None:
        """Insert rows into a table, calling `added` with the number of each block of them.

        Raises:
            StoreUnusable: the table or a column does not belong to the revision.
        """


class Contents(Protocol):
    """The rows of a whole store, of any revision and engine."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read the rows as they are now, while others write.

        Raises:
            StoreUnusable: the database has no data of Uptake, or data of a newer version.
            StoreUnavailable: it cannot be reached.
        """

    def require_empty(self) -> None:
        """Check that the database has no tables.

        Raises:
            StoreUnusable: it has tables.
            StoreUnavailable: it cannot be reached.
        """

    def filling(self, revision: str) -> AbstractContextManager[Filling]:
        """Fill an empty database with rows of a revision, and upgrade it when the block ends.

        All of it is one transaction: after a failure the database is empty.

        Raises:
            StoreUnusable: it is not empty, or the revision or a row does not fit.
            StoreUnavailable: it cannot be reached or written.
        """

    def close(self) -> None:
        """Close files and connections."""


class Progress(Protocol):
    """Displays the progress of a backup."""

    def begin(self, what: str, total: int | None) -> None:
        """Start a phase, with its number of steps if that is known."""

    def advance(self, steps: int) -> None:
        """Add finished steps."""
