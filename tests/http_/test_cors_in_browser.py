"""Reads from scripts of other origins, as a browser permits them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from chromium import Chromium
from contract.pictures import PNG
from uptake.testing.live import ALL_WRITES, LiveServer, serving

FETCH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options)
        return [answer.status, answer.headers.get('X-Request-Id'), await answer.text()]
    } catch (error) {
        return error.message
    }
}"""
"""What a script on a page gets: an answer, or the same error for every reason."""

BLOCKED = "Failed to fetch"

DOCUMENT = '{"user": {"userLabel": "%s"}, "data": {}}'
ATTRIBUTES = '{"field_name": ["user_id", "age"], "values": [["zoe", "30"]]}'
RULES = '{"rules":[{"kind":"images","days":30,"type":""}]}'


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with an empty page. Its two names are two origins to a browser."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def permitted(port: int) -> str:
    """The origin of which scripts may read."""
    return f"http://localhost:{port}"


@pytest.fixture(scope="module")
def other(port: int) -> str:
    """Another origin."""
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, permitted: str) -> Iterator[LiveServer]:
    """A server that permits one origin."""
    data = tmp_path_factory.mktemp("cors") / "data"
    with serving(data, "--cors-origin", permitted) as server:
        server.create_type("check-in")
        yield server


@pytest.fixture(scope="module")
def secret(server: LiveServer) -> str:
    """A key of this server that may do everything, with a user `ada`."""
    secret = server.create_key(*ALL_WRITES, "data:read", "data:erase", "admin")
    _store_document(server, "ada", secret)
    return secret


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _store_document(server: LiveServer, user: str, secret: str) -> None:
    headers, url = {"x-api-key": secret}, f"{server.url}/v1/user-data/check-in"
    assert httpx2.post(url, content=DOCUMENT % user, headers=headers).status_code == 200


def _fetch(browser: Chromium, origin: str, *requests: tuple[str, dict[str, Any]]) -> list[Any]:
    """What a script on a page of the origin gets for each request."""

    def steps(page: Any) -> list[Any]:
        page.goto(origin)
        return [page.evaluate(FETCH, [url, options]) for url, options in requests]

    return browser.run(steps)


def _state(server: LiveServer, secret: str) -> tuple[set[str], str]:
    """The users and the retention rules."""
    with httpx2.Client(base_url=server.url, headers=_bearer(secret)) as client:
        users = client.get("/uptake/v1/users").json()["users"]
        return {user["user_id"] for user in users}, client.get("/uptake/v1/retention").text


def test_a_script_of_the_permitted_origin_reads(
    browser: Chromium, server: LiveServer, permitted: str, secret: str
) -> None:
    """Answers and errors, with the request id; the browser asks first, because of the header."""
    url = f"{server.url}/uptake/v1/users"
    read, head, rejected = _fetch(
        browser,
        permitted,
        (url, {"headers": _bearer(secret)}),
        (url, {"headers": _bearer(secret), "method": "HEAD"}),
        (url, {"headers": _bearer("wrong")}),
    )
    assert (read[0], '"ada"' in read[2]) == (200, True)
    assert (head[0], head[2]) == (200, "")
    assert (rejected[0], '"title"' in rejected[2]) == (401, True)
    assert all(len(request) >= 32 for _, request, _ in (read, head, rejected))


def test_a_script_of_the_permitted_origin_reads_images(
    browser: Chromium, server: LiveServer, permitted: str, other: str, secret: str
) -> None:
    """A page of another origin can show them, and its script cannot read them."""
    sent = httpx2.post(f"{server.url}/a/api/v2/users/7/images?apiKey={secret}", files={"file": PNG})
    image = (sent.json()["response"]["imageURL"], {"mode": "cors"})
    ((status, _, _),) = _fetch(browser, permitted, image)
    assert status == 200
    assert _fetch(browser, other, image) == [BLOCKED]


def test_a_script_of_another_origin_does_not_read(
    browser: Chromium, server: LiveServer, other: str, secret: str
) -> None:
    """With the same key, and without one, for which the browser does not ask first."""
    url = f"{server.url}/uptake/v1/users"
    got = _fetch(browser, other, (url, {"headers": _bearer(secret)}), (url, {}))
    assert got == [BLOCKED, BLOCKED]


def test_no_script_reads_by_default(
    browser: Chromium, live: LiveServer, key: str, permitted: str
) -> None:
    """From a server without the option."""
    url = f"{live.url}/uptake/v1/users"
    assert httpx2.get(url, headers=_bearer(key)).status_code == 200
    got = _fetch(browser, permitted, (url, {"headers": _bearer(key)}), (url, {}))
    assert got == [BLOCKED, BLOCKED]


def test_a_script_of_the_permitted_origin_changes_nothing(
    browser: Chromium, server: LiveServer, permitted: str, secret: str
) -> None:
    """Neither uploads, nor deletions, nor settings. Outside of a browser, the key may."""
    changes: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
        ("POST", "/v1/user-data/check-in", {"x-api-key": secret}, {"body": DOCUMENT % "eve"}),
        ("POST", "/v1/user/profiles", _bearer(secret), {"body": ATTRIBUTES}),
        ("DELETE", "/uptake/v1/users/ben", _bearer(secret), {}),
        ("PUT", "/uptake/v1/retention", _bearer(secret), {"body": RULES}),
    ]
    _store_document(server, "ben", secret)
    users, rules = _state(server, secret)
    assert ("ben" in users, rules) == (True, '{"rules":[]}')
    requests = [
        (server.url + path, {"method": method, "headers": headers, **body})
        for method, path, headers, body in changes
    ]
    assert _fetch(browser, permitted, *requests) == [BLOCKED] * len(changes)
    assert _state(server, secret) == (users, rules)
    for method, path, headers, body in changes:
        sent = httpx2.request(method, server.url + path, headers=headers, content=body.get("body"))
        assert sent.status_code == 200, sent.text
    assert _state(server, secret) == ({*users, "eve", "zoe"} - {"ben"}, RULES)
