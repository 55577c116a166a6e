"""With `--public-url`, every address in an answer is the public one."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import LiveServer, serving

PUBLIC = "https://uploads.example.org/intake"
IMAGES = "/a/api/v2/users/42/images"


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that is reached under another address."""
    folder: Path = tmp_path_factory.mktemp("public") / "data"
    with serving(folder, "--public-url", PUBLIC + "/") as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", IMAGES, 401),
        ("POST", "/a/api/v2/users/042/images", 401),
        ("PUT", IMAGES, 405),
        ("GET", "/a/api/v2/nothing", 404),
        ("GET", "/a", 404),
        ("POST", "/a/api/v2/users/a%2Fb/images", 401),
    ],
)
def test_the_resource_url_of_an_error_is_public(
    behind_proxy: LiveServer, method: str, path: str, status: int
) -> None:
    """Before the body, and where no such address or method exists."""
    answer = httpx2.request(method, behind_proxy.url + path)
    assert answer.status_code == status
    assert answer.json()["response"]["error"]["resourceUrl"] == PUBLIC + path


def test_the_resource_url_of_a_rejected_body_is_public(behind_proxy: LiveServer) -> None:
    """The key is not in it."""
    params = {"apiKey": behind_proxy.create_key()}
    answer = httpx2.post(behind_proxy.url + IMAGES, params=params, content=b"")
    assert answer.status_code == 400
    assert answer.json()["response"]["error"]["resourceUrl"] == PUBLIC + IMAGES


def test_the_openapi_document_names_the_public_server(behind_proxy: LiveServer) -> None:
    """So that a client that is made from it calls the right one."""
    for path in ("/openapi.json", "/uptake/v1/openapi.json"):
        document = httpx2.get(behind_proxy.url + path).json()
        assert document["servers"] == [{"url": PUBLIC}]
