"""Webhooks and their failed events, as operators see them. No answer has a secret."""

from collections.abc import Callable
from typing import Annotated, Protocol

import msgspec
from msgspec import Struct

from uptake.model import clock
from uptake.reading import Page, Uuid
from uptake.reading.bounds import Listing
from uptake.store.relay_ports import OutboxEntry, OutboxUpkeep
from uptake.store.webhook_ports import Webhook, Webhooks

Owner = Annotated[str, msgspec.Meta(max_length=256, pattern=r"^[^\x00]*$")]
"""The user of an event; "" if there is none."""

Place = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]
"""The place of an event among those of its user: a 64-bit column."""

EventId = Callable[[str, str, int], str]
"""Returns the id of an event: of a webhook, a user and a place."""


class WebhookView(Struct, frozen=True):
    """A webhook; times are RFC 3339.

    Attributes:
        id: its id.
        url: where events are sent.
        events: those that it receives.
        segments: it receives the events of these segments; empty for all.
        allow_private: whether the receiver may have a private address.
        created_at: when it was added.
        paused_at: since when nothing is sent, because the database was restored; else null.
        old_secret_ends_at: until when the secret that was replaced signs too; null if none does.
        reason: the last failure of the receiver; empty after a success.
        retry_at: when it is tried again after a failure; null without one.
        pending: events to be sent.
        failed: events that were given up.
        oldest_at: when the oldest event to be sent occurred; null if there is none.
    """

    id: str
    url: str
    events: tuple[str, ...]
    segments: tuple[str, ...]
    allow_private: bool
    created_at: str
    paused_at: str | None
    old_secret_ends_at: str | None
    reason: str
    retry_at: str | None
    pending: int
    failed: int
    oldest_at: str | None


class WebhookPage(Struct, frozen=True):
    """Webhooks in order of creation; `next` is the cursor of the next page."""

    webhooks: list[WebhookView]
    next: str | None


class FailedEvent(Struct, frozen=True):
    """An event that was given up.

    Attributes:
        id: the `webhook-id` of its attempts.
        type: of the event.
        user_id: its user; null if it has none.
        occurred_at: RFC 3339.
        attempts: how many failed.
        reason: of the last failure.
    """

    id: str
    type: str
    user_id: str | None
    occurred_at: str
    attempts: int
    reason: str


class FailedEventPage(Struct, frozen=True):
    """Failed events in order of user, and of each user in the order in which they occurred."""

    events: list[FailedEvent]
    next: str | None


class WebhookStore(Webhooks, OutboxUpkeep, Protocol):
    """The ports of webhooks."""


def page(store: WebhookStore, project: str, page: Page) -> WebhookPage:
    """Return a page of the webhooks of a project.

    Raises:
        BadCursor: this server did not issue the cursor.
    """

    def fetch(after: str, count: int) -> list[Webhook]:
        return [one for one in store.webhooks(project) if one.id > after][:count]

    listing = Listing(fetch=fetch, key=lambda one: one.id, cursor_type=Uuid, start="")
    found, following = listing.page(page)
    return WebhookPage([view(store, one) for one in found], following)


def view(store: OutboxUpkeep, webhook: Webhook) -> WebhookView:
    """Return a webhook as operators see it."""
    state, now = store.outbox_state(webhook), clock.now()
    overlaps = len(webhook.secrets(now)) > 1
    return WebhookView(
        webhook.id,
        webhook.url,
        webhook.events,
        webhook.segments,
        webhook.allow_private,
        clock.iso(webhook.created_at),
        None if webhook.paused_at is None else clock.iso(webhook.paused_at),
        clock.iso(webhook.old_secret_until) if overlaps else None,
        webhook.reason,
        clock.iso(webhook.retry_at) if webhook.retry_at > now else None,
        state.pending,
        state.dead,
        None if state.oldest is None else clock.iso(state.oldest),
    )


def failed(store: OutboxUpkeep, webhook: Webhook, page: Page, name: EventId) -> FailedEventPage:
    """Return a page of the failed events of a webhook.

    Raises:
        BadCursor: this server did not issue the cursor.
    """

    def fetch(after: tuple[str, int], count: int) -> list[OutboxEntry]:
        return store.list_outbox(webhook, after, count, dead=True)

    listing = Listing(
        fetch=fetch,
        key=lambda one: (one.user_id, one.sequence),
        cursor_type=tuple[Owner, Place],
        start=("", -1),
    )
    found, following = listing.page(page)
    return FailedEventPage(
        [
            FailedEvent(
                name(webhook.id, one.user_id, one.sequence),
                one.type,
                one.user_id or None,
                clock.iso(one.received_at),
                one.attempts,
                one.reason,
            )
            for one in found
        ],
        following,
    )
