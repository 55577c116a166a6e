"""A server of key sets, for tests."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt


@dataclass
class KeyServer:
    """A server that runs.

    Attributes:
        url: its address.
        answers: the bodies by path; an empty one is answered with 503, and a text is redirected to.
        requests: how often each path was requested.
        released: ends the answers that hang: those of the path `/hang`.
    """

    url: str = ""
    answers: dict[str, bytes | str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """Run a server during the block."""
    found = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests[self.path] += 1
            if self.path == "/hang":
                found.released.wait(30)
            answer = found.answers.get(self.path, b"")
            if isinstance(answer, str):
                self.send_response(302)
                self.send_header("Location", answer)
                answer = b""
            else:
                self.send_response(200 if answer else 503)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        found.released.set()
        server.shutdown()
        server.server_close()


def described(key: Any, key_id: str | None) -> dict[str, Any]:
    """A public key as a JSON Web Key."""
    public = key.public_key()
    for name in ("RS256", "ES256", "EdDSA"):
        algorithm = jwt.get_algorithm_by_name(name)
        try:
            found: dict[str, Any] = json.loads(algorithm.to_jwk(public))
        except (jwt.InvalidKeyError, TypeError, AttributeError):
            continue
        return found | ({} if key_id is None else {"kid": key_id})
    raise ValueError("not a key for signatures")
