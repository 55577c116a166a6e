"""Requests with unusual or wrong lines and headers."""

from collections.abc import Iterator

import httpx2
import pytest

from uptake.testing.live import LiveServer

from .raw import Answer, connected, exchange, parse, read_all, request
from .uploads import log_of

pytestmark = pytest.mark.usefixtures("served_throughout")

BODY = b'{"field_name": ["user_id"], "values": [["requested"]]}'
PATH = b"/v1/user/profiles"
LENGTH = str(len(BODY)).encode()
CHUNKED = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def url(live: LiveServer) -> Iterator[str]:
    """The server's address; afterwards it still serves, and no request has failed inside."""
    logged = len(live.log)
    yield live.url
    log = log_of(live, logged)
    assert "Traceback" not in log
    assert '"status":500' not in log


def _headers(key: str, **more: bytes) -> dict[bytes, bytes]:
    named = {name.replace("_", "-").encode(): value for name, value in more.items()}
    return {b"Authorization": b"Bearer " + key.encode()} | named


def test_a_chunked_body_is_read(url: str, key: str) -> None:
    """Its length need not be known before."""
    headers = _headers(key, Transfer_Encoding=b"chunked")
    assert exchange(url, request(b"POST", PATH, headers, CHUNKED)).status == 200


BROKEN_FRAMING = {
    "no-chunk-size": ({b"Transfer-Encoding": b"chunked"}, b"zz\r\n" + BODY),
    "huge-chunk-size": ({b"Transfer-Encoding": b"chunked"}, b"f" * 40 + b"\r\n" + BODY),
    "negative-chunk": ({b"Transfer-Encoding": b"chunked"}, b"-5\r\n" + BODY),
    "unknown-coding": ({b"Transfer-Encoding": b"cabbage"}, BODY),
    "negative-length": ({b"Content-Length": b"-5"}, BODY),
    "length-of-letters": ({b"Content-Length": b"abc"}, BODY),
    "superscript-length": ({b"Content-Length": b"\xb2"}, BODY),
    "endless-length": ({b"Content-Length": b"9" * 30}, BODY),
    "two-lengths": ({b"Content-Length": LENGTH, b"content-length": b"3"}, BODY),
    "nul-in-a-header": ({b"Content-Length": LENGTH, b"X-Odd": b"a\0b"}, BODY),
    "space-in-a-name": ({b"Content-Length": LENGTH, b"X Odd": b"a"}, BODY),
}


@pytest.mark.parametrize("name", BROKEN_FRAMING)
def test_broken_framing_is_a_protocol_error(url: str, key: str, name: str) -> None:
    """400 by whoever notices first; nothing of it reaches a store."""
    headers, body = BROKEN_FRAMING[name]
    headers = {**_headers(key), **headers}
    body = body.replace(b"requested", b"unframed")
    assert exchange(url, request(b"POST", PATH, headers, body)).status == 400
    answer = httpx2.get(
        f"{url}/uptake/v1/users/unframed", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 404


def test_a_body_longer_than_its_content_length_is_cut(url: str, key: str) -> None:
    """The rest is another, invalid request."""
    headers = _headers(key, Content_Length=LENGTH)
    assert exchange(url, request(b"POST", PATH, headers, BODY + b"tail")).status == 200


def test_a_body_shorter_than_its_content_length_is_awaited(url: str, key: str) -> None:
    """Until the client disconnects; then there is no response."""
    headers = _headers(key, Content_Length=b"10000")
    with connected(url) as connection:
        connection.sendall(request(b"POST", PATH, headers, BODY))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_no_length_is_an_empty_body(url: str, key: str) -> None:
    """Which is no JSON."""
    assert exchange(url, request(b"POST", PATH, _headers(key))).status == 400


AUTHORIZATIONS = [
    b"",
    b"Bearer",
    b"Bearer ",
    b"Bearer  ",
    b"bearer unknown",
    b"Basic dXNlcjpwYXNz",
    b"Bearer a b c",
    b"Bearer \xff\xfe\xe9",
    b"Bearer " + b"x" * 8000,
    b"Bearer \xc3\xa9",
    b",",
    b"Bearer,Bearer",
    b'Digest username="a"',
]


@pytest.mark.parametrize("value", AUTHORIZATIONS)
def test_an_odd_authorization_is_401(url: str, value: bytes) -> None:
    """In the vendor's envelope."""
    answer = exchange(
        url,
        request(b"POST", PATH, {b"Authorization": value, b"Content-Length": LENGTH}, BODY),
    )
    assert answer.status == 401
    assert answer.body[:7] == b'{"msg":'


def test_two_authorizations_do_not_fail(url: str, key: str) -> None:
    """One of them counts, which one is not promised."""
    headers = _headers(key, Content_Length=LENGTH) | {b"authorization": b"Bearer unknown"}
    assert exchange(url, request(b"POST", PATH, headers, BODY)).status in {200, 401}


ODD_HEADERS = {
    b"Content-Type": b"\xff\xfe; charset=\x80",
    b"Accept": b"\xff/;q=z,,,;",
    b"Accept-Encoding": b"\xe9",
    b"Cookie": b"\xff=;;=;\xc3",
    b"X-Request-Id": b"\xffnot an id",
    b"Range": b"bytes=5-1",
    b"If-None-Match": b"\xff",
    b"X-Forwarded-For": b"\xff, ,",
    b"Expect": b"cabbage",
    b"Content-Encoding": b"identity",
    b"Upgrade": b"h2c",
}


@pytest.mark.parametrize("name", ODD_HEADERS)
def test_odd_values_of_other_headers_do_not_matter(url: str, key: str, name: bytes) -> None:
    """They have no effect."""
    headers = _headers(key, Content_Length=LENGTH) | {name: ODD_HEADERS[name]}
    answer = exchange(url, request(b"POST", PATH, headers, BODY))
    assert answer.status == 200
    assert answer.headers["x-request-id"].isascii()


def test_an_odd_host_does_not_fail(url: str, key: str) -> None:
    """The address of an image has the host, so a request may be rejected, but may not fail."""
    for host in (b"\xff\xfe", b"a b", b"[::1", b"x" * 5000, b"", b"a:99999999", b"evil\x80"):
        headers = {b"Host": host} | _headers(key, Content_Length=LENGTH)
        assert exchange(url, request(b"POST", PATH, headers, BODY)).status in {200, 400}


ENVELOPES = {
    b"/v1/user-data/": b'{"detail":',
    b"/v1/user/": b'{"msg":',
    b"/a/api/v2/users/": b'{"response":',
    b"/api/v2.2/": b'{"code":',
    b"/uptake/v1/": b'{"type":',
    b"/elsewhere/": b'{"type":',
}
ODD_ENDS = [
    b"%ff%fe",
    b"%00",
    b"%",
    b"%zz",
    b"%c3",
    b"..%2f..%2fetc%2fpasswd",
    b"../../etc/passwd",
    b"a" * 60_000,
    b"%2e%2e/" * 1000,
    b"a//b",
    b"?" + b"a=b&" * 10_000,
    b"?apiKey=%ff&apiKey=%00&=&&;",
    b"{user-id}",
    b"%F0%9F%98%80",
]


@pytest.mark.parametrize("end", ODD_ENDS, ids=lambda end: end[:12].decode())
@pytest.mark.parametrize("prefix", ENVELOPES)
def test_an_odd_path_is_answered_in_the_envelope_of_its_prefix(
    url: str, key: str, prefix: bytes, end: bytes
) -> None:
    """404, 405 or the response of the endpoint."""
    headers = _headers(key, x_api_key=key.encode(), api_key=key.encode(), Content_Length=b"2")
    for method in (b"POST", b"GET", b"CABBAGE"):
        answer = exchange(url, request(method, prefix + end, headers, b"{}"))
        assert 400 <= answer.status < 500
        assert ENVELOPES[prefix] == answer.body[: len(ENVELOPES[prefix])], answer


def test_user_ids_of_any_bytes_do_not_fail(url: str, key: str) -> None:
    """There are no such users."""
    for name in (b"%00", b"%ff", b"%ED%A0%80", b"x" * 50_000, b"%2F", b"%252F", b"%0d%0a"):
        for rest in (b"", b"/samples?metric=steps", b"/images"):
            path = b"/uptake/v1/users/" + name + rest
            assert exchange(url, request(b"GET", path, _headers(key))).status == 404


ODD_QUERIES = [
    b"/users/known/samples",
    b"/users/known/samples?metric=cabbage",
    b"/users/known/samples?metric=%ff",
    b"/users/known/samples?metric=steps&from=cabbage",
    b"/users/known/samples?metric=steps&from=%00",
    b"/users/known/samples?metric=steps&to=99999-01-01",
    b"/users/known/samples?metric=steps&limit=0",
    b"/users/known/samples?metric=steps&limit=-1",
    b"/users/known/samples?metric=steps&limit=" + b"9" * 5000,
    b"/users/known/samples?metric=steps&cursor=cabbage",
    b"/users/known/samples?metric=steps&cursor=%ff",
    b"/users/known/images?cursor=z___________",
    b"/users/known/images?cursor=____",
    b"/users/known/images?cursor=%C3%A9",
    b"/users/known/samples?metric=steps&cursor=lM___________w-hYc___________w",
    b"/users/known/samples?metric=steps&cursor=lM___________8BoWEB",
]


@pytest.mark.parametrize("query", ODD_QUERIES, ids=lambda query: query[:60].decode())
def test_odd_queries_are_400(url: str, key: str, query: bytes) -> None:
    """With a problem of RFC 9457; a made-up cursor is one of them."""
    sample = (
        b'{"device_name": "d", "start_date": "2024-01-01T00:00:00Z", "unit": "count", "value": 1}'
    )
    body = b'{"user_id": "known", "data_type": "steps", "data": [%s]}' % b",".join([sample] * 3)
    length = str(len(body)).encode()
    upload = request(b"POST", b"/api/v2.2/samples", _headers(key, Content_Length=length), body)
    assert exchange(url, upload).status == 200
    answer = exchange(url, request(b"GET", b"/uptake/v1" + query, _headers(key)))
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"


PROTOCOL_ERRORS = {
    "tls": b"\x16\x03\x01\x02\x00\x01" * 20,
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no-version": b"POST /v1/user/profiles\r\n\r\n",
    "http-9": b"POST / HTTP/9.9\r\n\r\n",
    "line-of-spaces": b"     \r\n\r\n",
    "raw-non-ascii-path": b"GET /v1/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "300-headers": b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 300 + b"\r\n",
    "path-of-100000": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "header-of-4-mib": b"GET / HTTP/1.1\r\nX-A: " + b"a" * 4_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
def test_what_is_no_http_is_ended_at_once(url: str, name: str) -> None:
    """With a bare 4xx, or without a word."""
    with connected(url) as connection:
        try:
            connection.sendall(PROTOCOL_ERRORS[name])
            received = read_all(connection)
        except ConnectionError:
            received = b""
    if received:
        assert 400 <= parse(received).status < 500


def test_requests_one_after_the_other_without_waiting_are_answered_in_order(
    url: str, key: str
) -> None:
    """A rejected one in between does not disturb its neighbours."""
    keep = {b"Connection": b"keep-alive"}
    good = request(b"POST", PATH, keep | _headers(key, Content_Length=LENGTH), BODY)
    bad = request(b"POST", PATH, keep | _headers("no", Content_Length=LENGTH), BODY)
    last = request(b"GET", b"/nothing", {})
    with connected(url) as connection:
        connection.sendall(good + bad + good + last)
        received = read_all(connection)
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 401, 200, 404]


def test_asking_for_leave_to_send_is_granted(url: str, key: str) -> None:
    """`Expect: 100-continue` gets its interim answer, then the answer."""
    headers = _headers(key, Content_Length=LENGTH, Expect=b"100-continue")
    with connected(url) as connection:
        connection.sendall(request(b"POST", PATH, headers))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        answer: Answer = parse(read_all(connection))
    assert answer.status == 200
