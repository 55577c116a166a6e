"""Follows the relays of all projects, and sends for each of them in turns."""

import threading
from collections.abc import Callable, Sequence
from functools import cache
from time import monotonic

import structlog
from prometheus_client import Gauge

from uptake.blobs import Blobs
from uptake.delivery.asking import ask
from uptake.delivery.batching import KINDS
from uptake.delivery.turn import DRAIN_SECONDS, DeliveryStore, Turn
from uptake.formats.base import AskVendor, Method, WireReply
from uptake.formats.encoder import AnyWire, ProfilesWire, SamplesWire
from uptake.formats.registry import FORMATS
from uptake.model import clock, ids
from uptake.store.base import StoreUnavailable
from uptake.store.records import Outgoing
from uptake.store.relay_ports import Relay
from uptake.time_units import MICROSECONDS_PER_SECOND
from uptake.uploader.wires import all_wires

LOOK_SECONDS = 1.0
"""How often a process reads the relays, and looks for entries to send."""

IDLE_SECONDS = 2.0
"""Pause after a turn in which all entries had to wait."""

QUIET_SECONDS = 5.0
"""Longest pause after looks that found nothing; each of them makes it a second longer."""

COUNT_SECONDS = 30.0
"""How often a process counts the entries of a relay for the metrics: it reads an index."""

CLEAR_SECONDS = 3600.0
"""How often entries of removed relays are deleted: a process may write some within a second after
the removal."""

PENDING = Gauge(
    "uptake_relay_pending",
    "Entries of a relay to be sent",
    ["project", "relay"],
    multiprocess_mode="mostrecent",
)
DEAD = Gauge(
    "uptake_relay_dead",
    "Entries of a relay that the receiver rejected",
    ["project", "relay"],
    multiprocess_mode="mostrecent",
)
OLDEST = Gauge(
    "uptake_relay_oldest_seconds",
    "Age of the oldest entry of a relay to be sent",
    ["project", "relay"],
    multiprocess_mode="mostrecent",
)

Destinations = dict[tuple[str, str], tuple[Outgoing, ...]]
"""The destinations of accepted items, by project and format."""

_log = structlog.get_logger()


@cache
def wire_named(name: str) -> AnyWire | None:
    """The format of requests that name their user; None if there is none with this name."""
    for wire in all_wires():
        if wire.name == name and not getattr(wire, "user_from_key", False):
            return wire
    return None


def relay_formats() -> dict[str, str]:
    """The formats that a relay can have, each with the kind of its items."""
    wires = (wire for wire in all_wires() if wire_named(wire.name) is not None)
    return {wire.name: KINDS[type(wire)] for wire in wires}


def sources_of(name: str) -> list[str]:
    """The endpoints of which items are sent in a format: those of the same vendor."""
    for form in FORMATS:
        names = [endpoint.name for endpoint in form.endpoints]
        if name in names:
            return names
    return []


def destinations_of(relays: Sequence[Relay]) -> Destinations:
    """The destinations of accepted items, and of registrations."""
    found: Destinations = {}

    def add(project: str, sources: Sequence[str], target: Outgoing) -> None:
        for source in sources:
            found[project, source] = (*found.get((project, source), ()), target)

    for relay in relays:
        wire = wire_named(relay.format)
        if wire is None:
            continue
        items = Outgoing(relay.id, KINDS[type(wire)], relay.types)
        add(relay.project, sources_of(relay.format), items)
        if isinstance(wire, SamplesWire) and wire.registration is not None:
            users = Outgoing(relay.id, KINDS[ProfilesWire])
            add(relay.project, wire.registration.sources, users)
    return found


class Relaying:
    """A thread that follows the relays, and a thread for each relay that has something to send.

    Args:
        store: has the relays and the outbox.
        blobs: has the bytes of images.
        publish: called with the destinations of accepted items.
    """

    def __init__(
        self, store: DeliveryStore, blobs: Blobs, publish: Callable[[Destinations], None]
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._publish = publish
        self._process = ids.time_ordered()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relays", daemon=True)
        self._sending: dict[str, threading.Thread] = {}
        self._turns: dict[str, Turn] = {}
        self._cursors: dict[str, str] = {}
        self._waits: dict[str, float] = {}
        self._quiet: dict[str, float] = {}
        self._counted: dict[str, float] = {}
        self._cleared = 0.0
        self._relays: list[Relay] | None = None

    def follow(self) -> list[Relay]:
        """Read the relays, and publish the destinations.

        Raises:
            StoreUnavailable: they stay as they were.
        """
        relays = self._store.relays()
        if relays != self._relays:
            self._publish(destinations_of(relays))
            self._relays = relays
        return relays

    def ask(self, project: str, method: Method, request: AskVendor) -> WireReply | None:
        """Return the vendor's answer to a request; None without an active relay to the vendor.

        Raises:
            Problem: see `asking.ask`.
        """
        wire = wire_named(request.format)
        for relay in self._relays or ():
            is_asked = (relay.project, relay.format) == (project, request.format)
            if wire is not None and is_asked and relay.paused_at is None:
                return ask(relay, wire, method, request)
        return None

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the requests in flight are answered, but not later than `DRAIN_SECONDS`."""
        self._stop.set()
        end = monotonic() + DRAIN_SECONDS
        if self._thread.is_alive():
            self._thread.join(DRAIN_SECONDS)
        for turn in list(self._turns.values()):
            turn.stop()
        for thread in list(self._sending.values()):
            thread.join(max(0.0, end - monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except StoreUnavailable:
                pass
            except Exception as error:  # noqa: BLE001 - the thread must not end
                _log.error("relays not read", error=type(error).__name__)
            self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        relays = self.follow()
        now = monotonic()
        for relay in relays:
            self._count(relay, now)
            if self._may_send(relay, now):
                thread = threading.Thread(
                    target=self._send, args=(relay,), name=f"relay-{relay.name}", daemon=True
                )
                self._sending[relay.id] = thread
                thread.start()
        if now - self._cleared > CLEAR_SECONDS or not self._cleared:
            self._cleared = now
            self._store.clear_outbox()

    def _may_send(self, relay: Relay, now: float) -> bool:
        """Whether the relay has entries, and this process may send them now."""
        sending = self._sending.get(relay.id)
        if sending is not None and sending.is_alive():
            return False
        moment = clock.now()
        if relay.paused_at is not None or max(relay.retry_at, relay.leased_until) > moment:
            return False
        if self._waits.get(relay.id, 0.0) > now or wire_named(relay.format) is None:
            return False
        found = bool(self._store.list_outbox(relay, ("", -1), 1, dead=False))
        pause = min(self._quiet.get(relay.id, 0.0) + LOOK_SECONDS, QUIET_SECONDS)
        self._quiet[relay.id] = 0.0 if found else pause
        self._waits[relay.id] = now + self._quiet[relay.id]
        return found

    def _send(self, relay: Relay) -> None:
        wire = wire_named(relay.format)
        if wire is None:
            return
        turn = Turn(self._store, self._blobs, relay, wire, self._process)
        self._turns[relay.id] = turn
        try:
            if self._stop.is_set():
                return
            sent, following = turn.run(self._cursors.get(relay.id, ""))
            self._cursors[relay.id] = following
            self._waits[relay.id] = 0.0 if sent else monotonic() + IDLE_SECONDS
        except StoreUnavailable as error:
            _log.warning("relay interrupted", relay=relay.name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the server must not notice
            _log.error("relay failed", relay=relay.name, error=type(error).__name__)
        finally:
            self._turns.pop(relay.id, None)

    def _count(self, relay: Relay, now: float) -> None:
        if now - self._counted.get(relay.id, -COUNT_SECONDS) < COUNT_SECONDS:
            return
        self._counted[relay.id] = now
        state = self._store.outbox_state(relay)
        labels = relay.project, relay.name
        PENDING.labels(*labels).set(state.pending)
        DEAD.labels(*labels).set(state.dead)
        age = 0 if state.oldest is None else max(0, clock.now() - state.oldest)
        OLDEST.labels(*labels).set(age / MICROSECONDS_PER_SECOND)
