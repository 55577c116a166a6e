"""Follows the webhooks of all projects, and sends their events in turns."""

import threading
from collections.abc import Callable, Sequence
from time import monotonic

import structlog
from msgspec import Struct
from prometheus_client import Gauge

from uptake.delivery.event_receiver import NotDelivered
from uptake.delivery.events import EventStore, EventTurn, deliver, receiver_of
from uptake.formats.registry import FORMATS
from uptake.model import clock, ids
from uptake.store.base import StoreUnavailable
from uptake.store.events import EVENT, payload
from uptake.store.records import Outgoing
from uptake.store.relay_ports import OutboxEntry
from uptake.store.webhook_ports import UPLOAD_ACCEPTED, UPLOAD_REJECTED, Webhook

LOOK_SECONDS = 1.0
"""How often a process reads the webhooks, and looks for events to send."""

IDLE_SECONDS = 2.0
"""Pause after a turn in which all events had to wait."""

QUIET_SECONDS = 5.0
"""Longest pause after looks that found nothing; each of them makes it a second longer."""

COUNT_SECONDS = 30.0
"""How often a process counts the events of a webhook for the metrics: it reads an index."""

STOP_SECONDS = 10.0
"""How long a process that stops waits for the events in flight."""

TEST_EVENT = "webhook.test"

PENDING = Gauge(
    "uptake_webhook_pending",
    "Events of a webhook to be sent",
    ["project", "webhook"],
    multiprocess_mode="mostrecent",
)
FAILED = Gauge(
    "uptake_webhook_failed",
    "Events of a webhook that were given up",
    ["project", "webhook"],
    multiprocess_mode="mostrecent",
)

Destinations = dict[tuple[str, str], tuple[Outgoing, ...]]
"""The destinations of a request, by project and format."""

_log = structlog.get_logger()


class Trial(Struct, frozen=True):
    """The outcome of a test event.

    Attributes:
        delivered: whether the receiver accepted it.
        status: of its answer; null if it did not accept the event.
        reason: why it was not delivered; empty if it was.
        ms: milliseconds that it took.
    """

    delivered: bool
    status: int | None
    reason: str
    ms: int


def try_webhook(webhook: Webhook) -> Trial:
    """Send an event without meaning, signed like all others, and wait for the answer."""
    now, start = clock.now(), monotonic()
    body = payload(TEST_EVENT, now, {"webhook_id": webhook.id})
    entry = OutboxEntry("", now, EVENT, TEST_EVENT, body, 1, now)
    status, reason = None, ""
    try:
        receiver = receiver_of(webhook)
        try:
            status = deliver(receiver, webhook, entry)
        finally:
            receiver.close()
    except NotDelivered as error:
        reason = str(error)
    return Trial(status is not None, status, reason, round(1000 * (monotonic() - start)))


def destinations_of(webhooks: Sequence[Webhook]) -> Destinations:
    """The destinations of the events of uploads."""
    found: Destinations = {}
    formats = [endpoint.name for form in FORMATS for endpoint in form.endpoints]
    for webhook in webhooks:
        events = [one for one in (UPLOAD_ACCEPTED, UPLOAD_REJECTED) if one in webhook.events]
        if events:
            target = Outgoing(webhook.id, EVENT, tuple(events))
            for name in formats:
                key = webhook.project, name
                found[key] = (*found.get(key, ()), target)
    return found


class Outlets:
    """The destinations of relays and of webhooks together.

    Args:
        publish: called with all of them.
    """

    def __init__(self, publish: Callable[[Destinations], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._parts: dict[str, Destinations] = {}

    def of(self, kind: str) -> Callable[[Destinations], None]:
        """Return what replaces the destinations of a kind."""

        def replace(some: Destinations) -> None:
            with self._lock:
                self._parts[kind] = some
                together: Destinations = {}
                for part in self._parts.values():
                    for key, targets in part.items():
                        together[key] = (*together.get(key, ()), *targets)
                self._publish(together)

        return replace


class EventDelivery:
    """A thread that follows the webhooks, and a thread for each that has something to send.

    Args:
        store: has the webhooks and the outbox.
        publish: called with the destinations of the events of uploads.
    """

    def __init__(self, store: EventStore, publish: Callable[[Destinations], None]) -> None:
        self._store = store
        self._publish = publish
        self._process = ids.time_ordered()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._sending: dict[str, threading.Thread] = {}
        self._waits: dict[str, float] = {}
        self._quiet: dict[str, float] = {}
        self._counted: dict[str, float] = {}
        self._published: Destinations | None = None

    def follow(self) -> list[Webhook]:
        """Read the webhooks, and publish the destinations.

        Raises:
            StoreUnavailable: they stay as they were.
        """
        webhooks = self._store.webhooks()
        destinations = destinations_of(webhooks)
        if destinations != self._published:
            self._publish(destinations)
            self._published = destinations
        return webhooks

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the events in flight are answered, but not later than `STOP_SECONDS`."""
        self._stop.set()
        end = monotonic() + STOP_SECONDS
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        for thread in list(self._sending.values()):
            thread.join(max(0.0, end - monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except StoreUnavailable:
                pass
            except Exception as error:  # noqa: BLE001 - the thread must not end
                _log.error("webhooks not read", error=type(error).__name__)
            self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        now = monotonic()
        for webhook in self.follow():
            self._count(webhook, now)
            if self._may_send(webhook, now):
                thread = threading.Thread(
                    target=self._send, args=(webhook,), name="webhook-events", daemon=True
                )
                self._sending[webhook.id] = thread
                thread.start()
        self._sending = {name: one for name, one in self._sending.items() if one.is_alive()}

    def _may_send(self, webhook: Webhook, now: float) -> bool:
        """Whether the webhook has events, and this process may send them now."""
        sending = self._sending.get(webhook.id)
        if sending is not None and sending.is_alive():
            return False
        if (
            webhook.paused_at is not None
            or max(webhook.retry_at, webhook.leased_until) > clock.now()
        ):
            return False
        if self._waits.get(webhook.id, 0.0) > now:
            return False
        found = bool(self._store.list_outbox(webhook, ("", -1), 1, dead=False))
        pause = min(self._quiet.get(webhook.id, 0.0) + LOOK_SECONDS, QUIET_SECONDS)
        self._quiet[webhook.id] = 0.0 if found else pause
        self._waits[webhook.id] = now + self._quiet[webhook.id]
        return found

    def _send(self, webhook: Webhook) -> None:
        try:
            sent = EventTurn(self._store, webhook, self._process, self._stop.is_set).run()
            self._waits[webhook.id] = 0.0 if sent else monotonic() + IDLE_SECONDS
        except StoreUnavailable as error:
            _log.warning("webhook interrupted", webhook=webhook.id, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the server must not notice
            _log.error("webhook failed", webhook=webhook.id, error=type(error).__name__)

    def _count(self, webhook: Webhook, now: float) -> None:
        if now - self._counted.get(webhook.id, -COUNT_SECONDS) < COUNT_SECONDS:
            return
        self._counted[webhook.id] = now
        state = self._store.outbox_state(webhook)
        labels = webhook.project, webhook.id
        PENDING.labels(*labels).set(state.pending)
        FAILED.labels(*labels).set(state.dead)
