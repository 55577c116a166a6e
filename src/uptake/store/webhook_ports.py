"""The ports of webhooks; see `store.base`. Moments are microseconds.

The events of a webhook are entries of the outbox (`relay_ports.Outbox`), with its id as their
destination. It is leased and released as a relay.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

UPLOAD_ACCEPTED = "upload.accepted"
UPLOAD_REJECTED = "upload.rejected"
USER_ERASED = "user.erased"
SEGMENT_ENTERED = "segment.entered"
SEGMENT_LEFT = "segment.left"
RELAY_FAILED = "relay.failed"

EVENTS = (
    UPLOAD_ACCEPTED,
    UPLOAD_REJECTED,
    USER_ERASED,
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    RELAY_FAILED,
)
"""The events that a webhook can have."""


class Webhook(Struct, frozen=True):
    """A receiver of events.

    Attributes:
        id: its identity.
        project: the project of the events.
        url: where they are sent.
        secret: signs them: `whsec_` and Base64.
        events: those that it receives.
        segments: it receives the events of these segments; empty for all.
        allow_private: whether the receiver may have a private address.
        created_at: moment.
        old_secret: the secret that was replaced last, if any.
        old_secret_until: when it stops to sign.
        reason: the last failure; "" after a success.
        failures: consecutive turns without a success.
        retry_at: when the next turn may begin.
        paused_at: since when nothing is sent, in a database that was restored; else None.
        leased_until: until when a process sends.
    """

    id: str
    project: str
    url: str
    secret: str
    events: tuple[str, ...]
    segments: tuple[str, ...]
    allow_private: bool
    created_at: int
    old_secret: str = ""
    old_secret_until: int = 0
    reason: str = ""
    failures: int = 0
    retry_at: int = 0
    leased_until: int = 0
    paused_at: int | None = None

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at a moment: two during a rotation."""
        old = (self.old_secret,) if self.old_secret and now < self.old_secret_until else ()
        return (self.secret, *old)

    def takes(self, event: str, segment: str | None = None) -> bool:
        """Whether it receives an event, of a segment if one is given."""
        every = segment is None or not self.segments or segment in self.segments
        return event in self.events and every

    def __repr__(self) -> str:
        return f"Webhook(id={self.id!r}, project={self.project!r})"


class SegmentWatch(Struct, frozen=True):
    """A segment of which the members are stored, because a webhook receives its events.

    Attributes:
        segment: its name.
        filter: the filter that the members match.
        position: of the change log, from which users are to be compared; None to compare all.
        compared_at: when all users were last compared.
    """

    segment: str
    filter: str
    position: int | None
    compared_at: int


class Webhooks(Protocol):
    """The webhooks of projects."""

    def add_webhook(self, webhook: Webhook) -> None:
        """Store a webhook; its project exists."""

    def remove_webhook(self, project: str, webhook_id: str) -> bool:
        """Delete a webhook and its events; False if the project has none with this id."""

    def webhooks(self, project: str | None = None) -> list[Webhook]:
        """Return the webhooks of a project, or of all projects, by project and creation."""

    def webhook(self, project: str, webhook_id: str) -> Webhook | None:
        """Return the webhook with this id."""

    def rotate_webhook(self, project: str, webhook_id: str, secret: str, until: int) -> bool:
        """Replace the secret; until a moment, the old one signs too. False if there is none."""

    def resume_webhook(self, project: str, webhook_id: str) -> bool:
        """Have a paused webhook send again; False without such a webhook."""


class FailedEvents(Protocol):
    """The events of webhooks that are not sent any more."""

    def redeliver(
        self, webhook: Webhook, events: Sequence[tuple[str, int]] | None, now: int
    ) -> int:
        """Have failed events sent again: those of these users and sequences, or all.

        Returns:
            Their number.
        """

    def give_up_events(self, webhook: Webhook, before: int, reason: str) -> int:
        """Mark events as failed that are tried, or wait, since before a moment."""


class SegmentWatches(Protocol):
    """The stored members of segments that webhooks receive events of."""

    def segment_watches(self, project: str) -> list[SegmentWatch]:
        """Return the watches of a project, by name of the segment."""

    def put_segment_watch(self, project: str, watch: SegmentWatch) -> None:
        """Store or replace a watch."""

    def drop_segment_watch(self, project: str, segment: str) -> None:
        """Delete a watch and the stored members."""

    def watched_projects(self) -> list[str]:
        """Return the projects that have watches."""

    def stored_members(self, project: str, segment: str, after: str, limit: int) -> list[str]:
        """Return the stored members with an id above `after`, in order."""

    def stored_members_among(self, project: str, segment: str, user_ids: Sequence[str]) -> set[str]:
        """Return those of these users that are stored members."""

    def change_members(
        self,
        project: str,
        segment: str,
        entered: Sequence[str],
        left: Sequence[str],
        *,
        notify: bool,
    ) -> None:
        """Store who entered and left a segment, with the events of it in the same transaction.

        Users who do not exist any more, because they were erased, do not enter. Who is stored as a
        member already, or is not, has no event.
        """
