"""A turn of a process to send for a relay: leased, bounded in time, and in the order of users."""

import threading
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

import structlog
from prometheus_client import Counter

from uptake.blobs import Blobs
from uptake.delivery.batching import Items, batching
from uptake.delivery.jobs import RelayJob
from uptake.delivery.sender import RelayReceiver, RelaySender, backoff
from uptake.formats.encoder import AnyWire, ImagesWire
from uptake.model import clock
from uptake.store.base import StoreUnavailable
from uptake.store.relay_ports import Outbox, OutboxUpkeep, Relay, RelayLeases, Relays, Settled
from uptake.time_units import MICROSECONDS_PER_SECOND
from uptake.uploader.sending.attempts import FAILED
from uptake.uploader.sending.connection import destination
from uptake.uploader.sending.schedule import Schedule, Stopped

TURN_SECONDS = 30.0
"""How long a process sends for a relay before others may."""

LEASE_SECONDS = 10.0
"""How long a relay waits for a process that was killed. The lease is renewed while a turn lasts."""

RENEW_SECONDS = 2.5
"""How often a lease is renewed: three renewals may fail."""

FLUSH_SECONDS = 0.1
"""How often outcomes are recorded. What has an outcome that is not recorded is sent again after a
crash."""

PAGE = 256
"""Entries read at a time."""

PARALLEL = 8
PARALLEL_IMAGES = 2
"""Requests in flight. An image of 20 MiB is in memory several times while it is sent."""

MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""Bytes of queued requests; reading waits while there are more."""

DRAIN_SECONDS = 10.0
"""How long a process that stops waits for the requests in flight."""

ITEMS = Counter("uptake_relayed_items", "Items of relays by outcome", ["format", "outcome"])

_log = structlog.get_logger()


class DeliveryStore(Relays, RelayLeases, Outbox, OutboxUpkeep, Items, Protocol):
    """The ports that relays use."""


class Turn:
    """One turn.

    Args:
        store: has the outbox.
        blobs: has the bytes of images.
        relay: the relay to send for.
        wire: the format of its requests.
        process: the name of this process.
    """

    def __init__(
        self, store: DeliveryStore, blobs: Blobs, relay: Relay, wire: AnyWire, process: str
    ) -> None:
        self._store = store
        self._relay = relay
        self._process = process
        self._lock = threading.Lock()
        self._outcomes: list[Settled] = []
        self._ended = threading.Event()
        parallel = PARALLEL_IMAGES if isinstance(wire, ImagesWire) else PARALLEL
        self._schedule = Schedule(parallel, MAX_QUEUED_BYTES)
        receiver = RelayReceiver(destination(relay.url), relay.secret)
        self._sender = RelaySender(relay, receiver, wire.credential, self._schedule, store)
        self._batching = batching(wire, relay.project, store, blobs, self._settle)

    def run(self, start: str) -> tuple[int, str]:
        """Send what is due, beginning with a user.

        Returns:
            The number of answered requests, and the user that the next turn begins with.

        Raises:
            StoreUnavailable: what is not recorded is sent again.
        """
        if not self._lease():
            return 0, start
        keeper = threading.Thread(target=self._keep, name="relay-keeper", daemon=True)
        keeper.start()
        self._sender.start()
        following = start
        try:
            following = self._feed(start)
        except Stopped:
            pass
        finally:
            self._sender.finish()
            self._ended.set()
            keeper.join()
        self._flush()
        self._release()
        return self._sender.sent, following

    def stop(self) -> None:
        """End after the requests in flight are answered."""
        self._sender.stop("the process stops")

    def _lease(self) -> bool:
        now = clock.now()
        until = now + int(LEASE_SECONDS * MICROSECONDS_PER_SECOND)
        return self._store.lease_relay(self._relay.id, self._process, now, until)

    def _feed(self, start: str) -> str:
        """Queue requests in the order of users. Returns the user to begin with the next time."""
        end = monotonic() + TURN_SECONDS
        after = start, -1
        while monotonic() < end:
            page = self._store.outbox_page(self._relay, after, PAGE)
            now = clock.now()
            for entry in page:
                self._put(self._batching.add(entry, now))
                after = entry.user_id, entry.sequence
            if not page:
                self._put(self._batching.finish())
                return ""
        self._put(self._batching.finish())
        return after[0]

    def _put(self, jobs: Iterator[RelayJob]) -> None:
        for job in jobs:
            self._schedule.put(job)

    def _settle(self, outcome: Settled) -> None:
        with self._lock:
            self._outcomes.append(outcome)
        name = "rejected" if outcome.reason else "accepted"
        ITEMS.labels(self._relay.format, name).inc()

    def _keep(self) -> None:
        """Record outcomes, and renew the lease, while the turn lasts."""
        renewed = monotonic()
        while not self._ended.wait(FLUSH_SECONDS):
            try:
                self._flush()
                if monotonic() - renewed > RENEW_SECONDS:
                    renewed = monotonic()
                    if not self._lease():
                        self._sender.stop("the relay was paused or removed")
            except StoreUnavailable:
                # Others may send once the lease has ended.
                if monotonic() - renewed > LEASE_SECONDS / 2:
                    self._sender.stop("the store cannot be reached")
            except Exception:
                # Without renewal, another process would send at the same time.
                self._sender.stop("outcomes cannot be recorded")
                raise

    def _flush(self) -> None:
        with self._lock:
            outcomes, self._outcomes = self._outcomes, []
        try:
            if outcomes:
                self._store.settle_outbox(self._relay, outcomes)
        except StoreUnavailable:
            with self._lock:
                self._outcomes = outcomes + self._outcomes
            raise
        postponed = self._sender.take_postponed()
        if postponed:
            self._store.postpone_outbox(self._relay, postponed)

    def _release(self) -> None:
        relay, sender, now = self._relay, self._sender, clock.now()
        where = {"project": relay.project, "relay": relay.name}
        failures = retry_at = 0
        reason = ""
        if sender.rejected_key:
            _log.error("relay paused", **where, reason=sender.rejected_key)
            self._store.pause_relay(relay.project, relay.name, now, sender.rejected_key)
        elif sender.wait is not None or sender.halted.startswith(FAILED):
            failures, reason = relay.failures + 1, sender.halted
            if sender.wait is None:
                # Without the message of an error of this program, which may have data.
                reason = reason.partition("(")[0]
            seconds = max(sender.wait or 0.0, backoff(failures))
            retry_at = now + int(seconds * MICROSECONDS_PER_SECOND)
            _log.warning("relay failed", **where, reason=reason, retry_in=round(seconds, 1))
        self._store.release_relay(relay.id, self._process, failures, retry_at, reason)
