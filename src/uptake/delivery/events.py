"""Sends the events of a webhook from the outbox, in the order of each user."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from random import uniform
from time import monotonic
from typing import Protocol

import structlog
from msgspec import Struct
from prometheus_client import Counter

from uptake.delivery.event_receiver import EventReceiver, InvalidUrl, NotDelivered
from uptake.delivery.standard_webhooks import event_id, signed_headers
from uptake.model import clock
from uptake.store.base import StoreUnavailable
from uptake.store.relay_ports import (
    Outbox,
    OutboxEntry,
    OutboxUpkeep,
    Postponed,
    RelayLeases,
    Settled,
)
from uptake.store.webhook_ports import FailedEvents, Webhook, Webhooks
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

TRY_DAYS = 3
"""How long an event is tried: a receiver that fails on a Friday is repaired on Monday."""

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 3600.0
"""Time until the second attempt of an event, and the longest time between two. Each is twice the
one before, less up to a quarter, so that not all attempts come at once."""

LONGEST_OUTAGE_SECONDS = 60.0
"""The longest time between two turns while a receiver is down: one event is tried in each."""

FAILURES = 5
"""Failed attempts of a turn without a success after which it ends: the receiver is down."""

LEASE_SECONDS = 10.0
"""How long a webhook waits for a process that was killed. The lease is renewed during a turn."""

RENEW_SECONDS = 2.5
"""How often a lease is renewed: three renewals may fail."""

TURN_SECONDS = 20.0
"""How long a process sends for a webhook before others may."""

PAGE = 200
"""Events that are read at a time. Their outcomes are recorded together: after a crash, those that
were sent are sent again."""

PARALLEL = 8
"""Users with events that are sent at the same time."""

DELIVERED = Counter("uptake_webhook_events", "Events of webhooks by outcome", ["outcome"])

_log = structlog.get_logger()


class EventStore(RelayLeases, Outbox, OutboxUpkeep, Webhooks, FailedEvents, Protocol):
    """The ports that webhooks use."""


class Sent(Struct):
    """What became of the events of a user in a page."""

    user_id: str
    sequences: list[int]
    failed: Postponed | None = None
    retry_after: int = 0
    is_waiting: bool = False


def backoff(failures: int, longest: float) -> float:
    """Seconds until the next attempt after so many failures."""
    step = min(FIRST_SECONDS * float(1 << min(failures, 16)), longest)
    return step * uniform(0.75, 1.0)  # noqa: S311 - no secret


class EventTurn:
    """One turn of a process to send for a webhook.

    Args:
        store: has the outbox.
        webhook: what it sends for.
        process: the name of this process.
        stopping: whether the process stops.
    """

    def __init__(
        self, store: EventStore, webhook: Webhook, process: str, stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._webhook = webhook
        self._process = process
        self._stopping = stopping
        self._lock = threading.Lock()
        self._failures = 0
        self._has_success = False
        self._reason = ""
        self._retry_after = 0
        self._blocked: str | None = None
        self._until = 0.0
        self._ended = threading.Event()
        self._is_lost = False

    def run(self) -> int:
        """Send what is due. Returns the number of sent events.

        Raises:
            StoreUnavailable: what is not recorded is sent again.
        """
        if not self._lease():
            return 0
        sent, after = 0, ("", -1)
        self._until = monotonic() + TURN_SECONDS
        receivers = _Receivers(self._webhook)
        keeper = threading.Thread(target=self._keep, name="webhook-keeper", daemon=True)
        keeper.start()
        try:
            with ThreadPoolExecutor(PARALLEL, thread_name_prefix="webhook") as threads:
                while not self._ends:
                    page = self._store.outbox_page(self._webhook, after, PAGE)
                    if not page:
                        break
                    users = [
                        (user_id, list(entries))
                        for user_id, entries in groupby(page, key=lambda entry: entry.user_id)
                    ]
                    outcomes = list(threads.map(lambda user: self._send(receivers, *user), users))
                    self._record(outcomes)
                    sent += sum(len(one.sequences) for one in outcomes)
                    last = outcomes[-1]
                    after = page[-1].user_id, page[-1].sequence
                    # The rest of a user's events waits with the first.
                    self._blocked = last.user_id if last.failed or last.is_waiting else None
        finally:
            self._ended.set()
            keeper.join()
            receivers.close()
        self._release()
        return sent

    @property
    def _ends(self) -> bool:
        """Whether the receiver is down, the process stops, or others may send."""
        is_down = self._failures >= FAILURES and not self._has_success
        return is_down or self._is_lost or self._stopping() or monotonic() > self._until

    def _lease(self) -> bool:
        now = clock.now()
        until = now + int(LEASE_SECONDS * MICROSECONDS_PER_SECOND)
        return self._store.lease_relay(self._webhook.id, self._process, now, until)

    def _keep(self) -> None:
        """Renew the lease while the turn lasts."""
        renewed = monotonic()
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self._is_lost = not self._lease()
                renewed = monotonic()
            except StoreUnavailable:
                self._is_lost = monotonic() - renewed > LEASE_SECONDS / 2

    def _send(self, receivers: "_Receivers", user_id: str, entries: Iterable[OutboxEntry]) -> Sent:
        """Send the events of a user until one fails."""
        sent = Sent(user_id, [])
        for entry in entries:
            now = clock.now()
            if user_id == self._blocked or entry.due > now or self._ends:
                sent.is_waiting = True
                break
            # Those of a user who was erased in between are not sent.
            if not self._store.still_in_outbox(self._webhook, user_id, [entry.sequence]):
                continue
            try:
                deliver(receivers.take(), self._webhook, entry)
            except NotDelivered as error:
                sent.failed, sent.retry_after = (
                    self._postponed(entry, str(error)),
                    error.retry_after,
                )
                break
            sent.sequences.append(entry.sequence)
            DELIVERED.labels("delivered").inc()
            with self._lock:
                self._has_success = True
        return sent

    def _postponed(self, entry: OutboxEntry, reason: str) -> Postponed:
        now = clock.now()
        DELIVERED.labels("failed").inc()
        with self._lock:
            self._failures += 1
            self._reason = reason
        due = now + int(backoff(entry.attempts, LONGEST_SECONDS) * MICROSECONDS_PER_SECOND)
        return Postponed(entry.user_id, entry.sequence, 1, due, now, reason)

    def _record(self, outcomes: Iterable[Sent]) -> None:
        outcomes = list(outcomes)
        settled = [Settled(one.user_id, tuple(one.sequences)) for one in outcomes if one.sequences]
        if settled:
            self._store.settle_outbox(self._webhook, settled)
        failed = [one.failed for one in outcomes if one.failed]
        if failed:
            self._store.postpone_outbox(self._webhook, failed)
            before = clock.now() - TRY_DAYS * MICROSECONDS_PER_DAY
            given_up = self._store.give_up_events(self._webhook, before, self._reason)
            if given_up:
                _log.error("events given up", webhook=self._webhook.id, events=given_up)
                DELIVERED.labels("given up").inc(given_up)
        self._retry_after = max([self._retry_after, *(one.retry_after for one in outcomes)])

    def _release(self) -> None:
        failures, retry_at, reason = 0, 0, ""
        if self._failures and not self._has_success:
            failures, reason = self._webhook.failures + 1, self._reason
            wait = max(self._retry_after, backoff(failures - 1, LONGEST_OUTAGE_SECONDS))
            retry_at = clock.now() + int(wait * MICROSECONDS_PER_SECOND)
            _log.warning("webhook failed", webhook=self._webhook.id, reason=reason)
        elif self._retry_after:
            retry_at = clock.now() + self._retry_after * MICROSECONDS_PER_SECOND
        self._store.release_relay(self._webhook.id, self._process, failures, retry_at, reason)


class _Receivers:
    """A connection for each thread."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._local = threading.local()
        self._all: list[EventReceiver] = []

    def take(self) -> EventReceiver:
        """The connection of this thread.

        Raises:
            NotDelivered: the URL is not one that is allowed any more.
        """
        if not hasattr(self._local, "receiver"):
            self._local.receiver = receiver_of(self._webhook)
            self._all.append(self._local.receiver)
        receiver: EventReceiver = self._local.receiver
        return receiver

    def close(self) -> None:
        """Close all connections."""
        for receiver in self._all:
            receiver.close()


def receiver_of(webhook: Webhook) -> EventReceiver:
    """The receiver of a webhook.

    Raises:
        NotDelivered: the URL is not allowed.
    """
    try:
        return EventReceiver(webhook.url, allow_private=webhook.allow_private)
    except InvalidUrl as error:
        raise NotDelivered(f"the URL {error}") from None


def deliver(receiver: EventReceiver, webhook: Webhook, entry: OutboxEntry) -> int:
    """Send an event. Returns the status.

    Raises:
        NotDelivered: the receiver does not accept it.
    """
    now = clock.now()
    name = event_id(webhook.id, entry.user_id, entry.sequence)
    seconds = now // MICROSECONDS_PER_SECOND
    headers = signed_headers(name, seconds, entry.content, webhook.secrets(now))
    return receiver.post(entry.content, headers)
