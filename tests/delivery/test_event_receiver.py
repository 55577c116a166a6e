"""A receiver is only reached at a public address, unless private ones are allowed."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from uptake.delivery import event_receiver
from uptake.delivery.event_receiver import (
    EventReceiver,
    InvalidUrl,
    NotDelivered,
    is_public,
    parse_url,
)

from .event_server import EventServer, event_server

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - rejected
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]

INVALID = {
    "ftp://receiver.example/": "URL of https",
    "receiver.example": "URL of https",
    "https://": "URL of https",
    "https:///path": "must have a host",
    "https://receiver.example:port/": "is not a URL",
    "https://ada:secret@receiver.example/": "no user name",
    "https://receiver.example/#part": "fragment",
    "https://receiver.example/ ": "URL of https",
    "https://receiver.example/\r\nX: y": "URL of https",
    "https://receiver.example/" + "a" * 2000: "at most 2000 characters",
    "http://receiver.example/": "http is only allowed",
    "https://127.0.0.1/": "127.0.0.1 is not a public address",
    "https://[::ffff:10.0.0.1]/": "is not a public address",
    "https://[fe80::1]:8443/": "is not a public address",
}

SPELLINGS = ["2130706433", "0x7f.1", "127.1", "localhost"]
"""Names that resolve to this machine."""


@pytest.fixture
def server() -> Iterator[EventServer]:
    """A receiver on this machine, which has a private address."""
    with event_server() as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Callable[..., EventReceiver]]:
    """Opens receivers, which are closed at the end."""
    opened: list[EventReceiver] = []

    def opening(url: str, *, allow_private: bool = True) -> EventReceiver:
        opened.append(EventReceiver(url, allow_private=allow_private))
        return opened[-1]

    yield opening
    for one in opened:
        one.close()


Connect = Callable[..., EventReceiver]


def port_of(server: EventServer) -> int:
    """The port of a receiver."""
    return int(server.url.rpartition(":")[2])


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name resolve to these addresses."""

    def resolve(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        found = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, 6, "", where))
        return found

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_not_public(address: str) -> None:
    """In whatever form it is written."""
    assert not is_public(ipaddress.ip_address(address))


def test_an_address_of_the_internet_is_public() -> None:
    """Also in an address of IPv6 that contains it."""
    for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", INVALID)
def test_a_url_that_cannot_be_used_is_rejected(url: str) -> None:
    """Before it is stored, with the reason."""
    with pytest.raises(InvalidUrl, match=INVALID[url]):
        parse_url(url, allow_private=False)


def test_parts_of_a_url_are_those_of_the_request() -> None:
    """With the port of the scheme, and the query."""
    url = parse_url("https://receiver.example", allow_private=False)
    assert (url.port, url.target, url.is_encrypted) == (443, "/", True)
    url = parse_url("http://10.0.0.1:8080/a?b=c", allow_private=True)
    assert (url.host, url.port, url.target) == ("10.0.0.1", 8080, "/a?b=c")


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_name_that_resolves_inside_is_not_connected_to(
    server: EventServer, monkeypatch: pytest.MonkeyPatch, connect: Connect, address: str
) -> None:
    """The address is checked that is connected to, not the name."""
    named(monkeypatch, address)
    receiver = connect(f"https://receiver.example:{port_of(server)}/", allow_private=False)
    with pytest.raises(NotDelivered, match="has the private address"):
        receiver.post(b"{}", {})
    assert server.received == []


@pytest.mark.parametrize("name", SPELLINGS)
def test_other_spellings_of_an_address_inside_are_not_connected_to(
    server: EventServer, connect: Connect, name: str
) -> None:
    """The system resolves them, and the result is checked."""
    receiver = connect(f"https://{name}:{port_of(server)}/", allow_private=False)
    with pytest.raises(NotDelivered, match="has the private address"):
        receiver.post(b"{}", {})
    assert server.received == []


def test_a_redirect_is_a_failure(server: EventServer, connect: Connect) -> None:
    """It is not followed, to whatever address."""
    server.answer = lambda _: 307
    server.headers = {"Location": f"{server.url}/elsewhere"}
    receiver = connect(f"{server.url}/events")
    with pytest.raises(NotDelivered, match="the receiver answers 307"):
        receiver.post(b"{}", {})
    assert [one.path for one in server.received] == ["/events"]


def test_a_proxy_of_the_environment_is_not_used(
    server: EventServer, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    """It would connect to an address that is not checked."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    receiver = connect(f"{server.url}/events")
    assert receiver.post(b"{}", {}) == 204


def test_a_connection_is_used_again(server: EventServer, connect: Connect) -> None:
    """And replaced once the receiver has closed it, without a failure."""
    receiver = connect(f"{server.url}/events")
    assert receiver.post(b"1", {}) == receiver.post(b"2", {}) == 204
    first = receiver._connection
    assert first is not None
    first.sock.shutdown(socket.SHUT_RDWR)
    assert receiver.post(b"3", {}) == 204
    assert receiver._connection is not first
    assert [one.body for one in server.received] == [b"1", b"2", b"3"]


def _answering(content: bytes, pause: float = 0.0) -> tuple[int, socket.socket]:
    """A server that answers a connection byte by byte; its port and its socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                for start in range(0, len(content), 1 if pause else len(content)):
                    connection.sendall(content[start : start + 1] if pause else content)
                    time.sleep(pause)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], listener


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    """In size and in time, however it arrives; the status counts if it came."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    port, listener = _answering(head + b"x" * 1_000_000)
    with listener:
        receiver = connect(f"http://127.0.0.1:{port}/")
        assert receiver.post(b"{}", {}) == 200
    monkeypatch.setattr(event_receiver, "ATTEMPT_SECONDS", 0.3)
    port, listener = _answering(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, 0.05)
    with listener:
        receiver = connect(f"http://127.0.0.1:{port}/")
        with pytest.raises(NotDelivered, match=r"no answer within 0\.3 seconds"):
            receiver.post(b"{}", {})


def test_what_is_not_http_or_not_there_is_a_failure(connect: Connect) -> None:
    """With a reason of one line."""
    port, listener = _answering(b"SSH-2.0-OpenSSH\r\n")
    with listener:
        receiver = connect(f"http://127.0.0.1:{port}/")
        with pytest.raises(NotDelivered, match="not HTTP"):
            receiver.post(b"{}", {})
        encrypted = connect(f"https://127.0.0.1:{port}/")
    with pytest.raises(NotDelivered, match="refused"):
        encrypted.post(b"{}", {})


def test_a_certificate_of_no_authority_is_rejected(server: EventServer, connect: Connect) -> None:
    """The receiver must be the one that the URL names."""
    receiver = connect(server.url.replace("http:", "https:"))
    with pytest.raises(NotDelivered):
        receiver.post(b"{}", {})
    assert server.received == []
