"""What an upload costs when it is also sent on, and how fast what waits is sent.

Uploads go on to a relay, to a webhook, and to listeners of the stream of requests. The receivers of
the first two are down, so the cost is that of the outbox. What waits for another relay is sent.
`python -m benchmarks --only forwarding` runs only this part.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks import processor, stored
from benchmarks import server as servers
from benchmarks.load import HOST, Measured, Plan, generator, measure, prepare
from benchmarks.server import Server, ServerError
from benchmarks.subjects import PRODUCTS
from benchmarks.tables import table
from benchmarks.workloads import DOCUMENTS, ITEMS, SAMPLES, TITLES
from uptake.cli.serve import free_port
from uptake.store.definitions import DEFAULT_PROJECT

PART = "forwarding"
ROUNDS = 6
SECONDS = 2.7
WARM_SECONDS = 0.3
CONNECTIONS = 32
LISTENERS = 10
RECEIVED_BYTES = 1 << 20

SMALL_SAMPLES = "samples-10"
UPLOADS = (DOCUMENTS, SMALL_SAMPLES, SAMPLES)
QUEUES = {SAMPLES: 1.0, SMALL_SAMPLES: 2.5}
"""Seconds of uploads that wait for a relay: about a million samples, and 100,000 in small ones."""

RELAY, FORMAT = "there", "gerosense-v2.2"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.05
FOLLOW_SECONDS = 1.5
"""After this time, a server has seen a new relay or webhook."""

ALONE, RELAYED, EVENTS, STREAMED = "alone", "relay", "webhook", f"{LISTENERS} listeners"
WAYS = (ALONE, STREAMED, RELAYED, EVENTS)


@dataclass(frozen=True, slots=True)
class Cost:
    """Uploads of one kind to a server that sends them on in one way.

    Attributes:
        microseconds: processor time of the server and its database for an upload, by round.
        rates: uploads a second, by round.
    """

    microseconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drain:
    """The sending of what waited.

    Attributes:
        title: what waited.
        entries: uploads that waited.
        items: samples.
        seconds: from the first entry that was sent to the last.
        processor: seconds of processor time of the server and its database.
    """

    title: str
    entries: int
    items: int
    seconds: float
    processor: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one engine.

    Attributes:
        subject: the product and its engine.
        costs: by the kind of the uploads and the way in which they are sent on.
        drains: of relays.
    """

    subject: str
    costs: dict[tuple[str, str], Cost]
    drains: list[Drain]


def measure_engine(scratch: Path, engine: str) -> list[Figures]:
    """Measure what uploads cost, and how fast what waits is sent, on one engine.

    Raises:
        ServerError: a server failed, or what waited was not sent in time.
    """
    found = Figures(PRODUCTS[engine], {}, [])
    with generator() as process:
        _measure_costs(scratch, engine, process, found)
        for name, seconds in QUEUES.items():
            found.drains.append(_relayed(scratch, engine, process, name, seconds))
    return [found]


def _measure_costs(
    scratch: Path, engine: str, process: ProcessPoolExecutor, found: Figures
) -> None:
    """Measure uploads that are sent on in different ways, in turns.

    Each has a new server, which does not fold receipts yet: that takes more than the difference.
    """
    for number in range(ROUNDS):
        for name in UPLOADS:
            # Each is measured first as often as last.
            for way in WAYS if number % 2 else reversed(WAYS):
                with servers.uptake(scratch, 1, engine) as server, _sending_on(server, way):
                    used = processor.seconds(server)
                    seen = _send(process, server, name, SECONDS, 0)
                    used = processor.seconds(server) - used
                cost = found.costs.setdefault((name, way), Cost())
                cost.microseconds.append(used / seen.issued * 1e6)
                cost.rates.append(seen.requests_per_second)
        _log(f"round {number + 1}/{ROUNDS} on {engine}")


@contextmanager
def _sending_on(server: Server, way: str) -> Iterator[None]:
    """Send uploads on in one way, to receivers that are down."""
    unreachable = f"http://{HOST}:{free_port(HOST)}"
    if way == RELAYED:
        _add_relay(server, unreachable)
    elif way == EVENTS:
        event = "--event", "upload.accepted"
        servers.command(server, "webhooks", "add", f"{unreachable}/", *event, "--allow-private")
    with _listening(server) if way == STREAMED else nullcontext():
        time.sleep(FOLLOW_SECONDS)
        yield


def _relayed(
    scratch: Path, engine: str, process: ProcessPoolExecutor, name: str, seconds: float
) -> Drain:
    """Let uploads wait for a relay, and send them to another server."""
    with (
        servers.uptake(scratch, 1, engine) as server,
        servers.uptake(scratch, 1) as receiver,
    ):
        _add_relay(server, receiver.url, receiver.key)
        servers.command(server, "relay", "pause", RELAY)
        time.sleep(FOLLOW_SECONDS)
        sent = _send(process, server, name, seconds, 0)
        servers.command(server, "relay", "resume", RELAY)
        return _drained(server, TITLES[name], sent.issued * ITEMS[name])


def _send(
    process: ProcessPoolExecutor, server: Server, name: str, seconds: float, first: int
) -> Measured:
    process.submit(prepare, name).result()
    plan = Plan(name, server.port, (server.key,), CONNECTIONS, seconds, WARM_SECONDS, first)
    seen = process.submit(measure, plan).result()
    if seen.rejected:
        raise ServerError(f"{seen.rejected} uploads were rejected: {seen.rejection}")
    return seen


def _add_relay(server: Server, url: str, key: str = "none") -> None:
    path = server.data.parent / "receiver.key"
    path.write_text(key)
    servers.command(
        server, "relay", "add", RELAY, "--format", FORMAT, "--to", url, "--key-file", str(path)
    )


@contextmanager
def _listening(server: Server) -> Iterator[None]:
    """Follow the requests of a server, as some pages of the console do."""
    made = servers.command(server, "keys", "create", "--scope", "admin", "--json")
    key = json.loads(made)["key"]
    request = (
        "GET /uptake/v1/requests/stream HTTP/1.1\r\n"
        f"Host: {HOST}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(LISTENERS):
            client = stack.enter_context(socket.create_connection((HOST, server.port)))
            client.sendall(request.encode())
            if not client.recv(RECEIVED_BYTES).startswith(b"HTTP/1.1 200"):
                raise ServerError("the stream of requests was not answered with 200")
            thread = threading.Thread(target=_receive, args=(client,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(client.shutdown, socket.SHUT_RDWR)
        yield


def _receive(client: socket.socket) -> None:
    with suppress(ConnectionError):
        while client.recv(RECEIVED_BYTES):
            pass


def _drained(server: Server, title: str, items: int) -> Drain:
    """Wait until nothing waits."""
    with closing(stored.open_store_of(server)) as store:
        (target,) = store.relays(DEFAULT_PROJECT)
        entries = left = store.outbox_state(target).pending
        began, used = time.monotonic(), processor.seconds(server)
        end = began + PATIENCE_SECONDS
        while left:
            if time.monotonic() > end:
                raise ServerError(f"{title}: {left} of {entries} entries wait still")
            time.sleep(POLL_SECONDS)
            state = store.outbox_state(target)
            if left == entries and state.pending == entries:
                began, used = time.monotonic(), processor.seconds(server)
            left = state.pending
            if state.dead:
                raise ServerError(f"{title}: {state.dead} entries were rejected")
        seconds = time.monotonic() - began
    _log(f"{title}: {entries:,} entries in {seconds:.1f} s")
    return Drain(title, entries, items, seconds, processor.seconds(server) - used)


def _log(text: str) -> None:
    print(f"[{PART}] {text}", file=sys.stderr, flush=True)


def show(found: Sequence[Figures], console: Console) -> None:
    """Print what uploads cost, and how fast what waits is sent."""
    shown = table("Processor time of an upload that is sent on, microseconds (requests a second)")
    for name in ("server", "upload"):
        shown.add_column(name)
    for way in WAYS:
        shown.add_column(way, justify="right")
    for one in found:
        for name in UPLOADS:
            alone = one.costs[name, ALONE]
            cells = [_cell(one.costs[name, way], alone) for way in WAYS]
            shown.add_row(one.subject, TITLES[name], *cells)
    console.print(shown)
    drained = table("What waited is sent, to another server of one worker")
    for name in ("server", "what"):
        drained.add_column(name)
    for name in ("entries", "items", "seconds", "items a second", "processor us an entry"):
        drained.add_column(name, justify="right")
    for one in found:
        for drain in one.drains:
            drained.add_row(
                one.subject,
                drain.title,
                f"{drain.entries:,}",
                f"{drain.items:,}",
                f"{drain.seconds:.1f}",
                f"{drain.items / drain.seconds:,.0f}",
                f"{drain.processor / drain.entries * 1e6:,.0f}",
            )
    console.print(drained)


def _cell(cost: Cost, alone: Cost) -> str:
    """The median, and the median of the rounds' ratios to uploads that are not sent on."""
    ratios = [a / b for a, b in zip(cost.microseconds, alone.microseconds, strict=True)]
    more = f", {(median(ratios) - 1) * 100:+.1f} %" if cost is not alone else ""
    return f"{median(cost.microseconds):,.0f}{more} ({median(cost.rates):,.0f})"
