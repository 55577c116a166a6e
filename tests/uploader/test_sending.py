"""How the uploader handles servers that are slow, overloaded, unreachable, or reject requests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from uptake.formats.base import BEARER
from uptake.testing.live import LiveServer
from uptake.uploader.sending.answers import Answer, first_line, retry_after
from uptake.uploader.sending.connection import (
    Connection,
    Request,
    WrongAddress,
    destination,
    fill,
)

from .misdeeds import Chances, Deed
from .proxy import Proxy, proxying
from .sending import Sender, counts_of, some, write


@pytest.fixture
def proxy(live: LiveServer) -> Iterator[Proxy]:
    """A proxy of the live server; it forwards every request until `behave` is called."""
    with proxying(live.url, Chances()) as before:
        yield before


@pytest.mark.parametrize(
    "chances",
    [
        Chances(drop_before=0.25),
        Chances(drop_after=0.25),
        Chances(cut_request=0.15, cut_answer=0.15),
        Chances(broken=0.25),
        Chances(unavailable=0.25),
    ],
    ids=["drop before", "drop after", "cut", "500", "503"],
)
def test_requests_that_may_succeed_later_are_retried(
    sender: Sender, proxy: Proxy, user: str, chances: Chances
) -> None:
    """Every sample is stored exactly once."""
    proxy.behave(chances)
    samples = [one for i in range(30) for one in some(f"{user}-{i}", 5)]
    path = write(sender.folder / "samples.ndjson", samples)
    through = Sender(sender.server, sender.key, sender.folder, proxy.url)
    summary = through.uploader().send_samples(path)
    assert (summary.acknowledged, summary.complete) == (150, True)
    assert summary.retries > 0
    assert sender.held(f"{user}-7") == some(f"{user}-7", 5)


def test_a_429_is_not_a_failure(live: LiveServer, tmp_path: Path, user: str) -> None:
    """A key with a limit of three requests per second: 429 pauses all requests."""
    sender = Sender(live, live.create_key("samples:write", rate="3/1s"), tmp_path)
    samples = [one for i in range(9) for one in some(f"{user}-{i}", 3)]
    began = monotonic()
    summary = sender.uploader(patience=0.5).send_samples(
        write(tmp_path / "samples.ndjson", samples)
    )
    assert (summary.acknowledged, summary.complete) == (27, True)
    assert summary.retries >= 1
    assert monotonic() - began > 1


def test_requests_that_are_too_large_are_split(sender: Sender, user: str) -> None:
    """A thousand samples with device names of 6000 characters are over 4 MiB."""
    samples = [one | {"device_name": "x" * 6000} for one in some(user, 1000)]
    summary = sender.send(samples)
    assert (summary["acknowledged"], summary["requests"]) == (1000, 3)
    assert len(sender.held(user)) == 1000


def test_compressed_requests_arrive(sender: Sender, user: str) -> None:
    """Uptake takes gzip."""
    samples = some(user, 1000)
    assert sender.send(samples, compressed=True)["acknowledged"] == 1000
    assert sender.held(user) == samples


def test_requests_are_compressed_if_the_server_supports_gzip(
    live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """Requests to this machine are not compressed."""
    path = write(tmp_path / "samples.ndjson", some(user, 2000))
    # 127.0.0.1 as one number: the same address, but the uploader does not see that it is local.
    for url, compressed in ((live.url, False), (live.url.replace("127.0.0.1", "2130706433"), True)):
        uploader = Sender(live, key, tmp_path, url).uploader()
        assert uploader.send_samples(path).complete
        assert uploader.session is not None
        assert uploader.session._sender is not None
        assert uploader.session._sender._compressed is compressed


def test_an_endpoint_that_is_not_there_stops_the_run(sender: Sender, user: str) -> None:
    """An address with a wrong path is not retried."""
    path = write(sender.folder / "samples.ndjson", some(user, 3))
    wrong = Sender(sender.server, sender.key, sender.folder, f"{sender.server.url}/intake")
    summary = wrong.uploader().send_samples(path)
    assert "has no such endpoint (404)" in summary.stopped
    assert (summary.left, summary.retries) == (3, 0)


def test_the_run_stops_when_the_server_stops_answering(
    sender: Sender, proxy: Proxy, user: str
) -> None:
    """After `patience` seconds. The next run sends the rest."""
    through = Sender(sender.server, sender.key, sender.folder, proxy.url)
    path = write(sender.folder / "samples.ndjson", some(user, 5))
    assert through.uploader().send_samples(path).complete
    proxy.behave(Chances(drop_before=1.0))
    later = write(sender.folder / "later.ndjson", some(user, 9))
    summary = through.uploader(patience=0.3).send_samples(later)
    assert "has accepted nothing" in summary.stopped
    assert (summary.known, summary.left) == (5, 4)
    assert proxy.counts[Deed.DROP_BEFORE] > 1
    proxy.behave()
    assert counts_of(through.uploader().send_samples(later))["acknowledged"] == 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *(("3", 3.0), ("", 0.0), ("soon", 0.0), ("86400", 86400.0)),
        *(("Sat, 01 Jan 2000 00:00:00 GMT", 0), ("-1", 0), ("NaN", 0), ("1e18", 0), ("²", 0)),
        *(("9" * 40, 999_999_999.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 999_999_999.0)),
        ("Fri, 31 Dec 99999 23:59:59 +9999", 0),
    ],
)
def test_retry_after_is_read(header: str, seconds: float) -> None:
    """Seconds or a date. Any other value is read as 0 seconds."""
    assert retry_after(Answer(429, {"retry-after": header}, b"")) == seconds


def test_the_text_of_an_answer_is_cut_to_one_line() -> None:
    """At most 200 characters."""
    assert first_line(b"a\n  b") == "a b"
    assert first_line(b" ") == "no text"
    assert len(first_line(b"x" * 10_000)) == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "No."}',
        b'{"msg": "No.", "timestamp": 1}',
        b'{"code": "no", "message": "No."}',
        b'{"response": {"error": {"id": "1013", "message": "No."}}}',
    ],
)
def test_the_text_of_an_error_is_its_reason(body: bytes) -> None:
    """In the envelope of every vendor."""
    assert first_line(body) == "No."


@pytest.mark.parametrize("body", [b'{"response": 1}', b'{"response": {}}', b'{"detail": 1}'])
def test_the_text_of_an_error_in_another_form_is_the_answer(body: bytes) -> None:
    """What a proxy or an unknown receiver sends."""
    assert first_line(body) == body.decode()


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("http://localhost:8000/", "http://localhost:8000"),
        ("HTTPS://Intake.Example:443/up/", "https://intake.example/up"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_address_is_known_in_one_form(url: str, known: str) -> None:
    """One server has one ledger."""
    assert destination(url).url == known


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://x", "http://", "http://x?apiKey=1", "http://u:p@x", "http://x:port"],
)
def test_an_invalid_address_is_rejected(url: str) -> None:
    """Also an address that contains a key."""
    with pytest.raises(WrongAddress):
        destination(url)


def test_user_ids_and_types_are_quoted_in_paths() -> None:
    """Reserved characters are percent-encoded."""
    assert fill("/users/{user-id}/images", "user-id", "a/b?c d") == "/users/a%2Fb%3Fc%20d/images"


def test_a_connection_is_reused(proxy: Proxy, key: str) -> None:
    """Five requests use one connection."""
    connection = Connection(destination(proxy.url), BEARER, key, 10.0)
    asked = Request("/health/live", b"", "", method="GET")
    try:
        for _ in range(5):
            assert connection.send(asked).status == 200
        assert proxy.connections == 1
    finally:
        connection.close()


def test_the_library_loads_nothing_of_the_server() -> None:
    """Neither modules of the server nor their dependencies. `import uptake` loads no module."""
    script = (
        "import sys, uptake\n"
        "assert not [m for m in sys.modules if m.startswith('uptake.')]\n"
        "uptake.Client, uptake.Uploader\n"
        "server = ('http', 'intake', 'store', 'blobs', 'reading', 'wiring', 'cli', 'settings')\n"
        "bad = [m for m in sys.modules if m.split('.')[:2] in [['uptake', s] for s in server]]\n"
        "bad += [m for m in ('litestar', 'sqlalchemy', 'granian', 'PIL') if m in sys.modules]\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
