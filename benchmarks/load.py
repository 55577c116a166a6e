"""A load generator: N keep-alive connections, each with one request in flight or none.

Without a rate, each connection sends its next request when the answer is there. With a rate,
requests are sent at random times, as by many clients, and wait when all connections are busy.

It must not be the bottleneck, so requests are built before the clock starts, bodies are sent from
where they lie (scatter-gather, no copy), and one epoll loop on raw sockets does the rest. It runs
in a process of its own (see `generator`).
"""

from __future__ import annotations

import gc
import random
import re
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.bodies import SEED, Workload
from benchmarks.workloads import workload

HOST = "127.0.0.1"
STALL_SECONDS = 30.0
"""No answer on any connection for this long ends the measurement with an error."""
RECEIVE_BYTES = 65536
EXCERPT_BYTES = 300
"""The part of the first rejection that is shown."""
WANTED_STATUS = 200

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3})")


class LoadError(Exception):
    """The measurement failed; the text has the reason."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement: which requests, to which server, how hard and for how long."""

    workload: str
    port: int
    keys: tuple[str, ...]
    connections: int
    seconds: float
    warm_seconds: float
    first: int
    """Number of the first request; numbers never repeat on one server, so no request does."""
    rate: float | None = None
    """Requests a second; None for as many as are answered."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one measurement saw."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    counted: int
    """Requests answered 200 inside the measured window: the rate is of these."""
    issued: int
    """All requests sent and answered: warm-up, window and the last ones in flight."""
    statuses: dict[int, int]
    rejection: str
    """The first answer that was not 200, or empty."""
    window: tuple[float, float]
    """Start and end of the measured window on the monotonic clock all processes share."""
    generator_cpu: float
    """Share of one core that the generator itself used."""

    @property
    def rejected(self) -> int:
        """Requests answered with anything but 200."""
        return sum(count for status, count in self.statuses.items() if status != WANTED_STATUS)


class _Connection:
    """One keep-alive connection: what is still to be sent, and what has come back so far."""

    __slots__ = (
        "answer",
        "idle_since",
        "missing",
        "sock",
        "started",
        "status",
        "unsent",
        "writable",
    )

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection((HOST, port), timeout=STALL_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.unsent: list[memoryview] = []
        self.answer = bytearray()
        self.missing: int | None = None
        """Bytes of the answer still to come, known once its head is complete."""
        self.status = 0
        self.started = self.idle_since = 0.0
        self.writable = False
        """Whether epoll reports when more can be sent."""

    def send(self) -> None:
        """Send as much as the socket takes now."""
        try:
            sent = self.sock.sendmsg(self.unsent)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            # epoll also reports a closed connection; `receive` finds the response or the end.
            return
        done = 0
        for piece in self.unsent:
            if sent < len(piece):
                break
            sent -= len(piece)
            done += 1
        del self.unsent[:done]
        if sent:
            self.unsent[0] = self.unsent[0][sent:]

    def receive(self) -> bool:
        """Read what is there; true when the answer is complete."""
        try:
            chunk = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise LoadError(self._closed())
        self.answer += chunk
        if self.missing is None:
            self._read_head()
        else:
            self.missing -= len(chunk)
        if self.missing is not None and self.missing < 0:
            raise LoadError("the server sent more bytes than its Content-Length states")
        return self.missing == 0

    def _read_head(self) -> None:
        end = self.answer.find(_END_OF_HEAD)
        if end < 0:
            return
        status = _STATUS_LINE.match(self.answer)
        length = _CONTENT_LENGTH.search(self.answer, 0, end + 2)
        if status is None or length is None:
            head = bytes(self.answer[:EXCERPT_BYTES])
            raise LoadError(f"an answer without HTTP/1.1 status or Content-Length: {head!r}")
        self.status = int(status[1])
        self.missing = end + len(_END_OF_HEAD) + int(length[1]) - len(self.answer)

    def _closed(self) -> str:
        if not self.answer:
            return "the server closed the connection instead of answering"
        seen = bytes(self.answer[:EXCERPT_BYTES])
        return f"the server closed the connection in the middle of an answer: {seen!r}"


class _Run:
    """The epoll loop of one measurement."""

    def __init__(self, plan: Plan, requests: Workload) -> None:
        self._plan = plan
        self._requests = requests
        host = f"{HOST}:{plan.port}"
        self._heads = [
            memoryview(one.head.format(host=host, keys=plan.keys).encode("ascii"))
            for one in requests.templates
        ]
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._due = 0.0
        """When the next request is to be sent."""
        self._chance = random.Random(SEED)
        self._next = plan.first
        self._last = plan.first + requests.limit
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._rejection = ""
        self._counted = 0
        self._opens = self._closes = 0.0

    def measure(self) -> Measured:
        plan = self._plan
        try:
            began = self._due = time.perf_counter()
            self._opens = began + plan.warm_seconds
            self._closes = self._opens + plan.seconds
            cpu = time.process_time()
            # Each starts at once, as clients do. Opened together and idle, they would all be
            # accepted by whichever worker wakes first, and the others would have nothing to do.
            for _ in range(plan.connections):
                connection = _Connection(plan.port)
                self._connections[connection.sock.fileno()] = connection
                self._poll.register(connection.sock.fileno(), select.EPOLLIN)
                self._start(connection, time.perf_counter())
            self._loop()
            cpu = time.process_time() - cpu
            elapsed = time.perf_counter() - began
        finally:
            for connection in self._connections.values():
                connection.sock.close()
            self._poll.close()
        return self._summary(cpu / elapsed)

    def _loop(self) -> None:
        clock = time.perf_counter
        while len(self._idle) < len(self._connections) or self._more(clock()):
            patience = self._patience(clock())
            events = self._poll.poll(patience)
            if not events and patience == STALL_SECONDS:
                raise LoadError(f"no answer for {STALL_SECONDS:.0f} seconds")
            for descriptor, event in events:
                connection = self._connections[descriptor]
                if connection.unsent and event & select.EPOLLOUT:
                    self._push(connection)
                if event & ~select.EPOLLOUT and connection.receive():
                    now = clock()
                    self._answered(connection, now)
                    connection.idle_since = now
                    self._idle.append(connection)
                    self._start_due(now)
            self._start_due(clock())

    def _more(self, now: float) -> bool:
        """Whether another request is to be sent, now or later."""
        moment = self._due if self._plan.rate else now
        return moment < self._closes and self._next < self._last

    def _patience(self, now: float) -> float:
        """The seconds until a request is to be sent, if there is a connection for it."""
        return max(0.0, self._due - now) if self._idle and self._more(now) else STALL_SECONDS

    def _start_due(self, now: float) -> None:
        rate = self._plan.rate
        while self._idle and self._due <= now and self._more(now):
            connection = self._idle.pop()
            # A request that found all connections busy waits, and the server is the reason.
            waited = rate and connection.idle_since > self._due
            self._start(connection, self._due if waited else now)
            if rate:
                self._due += self._chance.expovariate(rate)

    def _start(self, connection: _Connection, started: float) -> None:
        number = self._next
        self._next += 1
        index, fills = self._requests.choose(number)
        first, *rest = self._requests.templates[index].pieces
        connection.unsent = [self._heads[index], first]
        for fill, piece in zip(fills, rest, strict=True):
            connection.unsent += (memoryview(fill), piece)
        connection.answer.clear()
        connection.missing = None
        connection.started = started
        self._push(connection)

    def _push(self, connection: _Connection) -> None:
        connection.send()
        wanted = bool(connection.unsent)
        if wanted != connection.writable:
            connection.writable = wanted
            mask = select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN
            self._poll.modify(connection.sock.fileno(), mask)

    def _answered(self, connection: _Connection, now: float) -> None:
        self._statuses[connection.status] += 1
        if connection.status != WANTED_STATUS and not self._rejection:
            self._rejection = connection.answer[:EXCERPT_BYTES].decode("utf-8", "replace")
        if connection.unsent:
            # The rest of the body cannot be distinguished from the next request.
            raise LoadError(
                f"answered {connection.status} before the body was sent: {self._rejection!r}"
            )
        if now < self._opens or connection.status != WANTED_STATUS:
            return  # a rejection is quick: it must improve neither the rate nor the times
        # Requests still in flight when the window closes are not counted in the rate, but
        # their times count: the slowest would otherwise go unseen.
        self._latencies.append(now - connection.started)
        if now <= self._closes:
            self._counted += 1

    def _summary(self, cpu_share: float) -> Measured:
        times = sorted(self._latencies)
        if not self._counted:
            raise LoadError(
                f"no request was answered {WANTED_STATUS} within {self._plan.seconds:g} seconds; "
                f"statuses {dict(self._statuses)}, the first rejection: {self._rejection!r}"
            )
        # When the number of requests ended the run, the window ended with the last answer.
        closes = min(self._closes, time.perf_counter())
        return Measured(
            requests_per_second=self._counted / (closes - self._opens),
            p50_ms=_percentile(times, 0.50) * 1e3,
            p99_ms=_percentile(times, 0.99) * 1e3,
            counted=self._counted,
            issued=self._next - self._plan.first,
            statuses=dict(self._statuses),
            rejection=self._rejection,
            window=(self._opens, closes),
            generator_cpu=cpu_share,
        )


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(plan: Plan) -> Measured:
    """Carry out one measurement in this process."""
    requests = workload(plan.workload)
    gc.collect()
    gc.disable()  # a pause of the collector would count as latency of the server
    try:
        return _Run(plan, requests).measure()
    except OSError as error:
        raise LoadError(f"{type(error).__name__}: {error}") from error
    finally:
        gc.enable()


def prepare(name: str) -> float:
    """Build the bodies of a workload ahead of time; the seconds it took."""
    began = time.perf_counter()
    workload(name)
    return time.perf_counter() - began


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def generator() -> Iterator[ProcessPoolExecutor]:
    """One process for all measurements, so that bodies are built once."""
    executor = ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=_leave_interrupts_to_the_parent,
    )
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
