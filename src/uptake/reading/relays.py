"""Relays and their outbox, as operators see them. No answer has a key of a receiver."""

from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Struct

from uptake.model import clock
from uptake.reading import Name, Page, Unknown
from uptake.reading.bounds import Listing
from uptake.store.relay_ports import OutboxEntry, OutboxUpkeep, Relay, Relays

State = Literal["pending", "dead"]

Sequence = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]
"""The place of an entry among those of its user: a 64-bit column."""


class RelayView(Struct, frozen=True):
    """A relay.

    Attributes:
        name: its name.
        format: the upload operation of its requests.
        url: the base URL of the receiver.
        types: the document types or metrics that are sent; empty for all.
        created_at, paused_at: RFC 3339; `paused_at` is null while it sends.
        reason: why it is paused, or the last failure of the receiver; empty if there is none.
        retry_at: when it tries again after a failure; null without one.
        pending: entries to be sent.
        dead: entries that are not sent any more, each with its reason.
        oldest: when the oldest entry to be sent was received; null if there is none.
    """

    name: str
    format: str
    url: str
    types: tuple[str, ...]
    created_at: str
    paused_at: str | None
    reason: str
    retry_at: str | None
    pending: int
    dead: int
    oldest: str | None


class RelayPage(Struct, frozen=True):
    """Relays in order of name."""

    relays: list[RelayView]
    next: str | None


class OutboxEntryView(Struct, frozen=True):
    """An item in the outbox.

    Attributes:
        user_id: its user.
        kind: `samples`, `attributes`, `document` or `image`.
        type: the metric or the document type; empty for other kinds.
        count: number of samples; 1 for other kinds.
        state: `pending` or `dead`.
        received_at: RFC 3339.
        attempts: failed attempts.
        next_attempt: when it is tried again; null if it does not wait.
        reason: of the last failed attempt, or why the receiver rejected it.
    """

    user_id: str
    kind: str
    type: str
    count: int
    state: State
    received_at: str
    attempts: int
    next_attempt: str | None
    reason: str


class OutboxPage(Struct, frozen=True):
    """Entries in order of user, and of each user in the order received."""

    entries: list[OutboxEntryView]
    next: str | None


class RelayStore(Relays, OutboxUpkeep, Protocol):
    """The ports of relays."""


def page(store: RelayStore, project: str, page: Page) -> RelayPage:
    """Return a page of the relays of a project.

    Raises:
        BadCursor: this server did not issue the cursor.
    """

    def fetch(after: str, count: int) -> list[Relay]:
        return [one for one in store.relays(project) if one.name > after][:count]

    listing = Listing(fetch=fetch, key=lambda one: one.name, cursor_type=Name, start="")
    found, following = listing.page(page)
    return RelayPage([view(store, one) for one in found], following)


def find(store: Relays, project: str, name: str) -> Relay:
    """Return the relay with this name.

    Raises:
        Unknown: it does not exist.
    """
    found = store.relay(project, name)
    if found is None:
        raise Unknown("relay", name)
    return found


def outbox(store: RelayStore, relay: Relay, page: Page, state: State) -> OutboxPage:
    """Return a page of the entries of a relay in a state.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    is_dead = state == "dead"

    def fetch(after: tuple[str, int], count: int) -> list[OutboxEntry]:
        return store.list_outbox(relay, after, count, dead=is_dead)

    listing = Listing(
        fetch=fetch,
        key=lambda one: (one.user_id, one.sequence),
        cursor_type=tuple[Name, Sequence],
        start=("", -1),
    )
    found, following = listing.page(page)
    return OutboxPage([_entry(one) for one in found], following)


def view(store: OutboxUpkeep, relay: Relay) -> RelayView:
    """Return a relay as operators see it."""
    state, now = store.outbox_state(relay), clock.now()
    return RelayView(
        relay.name,
        relay.format,
        relay.url,
        relay.types,
        clock.iso(relay.created_at),
        None if relay.paused_at is None else clock.iso(relay.paused_at),
        relay.reason,
        clock.iso(relay.retry_at) if relay.retry_at > now else None,
        state.pending,
        state.dead,
        None if state.oldest is None else clock.iso(state.oldest),
    )


def _entry(entry: OutboxEntry) -> OutboxEntryView:
    return OutboxEntryView(
        entry.user_id,
        entry.kind,
        entry.type,
        entry.count,
        "dead" if entry.is_dead else "pending",
        clock.iso(entry.received_at),
        entry.attempts,
        clock.iso(entry.due) if entry.due > clock.now() else None,
        entry.reason,
    )
