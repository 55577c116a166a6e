"""The port of exports: everything that a project holds, as it was at one moment."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from uptake.samples.metrics import Metric
from uptake.store.stored import StoredDocument, StoredRejection


class Selection(Struct, frozen=True):
    """What of a project is asked for; by default all of it.

    Attributes:
        users: only what is about these, each once and in order.
        since: only what was received after a snapshot had these `marks`.
        start: only what is of this time or later: ticks for samples, microseconds for the rest.
        end: only what is of a time before this.
    """

    users: Sequence[str] | None = None
    since: dict[int, int] | None = None
    start: int | None = None
    end: int | None = None


EVERYTHING = Selection()


class StoredBatch(Struct, frozen=True, gc=False):
    """A batch of samples as it is kept; a user's `sequence` grows in the order received."""

    user_id: str
    metric: Metric
    sequence: int
    first: int
    last: int
    count: int
    columns: bytes


class StoredUser(Struct, frozen=True, gc=False):
    """A user's attributes, by name, and when the user was seen."""

    user_id: str
    attributes: dict[str, str]
    first_seen: int
    last_seen: int


class Snapshot(Protocol):
    """A project as it was at one moment, whatever is received meanwhile.

    What it gives is read as it is iterated, by one thread at a time, and not after the snapshot is
    closed.
    """

    @property
    def marks(self) -> dict[int, int]:
        """What tells what this snapshot holds from what is received later (`commit_sequence`)."""
        ...

    def batches(self, metrics: Sequence[Metric], only: Selection) -> Iterator[StoredBatch]:
        """Batches with samples that may start in the time asked for, by user and metric.

        Those of one user and metric come in no certain order. A batch received again counts as
        received then.
        """
        ...

    def users(self, only: Selection) -> Iterator[StoredUser]:
        """Users last seen in the time asked for, in order.

        As received counts when a user came to be, and when attributes were told.
        """
        ...

    def attribute_names(self, only: Selection) -> list[str]:
        """The names of all attributes of the users that `users` gives, sorted."""
        ...

    def documents(
        self, type_name: str | None, only: Selection, after: tuple[str, str] = ("", "")
    ) -> Iterator[StoredDocument]:
        """Documents, of one type or of all, received in the time asked for.

        In order of user and id, those that come after `after`; with `since`, all, in the order in
        which they were received.
        """
        ...

    def rejections(self, only: Selection) -> Iterator[StoredRejection]:
        """Rejections of the time asked for, in the same order as documents."""
        ...
