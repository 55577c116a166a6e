"""A receiver of relays, of which a test chooses the answers, and relays to it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from contract.tenant import Tenant
from uptake.model import clock, ids
from uptake.store.relay_ports import Relay

KEY = "the-key-of-the-vendor-1234567890"
SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return msgspec.json.decode(self.body)

    @property
    def values(self) -> list[float]:
        """The values of its samples."""
        return [sample["value"] for sample in self.json["data"]]


Reply = tuple[int, Any, dict[str, str]]


def accept(one: Received) -> Reply:
    """The vendors' answers to requests in which everything is accepted."""
    if one.path == "/api/v2.2/samples":
        return 200, {"accepted": len(one.values), "rejected": 0, "errors": []}, {}
    if one.path == "/api/v2.2/user":
        return 200, one.json, {}
    if one.path.startswith("/v1/user-data/"):
        return 200, {"uploadId": "id"}, {}
    if one.path == "/v1/user/profiles":
        return 200, {"msg": "Success", "timestamp": 1}, {}
    return 200, {"response": {"imageID": 1, "imageURL": "https://v/1", "size": "1 Kb"}}, {}


@dataclass
class Receiver:
    """What was received, in order.

    Attributes:
        answer: the answer to a request; None to close the connection without one.
        accepted: the requests that were answered with 200 or 207.
        requests: all of them.
        url: its address.
    """

    answer: Callable[[Received], Reply | None] = accept
    accepted: list[Received] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def values_of(self, user_id: str) -> list[float]:
        """The values of the accepted samples of a user, each time that they came."""
        bodies = [one for one in self.accepted if one.json.get("user_id") == user_id]
        return [value for one in bodies for value in one.values]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        """Answer as to an upload."""
        self.do_POST()

    def do_POST(self) -> None:
        """Answer as the test wants."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        one = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        receiver = self.server.receiver
        with receiver.lock:
            receiver.requests.append(one)
            reply = receiver.answer(one)
            if reply is not None and reply[0] in {200, 207}:
                receiver.accepted.append(one)
        if reply is None:
            self.close_connection = True
            return
        status, content, headers = reply
        text = msgspec.json.encode(content)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A server that is killed closes its connections."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver during the block."""
    receiver = Receiver()
    with _Server(receiver) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def relay_to(
    receiver: Receiver, tenant: Tenant, form: str = "gerosense-v2.2", *types: str, **members: Any
) -> Relay:
    """A relay of a project, which its servers know when this returns."""
    relay = Relay(
        id=ids.time_ordered(),
        project=tenant.project,
        name=form,
        format=form,
        url=receiver.url,
        secret=KEY,
        types=types,
        created_at=clock.now(),
        **members,
    )
    tenant.store.add_relay(relay)
    # Every process reads the relays once a second.
    time.sleep(1.2)
    return relay


def wait_until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition is true, and return its value."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail("the condition did not become true")
