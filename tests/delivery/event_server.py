"""A receiver of webhooks, for tests."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook

PATIENCE_SECONDS = 30.0


@dataclass
class Received:
    """An event as it arrived.

    Attributes:
        path, headers, body: of the request.
        status: of the answer.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        """The event."""
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> None:
        """Verify it as the package of Standard Webhooks does."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class EventServer:
    """A receiver that runs.

    Attributes:
        url: its address.
        received: all requests.
        answer: returns the status of a request.
        headers: of all answers.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)

    def at(self, path: str) -> list[Received]:
        """The requests to a path that it accepted."""
        return [one for one in self.received if one.path == path and one.status < 300]

    def until(self, condition: Callable[[], bool], pause: float = 0.02) -> None:
        """Wait until a condition is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.received
            time.sleep(pause)

    def wait_for(self, path: str, count: int) -> Sequence[Received]:
        """Wait until a path has accepted so many events, and return them."""
        self.until(lambda: len(self.at(path)) >= count)
        return self.at(path)


@contextmanager
def event_server() -> Iterator[EventServer]:
    """Run a receiver during the block."""
    found = EventServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.path, headers, body, 0)
            one.status = found.answer(one)
            found.received.append(one)
            self.send_response(one.status)
            for name, value in {"Content-Length": "0", **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
