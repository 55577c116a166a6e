"""The ports of relays and of the outbox; see `store.base`. Moments are microseconds."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from uptake.samples.metrics import Metric


class Relay(Struct, frozen=True):
    """A destination that accepted items are sent to.

    Attributes:
        id: its identity.
        project: the project of the items.
        name: unique in the project.
        format: the upload operation that its requests are for.
        url: the base URL of the receiver.
        secret: the API key that the receiver knows.
        types: the document types or metrics that are sent; empty for all.
        created_at: moment.
        paused_at: since when nothing is sent; None while it is.
        reason: why it is paused, or the last failure; "" after a success.
        failures: consecutive turns without an answer.
        retry_at: when the next turn may begin.
        leased_by, leased_until: the process that sends, and until when.
    """

    id: str
    project: str
    name: str
    format: str
    url: str
    secret: str
    types: tuple[str, ...]
    created_at: int
    paused_at: int | None = None
    reason: str = ""
    failures: int = 0
    retry_at: int = 0
    leased_by: str = ""
    leased_until: int = 0

    def __repr__(self) -> str:
        return f"Relay(id={self.id!r}, project={self.project!r}, name={self.name!r})"


class OutboxEntry(Struct, frozen=True):
    """An item in the outbox.

    Attributes:
        user_id: its user.
        sequence: its place among the entries of the user.
        kind: `samples`, `attributes`, `document` or `image`.
        type: the metric or the document type; "" for other kinds.
        content: columns of samples, MessagePack of the names and values of attributes, or the id of
            a document or an image.
        count: number of samples; 1 for other kinds.
        received_at: when it was received.
        is_dead: whether it is not sent any more, unless an operator retries it.
        attempts: failed attempts.
        due: when the next attempt may begin.
        failed_at: moment of the first failed attempt.
        reason: of the last failure, or of the rejection.
    """

    user_id: str
    sequence: int
    kind: str
    type: str
    content: bytes
    count: int
    received_at: int
    is_dead: bool = False
    attempts: int = 0
    due: int = 0
    failed_at: int | None = None
    reason: str = ""


class Settled(Struct, frozen=True):
    """The outcome of entries of a user that were sent together.

    Attributes:
        user_id: their user.
        sequences: of the entries.
        reason: why items are rejected; "" if all are accepted.
        content, count: of the rejected items.
    """

    user_id: str
    sequences: tuple[int, ...]
    reason: str = ""
    content: bytes = b""
    count: int = 0


class Postponed(Struct, frozen=True):
    """Failed attempts to send the first entry of a user.

    Attributes:
        user_id, sequence: the entry.
        attempts: how many failed.
        due: when the next one may begin.
        failed_at: moment of the first of them.
        reason: of the last of them.
    """

    user_id: str
    sequence: int
    attempts: int
    due: int
    failed_at: int
    reason: str


class OutboxState(Struct, frozen=True):
    """The number of entries of a relay.

    Attributes:
        pending: entries to be sent.
        dead: entries that are not sent any more.
        oldest: when the oldest entry to be sent was received; None if there is none.
    """

    pending: int = 0
    dead: int = 0
    oldest: int | None = None


class Target(Protocol):
    """A destination: a relay or a webhook."""

    @property
    def id(self) -> str:
        """Its identity."""

    @property
    def project(self) -> str:
        """The project of its entries."""


class Relays(Protocol):
    """The relays of projects."""

    def add_relay(self, relay: Relay) -> None:
        """Store a relay; its project exists.

        Raises:
            AlreadyExists: its name is taken in the project.
        """

    def remove_relay(self, project: str, name: str) -> bool:
        """Delete a relay and its entries; False if the project has none with this name."""

    def relays(self, project: str | None = None) -> list[Relay]:
        """Return the relays of a project, or of all projects, by project and name."""

    def relay(self, project: str, name: str) -> Relay | None:
        """Return the relay with this name."""

    def pause_relay(self, project: str, name: str, moment: int, reason: str = "") -> bool:
        """Pause a relay; one that is paused stays as it is. False if there is none."""

    def resume_relay(self, project: str, name: str) -> bool:
        """Resume a relay, which may send at once. False if there is none."""


class RelayLeases(Protocol):
    """Which process sends for a relay."""

    def lease_relay(self, relay_id: str, process: str, now: int, until: int) -> bool:
        """Lease a relay, or renew the lease; False if it is paused, leased or must wait."""

    def release_relay(
        self, relay_id: str, process: str, failures: int, retry_at: int, reason: str
    ) -> None:
        """End a lease, with the outcome of the turn."""


class Outbox(Protocol):
    """What is to be sent. Entries are added by `Commits.commit`, with the items."""

    def outbox_page(self, relay: Target, after: tuple[str, int], limit: int) -> list[OutboxEntry]:
        """Return entries to be sent after a user id and a sequence, in this order.

        The page ends earlier after a few megabytes; the last page is empty.
        """

    def still_in_outbox(self, relay: Target, user_id: str, sequences: Sequence[int]) -> bool:
        """Return whether a user still has all of these entries."""

    def settle_outbox(self, relay: Target, outcomes: Sequence[Settled]) -> None:
        """Delete sent entries; rejected items of them stay as one dead entry.

        Entries that do not exist any more, because their user was erased, are not stored again.
        """

    def postpone_outbox(self, relay: Target, failures: Sequence[Postponed]) -> None:
        """Record failed attempts to send entries."""


class OutboxUpkeep(Protocol):
    """What operators do with the outbox, and what else empties it."""

    def list_outbox(
        self, relay: Target, after: tuple[str, int], limit: int, *, dead: bool
    ) -> list[OutboxEntry]:
        """Return entries to be sent, or dead ones, in the same order, without their contents."""

    def outbox_state(self, relay: Target) -> OutboxState:
        """Count the entries of a relay."""

    def retry_dead(self, project: str, name: str) -> int | None:
        """Have all dead entries sent again; returns their number, None without such a relay."""

    def clear_outbox(self) -> int:
        """Delete the entries of relays that do not exist any more. Returns their number."""

    def delete_unsent_samples(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> int:
        """Delete the user's samples that start in [start, end) from the outbox."""
