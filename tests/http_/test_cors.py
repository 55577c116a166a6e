"""Reads from scripts of other origins."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from contract.pictures import PNG
from contract.tenant import Tenant
from uptake.testing.live import LiveServer, serving

DASH, OTHER = "https://dash.example", "http://localhost:3000"
PREFIX = "access-control-"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that permits two origins."""
    options = ("--cors-origin", DASH, "--cors-origin", OTHER)
    with serving(tmp_path_factory.mktemp("cors"), *options) as server:
        yield server


def preflight(url: str, origin: str, method: str) -> httpx2.Response:
    """Ask what a script may send, as a browser does: without a key."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    return httpx2.options(url, headers=headers)


def cors(answer: httpx2.Response) -> dict[str, str]:
    """The headers that a browser decides by."""
    return {name: text for name, text in answer.headers.items() if name.startswith(PREFIX)}


@pytest.mark.parametrize("origin", [DASH, OTHER])
def test_a_read_of_a_permitted_origin_is_permitted(server: LiveServer, origin: str) -> None:
    """Before authentication, and for errors too, so that the script can read them."""
    url = f"{server.url}/uptake/v1/users"
    answer = preflight(url, origin, "GET")
    assert (answer.status_code, answer.headers["vary"]) == (204, "Origin")
    assert cors(answer) == {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, HEAD",
        "access-control-allow-headers": "Authorization",
        "access-control-max-age": "600",
    }
    key = server.create_key("data:read")
    for secret, status in ((key, 200), ("wrong", 401)):
        headers = {"Origin": origin, "Authorization": f"Bearer {secret}"}
        read = httpx2.get(url, headers=headers)
        assert (read.status_code, read.headers["vary"]) == (status, "Origin")
        assert cors(read) == {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "X-Request-Id, Uptake-Cursor, Retry-After",
        }
        assert cors(httpx2.head(url, headers=headers)) == cors(read)


def test_images_are_permitted(server: LiveServer) -> None:
    """They have a path of their own."""
    key = server.create_key("images:write")
    sent = httpx2.post(
        f"{server.url}/a/api/v2/users/7/images?apiKey={key}",
        files={"file": PNG},
        headers={"Origin": DASH},
    )
    assert cors(sent) == {}
    image = httpx2.get(sent.json()["response"]["imageURL"], headers={"Origin": DASH})
    assert (image.status_code, cors(image)["access-control-allow-origin"]) == (200, DASH)


@pytest.mark.parametrize(
    ("path", "origin", "method"),
    [
        ("/uptake/v1/users", "https://evil.example", "GET"),
        ("/uptake/v1/users", f"{DASH}.evil.example", "GET"),
        ("/uptake/v1/users", "null", "GET"),
        ("/uptake/v1/users", DASH, "DELETE"),
        ("/uptake/v1/segments/preview", DASH, "POST"),
        ("/api/v2.2/samples", DASH, "POST"),
        ("/api/v2.2/samples", DASH, "GET"),
        ("/metrics", DASH, "GET"),
    ],
)
def test_nothing_else_is_permitted(server: LiveServer, path: str, origin: str, method: str) -> None:
    """Other origins, changes, uploads; a cache stores one answer for each origin."""
    answer = preflight(server.url + path, origin, method)
    assert cors(answer) == {}
    if path.startswith("/uptake"):
        assert answer.headers["vary"] == "Origin"
    if method != "GET":
        changed = httpx2.request(method, server.url + path, headers={"Origin": origin})
        assert cors(changed) == {}


def test_answers_without_an_origin_vary_too(server: LiveServer) -> None:
    """A cache must not give them to a script."""
    answer = httpx2.get(f"{server.url}/uptake/v1/users")
    assert (answer.headers["vary"], cors(answer)) == ("Origin", {})


def test_no_origin_is_permitted_by_default(tenant: Tenant) -> None:
    """The headers are absent."""
    url = f"{tenant.client.base_url}/uptake/v1/users".replace("//uptake", "/uptake")
    for answer in (preflight(url, DASH, "GET"), httpx2.get(url, headers={"Origin": DASH})):
        assert cors(answer) == {}
        assert "vary" not in answer.headers


def test_the_variable_has_several_origins(tmp_path: Path) -> None:
    """Separated by spaces."""
    with serving(tmp_path, UPTAKE_CORS_ORIGIN=f"{DASH} {OTHER}") as server:
        for origin in (DASH, OTHER):
            answer = preflight(f"{server.url}/uptake/v1", origin, "HEAD")
            assert cors(answer)["access-control-allow-origin"] == origin
