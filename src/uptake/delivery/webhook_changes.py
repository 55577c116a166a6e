"""Makes, rotates and redelivers webhooks for the operators of a project."""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from uptake.delivery.event_receiver import InvalidUrl, parse_url
from uptake.delivery.standard_webhooks import event_id, new_secret
from uptake.model import clock, ids
from uptake.reading import Unknown
from uptake.reading.segments.queries import NAME
from uptake.store.relay_ports import OutboxUpkeep
from uptake.store.webhook_ports import (
    EVENTS,
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    FailedEvents,
    Webhook,
    Webhooks,
)
from uptake.time_units import MICROSECONDS_PER_SECOND

MAX_WEBHOOKS = 20
"""Webhooks of a project: an upload may write an event for each."""

MAX_SEGMENTS = 100
"""Segments that a webhook names; without names it receives the events of all."""

MAX_EVENTS = 1000
"""Ids of failed events that are redelivered at a time."""

PAGE = 1000
"""Failed events that are read at a time."""


class InvalidWebhook(ValueError):
    """A webhook cannot be added; the message is the reason.

    Attributes:
        name: the property that is invalid; "" for none.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class WebhookStore(Webhooks, FailedEvents, OutboxUpkeep, Protocol):
    """The ports of webhooks."""


class Wanted(Struct, frozen=True):
    """The settings of a webhook to add, as in `Webhook`."""

    url: str
    events: Sequence[str]
    segments: Sequence[str] = ()
    allow_private: bool = False


def add_webhook(store: Webhooks, project: str, wanted: Wanted) -> Webhook:
    """Add a webhook with a new secret, and return it.

    Raises:
        InvalidWebhook: a property is invalid, or the project has too many.
    """
    try:
        parse_url(wanted.url, allow_private=wanted.allow_private)
    except InvalidUrl as error:
        raise InvalidWebhook("url", str(error)) from None
    if not wanted.events:
        raise InvalidWebhook("events", "must not be empty")
    for event in wanted.events:
        if event not in EVENTS:
            reason = f"must be among {', '.join(EVENTS)} (got {event!r})"
            raise InvalidWebhook("events", reason)
    _check_segments(wanted.segments, wanted.events)
    if len(store.webhooks(project)) >= MAX_WEBHOOKS:
        raise InvalidWebhook("", f"the project has {MAX_WEBHOOKS} webhooks, which is the maximum")
    webhook = Webhook(
        ids.time_ordered(),
        project,
        wanted.url,
        new_secret(),
        tuple(dict.fromkeys(wanted.events)),
        tuple(dict.fromkeys(wanted.segments)),
        wanted.allow_private,
        clock.now(),
    )
    store.add_webhook(webhook)
    return webhook


def _check_segments(segments: Sequence[str], events: Collection[str]) -> None:
    if segments and not {SEGMENT_ENTERED, SEGMENT_LEFT} & set(events):
        raise InvalidWebhook(
            "segments", f"must be used with the event {SEGMENT_ENTERED} or {SEGMENT_LEFT}"
        )
    if len(segments) > MAX_SEGMENTS:
        raise InvalidWebhook("segments", f"must be at most {MAX_SEGMENTS}")
    for segment in segments:
        if not NAME.fullmatch(segment):
            raise InvalidWebhook("segments", f"{segment!r} is not the name of a segment")


def find(store: Webhooks, project: str, webhook_id: str) -> Webhook:
    """Return a webhook.

    Raises:
        Unknown: it does not exist.
    """
    found = store.webhook(project, webhook_id)
    if found is None:
        raise Unknown("webhook", webhook_id)
    return found


def rotate(store: Webhooks, project: str, webhook_id: str, overlap: int) -> Webhook:
    """Give a webhook another secret. Both sign for `overlap` seconds.

    Raises:
        Unknown: it does not exist.
    """
    until = clock.now() + overlap * MICROSECONDS_PER_SECOND
    if not store.rotate_webhook(project, webhook_id, new_secret(), until):
        raise Unknown("webhook", webhook_id)
    return find(store, project, webhook_id)


def redeliver(store: WebhookStore, webhook: Webhook, events: Collection[str]) -> int:
    """Have failed events sent again: these, or all if there are none. Returns their number.

    Raises:
        Unknown: one of them has not failed.
    """
    now = clock.now()
    if not events:
        return store.redeliver(webhook, None, now)
    wanted, found = set(events), list[tuple[str, int]]()
    after = "", -1
    while wanted and (page := store.list_outbox(webhook, after, PAGE, dead=True)):
        for entry in page:
            after = entry.user_id, entry.sequence
            name = event_id(webhook.id, *after)
            if name in wanted:
                wanted.remove(name)
                found.append(after)
    if wanted:
        raise Unknown("failed event", min(wanted))
    return store.redeliver(webhook, found, now)
