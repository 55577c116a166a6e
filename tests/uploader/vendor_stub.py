"""An independent implementation of the five endpoints, written from the vendors' documents."""

import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from uploader.vendors import gerosense, ptengine, questionpro, thymia
from uploader.vendors.base import Answer, Known, Rejected, Request, Stored, Vendor

VENDORS: tuple[Vendor, ...] = (thymia, ptengine, questionpro, gerosense)
IDLE_SECONDS = 60.0
UPTAKE_PATH = "/uptake/v1"


@dataclass(frozen=True)
class Rejection:
    """A request that was rejected in whole or in part."""

    path: str
    status: int
    why: str


@dataclass
class VendorStub:
    """The four vendors, served at one local address.

    Attributes:
        known: valid keys and types. Can be changed at any time.
        pause_seconds: delay before each request is validated.
        url: its address, while it runs.
        stored: the accepted data.
        requests: the number of requests by path.
        statuses: the number of answers by status.
        connections: the number of connections that were opened.
        most_at_once: the largest number of concurrent requests.
        rejections: the rejections in order.
        faults: exceptions in the stub itself; must be empty.
        open: the open connections.
    """

    known: Known
    pause_seconds: float = 0.0
    url: str = ""
    stored: Stored = field(default_factory=Stored)
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    connections: int = 0
    most_at_once: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    open: set[socket.socket] = field(default_factory=set)
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Answer:
        """The answer of the vendor that the path belongs to."""
        time.sleep(self.pause_seconds)
        answer = self._dispatch(request)
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.rejected:
                self.rejections.append(Rejection(request.path, answer.status, answer.rejected))
        return answer

    def hang_up(self) -> None:
        """Close every connection, so that its thread ends."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _dispatch(self, request: Request) -> Answer:
        vendor = next((v for v in VENDORS if request.path.startswith(v.PREFIX)), None)
        if vendor is None:
            return Answer(404, rejected="no vendor has this path")
        try:
            return vendor.answer(request, self.known, self.stored)
        except Rejected as rejected:
            return replace(vendor.rejection(rejected), rejected=str(rejected))

    @contextmanager
    def counted(self, path: str) -> Iterator[None]:
        """Counts a request as active while the block runs."""
        with self._lock:
            self.requests[path] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests one after another until the client closes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS
    server: "_Server"

    def _serve(self) -> None:
        url = urlsplit(self.path)
        with self.server.stub.counted(url.path):
            length_header = self.headers.get("Content-Length", "0" if self.command == "GET" else "")
            if not length_header.isdecimal():
                self.close_connection = True
                self._write(Answer(411))
                return
            length = int(length_header)
            body = self.rfile.read(length)
            if len(body) < length:
                self.close_connection = True
                return
            query = parse_qs(url.query, keep_blank_values=True)
            request = Request(self.command, url.path, query, self.headers, body)
            self._write(self.server.stub.answer(request))

    def do_GET(self) -> None:
        """Answer 404 for the path at which the uploader looks for Uptake."""
        if self.path == UPTAKE_PATH:
            self._write(Answer(404))
        else:
            self._serve()

    def do_PUT(self) -> None:
        """Serve a request that every endpoint rejects."""
        self._serve()

    def do_POST(self) -> None:
        """Serve an upload."""
        self._serve()

    def _write(self, answer: Answer) -> None:
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        if body:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    """A thread for each connection; all of them end with the server."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, stub: VendorStub) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.stub.connections += 1
        self.stub.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.stub.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            self.stub.faults.append(error)


@contextmanager
def vendor_stub(known: Known, pause_seconds: float = 0.0) -> Iterator[VendorStub]:
    """Run a stub until the block ends.

    Raises:
        AssertionError: the stub itself raised an exception.
    """
    stub = VendorStub(known, pause_seconds)
    with _Server(stub) as server:
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
            stub.hang_up()
    assert stub.faults == []
