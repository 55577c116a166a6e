"""A key is validated before it is used, and appears in no message."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uptake import Broken, Client, InvalidKey, RequestFailed, Sample, Uploader
from uptake.testing.live import LiveServer
from uptake.uploader.sending.connection import WrongAddress

SECRET = "up_" + "s3cr3t" * 6
SAMPLES = [Sample("Watch", f"2026-01-31T08:0{i}:00Z", "count", 5) for i in range(3)]
USES: dict[str, Callable[[Client], object]] = {
    "bearer": lambda client: client.send_samples("u", "steps", SAMPLES),
    "header": lambda client: client.send_document("t", "u", {}),
    "query": lambda client: client.send_image("1", b"GIF89a"),
}


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", "\t{} "])
def test_white_space_around_a_key_is_removed(
    live: LiveServer, key: str, user: str, around: str
) -> None:
    """For example the line end of the file with the key."""
    with Client(live.url, around.format(key)) as client:
        assert all(one.accepted for one in client.send_samples(user, "steps", SAMPLES))


@pytest.mark.parametrize("middle", ["\n", "\r\nX-Admin: 1\r\n", " ", "\0", "é", "\u202e", "\ud800"])
def test_a_malformed_key_is_rejected_and_not_repeated(middle: str, tmp_path: Path) -> None:
    """By `Client` and `Uploader`, before the first request."""
    wrong = SECRET + middle + SECRET
    for take in (
        lambda: Client("http://127.0.0.1:9", wrong),
        lambda: Uploader("http://127.0.0.1:9", wrong, ledger=tmp_path / "l"),
    ):
        with pytest.raises(InvalidKey) as caught:
            take()
        assert "s3cr3t" not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("url", ["http://h/a b", "http://h/\x7f", "http://hé/"])
def test_an_address_that_would_break_a_request_is_rejected(url: str) -> None:
    """An error about the request would repeat the key in its query."""
    with pytest.raises(WrongAddress):
        Client(url, SECRET)


class _Repeating(http.server.BaseHTTPRequestHandler):
    """Answers with the path and headers of the request."""

    protocol_version = "HTTP/1.1"
    status = 400

    def do_POST(self) -> None:
        """Repeat path and headers, in the body and in a header."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = f"{self.path} {self.headers}".encode()
        self.send_response(self.status)
        self.send_header("Location", f"http://127.0.0.1:9{self.path}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@pytest.fixture(scope="module")
def repeating() -> Iterator[str]:
    """The address of a server that repeats keys."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Repeating) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 422, 500])
@pytest.mark.parametrize("use", USES)
def test_a_key_that_a_server_repeats_is_not_shown(
    repeating: str, monkeypatch: pytest.MonkeyPatch, use: str, status: int
) -> None:
    """In outcomes and exceptions."""
    monkeypatch.setattr(_Repeating, "status", status)
    with Client(repeating, SECRET) as client:
        try:
            shown = repr(USES[use](client))
        except Exception as error:  # noqa: BLE001 - whichever it is
            shown = f"{error!r} {error}"
    assert "s3cr3t" not in shown


def test_ledger_and_reports_do_not_contain_the_key(repeating: str, tmp_path: Path) -> None:
    """Even if a server repeats it in the reason for a rejection."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "1.gif").write_bytes(b"GIF89a")
    uploader = Uploader(
        repeating, SECRET, ledger=tmp_path / "l", refused_file=tmp_path / "rejected"
    )
    summary = uploader.send_images(folder)
    assert summary.refused == 1
    shown = repr((summary, uploader, vars(uploader), uploader.session))
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert "s3cr3t" not in shown
    assert b"s3cr3t" not in files
    assert b"[key]" in files


def test_redirects_are_not_followed(repeating: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to the same host; the error has the target of the redirect."""
    monkeypatch.setattr(_Repeating, "status", 307)
    with Client(repeating, SECRET) as client, pytest.raises(RequestFailed) as caught:
        client.send_samples("u", "steps", SAMPLES)
    assert caught.value.status == 307
    assert "redirects to http://127.0.0.1:9/api/v2.2/samples" in str(caught.value)


def test_connection_errors_do_not_contain_the_key() -> None:
    """No server listens at this address."""
    for use in USES.values():
        with Client("http://127.0.0.1:9", SECRET) as client, pytest.raises(Broken) as caught:
            use(client)
        assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r}"
