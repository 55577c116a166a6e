"""Operations of vendors that read and delete: images of QuestionPro, the account of thymia."""

from itertools import pairwise
from typing import Any

import httpx2
import pytest

from contract.pictures import PNG, encoded, png_of
from contract.tenant import Tenant, new_tenant
from contract.uploads import check_questionpro
from deployments import Deployment
from uptake.blobs import open_blobs
from uptake.store.base import Store
from uptake.store.definitions import Rate

USER = "/a/api/v2/users/42/images"
ALL = "/a/api/v2/images"
PATHS = [USER, f"{USER}/1000001", ALL]


def _call(tenant: Tenant, method: str, path: str, key: str = "", **query: Any) -> httpx2.Response:
    return tenant.client.request(method, path, params={"apiKey": key or tenant.secret, **query})


def _upload(tenant: Tenant, content: bytes = PNG, user_id: str = "42") -> dict[str, Any]:
    return dict(tenant.picture(user_id, content).json()["response"])


def test_a_client_uploads_lists_gets_and_deletes_an_image(tenant: Tenant) -> None:
    """Every answer shows the image as the upload did; the same upload later is a new image."""
    image = _upload(tenant)
    assert _call(tenant, "GET", USER).json() == {"response": [image]}
    assert _call(tenant, "GET", ALL).json() == {"response": [image]}
    path = f"{USER}/{image['imageID']}"
    found = _call(tenant, "GET", path)
    request_id = found.headers["x-request-id"]
    assert found.json() == {"response": image, "requestID": request_id}

    deleted = _call(tenant, "DELETE", f"{ALL}/{image['imageID']}")
    assert deleted.json() == {"response": {"imageID": image["imageID"]}}
    assert tenant.client.get(image["imageURL"]).status_code == 404
    assert _call(tenant, "GET", USER).json() == {"response": []}
    gone = _call(tenant, "GET", path)
    assert gone.status_code == 404
    check_questionpro(404, gone.json())
    assert tenant.images("42") == []

    again = _upload(tenant)
    assert again["imageID"] > image["imageID"]
    assert tenant.client.get(again["imageURL"]).content == PNG


def test_the_bytes_of_a_deleted_image_are_gone(
    tenant: Tenant, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image of the user with the same bytes, of which the upload had other metadata, stays."""
    first, second = _upload(tenant, PNG), _upload(tenant, png_of(5000, b"a comment"))
    assert first["imageID"] != second["imageID"]
    stored = tenant.store.numbered_image(tenant.project, first["imageID"])
    assert stored is not None
    server = deployment.servers[0]
    # The nodes on PostgreSQL have an object store.
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    option = dict(pairwise(server.options))
    blobs = open_blobs(option.get("--blobs", (server.data_dir / "blobs").as_uri()))
    assert blobs.get(stored.blob) == PNG
    assert _call(tenant, "DELETE", f"{ALL}/{first['imageID']}").status_code == 200
    assert tenant.client.get(first["imageURL"]).status_code == 404
    assert blobs.get(stored.blob) is None
    assert tenant.client.get(second["imageURL"]).content == PNG


def test_images_are_listed_page_by_page(tenant: Tenant) -> None:
    """The last uploaded first; the pages of all users have the images of each."""
    mine = [_upload(tenant, encoded("PNG", width))["imageID"] for width in (8, 9, 10)]
    other = _upload(tenant, user_id="43")["imageID"]

    def numbers(path: str, **query: Any) -> list[int]:
        return [one["imageID"] for one in _call(tenant, "GET", path, **query).json()["response"]]

    assert numbers(USER) == mine[::-1]
    assert numbers(USER, page=2, perPage=2) == mine[:1]
    assert numbers(ALL, perPage=2) == [other, mine[2]]
    assert numbers(ALL, page=3, perPage=2) == []


@pytest.mark.parametrize(
    "method_and_path", [*(("GET", path) for path in PATHS), ("DELETE", f"{ALL}/1")]
)
def test_a_missing_or_wrong_key_is_401_and_a_wrong_scope_403(
    tenant: Tenant, method_and_path: tuple[str, str]
) -> None:
    """In the vendor's envelope."""
    for status, key in ((401, "wrong"), (403, tenant.key("samples:write"))):
        answer = _call(tenant, *method_and_path, key)
        assert answer.status_code == status
        check_questionpro(status, answer.json())
    answer = tenant.client.request(*method_and_path)
    assert answer.status_code == 401


def test_a_key_that_reads_data_does_not_delete(tenant: Tenant) -> None:
    """`images:write` or `data:read` for the reads, `images:write` for the deletion."""
    image = _upload(tenant)
    reader, writer = tenant.key("data:read"), tenant.key("images:write")
    assert {_call(tenant, "GET", path, reader).status_code for path in PATHS} == {200}
    assert {_call(tenant, "GET", path, writer).status_code for path in PATHS} == {200}
    path = f"{ALL}/{image['imageID']}"
    assert _call(tenant, "DELETE", path, reader).status_code == 403
    assert tenant.client.get(image["imageURL"]).status_code == 200
    assert _call(tenant, "DELETE", path, writer).status_code == 200


def test_a_bound_key_acts_for_its_user_alone(tenant: Tenant) -> None:
    """Other users' images are 403, and so is the list of all."""
    mine, other = _upload(tenant), _upload(tenant, user_id="43")
    bound = tenant.key(user="42")
    assert _call(tenant, "GET", USER, bound).json() == {"response": [mine]}
    rejected = [
        _call(tenant, "GET", "/a/api/v2/users/43/images", bound),
        _call(tenant, "GET", f"/a/api/v2/users/43/images/{other['imageID']}", bound),
        _call(tenant, "GET", ALL, bound),
        _call(tenant, "DELETE", f"{ALL}/{other['imageID']}", bound),
    ]
    assert {answer.status_code for answer in rejected} == {403}
    assert tenant.client.get(other["imageURL"]).status_code == 200
    assert _call(tenant, "DELETE", f"{ALL}/{mine['imageID']}", bound).status_code == 200


def test_an_image_of_another_project_is_404(
    tenant: Tenant, client: httpx2.Client, store: Store
) -> None:
    """Its number is that of no image here, and it is not deleted."""
    image = _upload(tenant)
    other = new_tenant(client, store)
    for method, path in (
        ("GET", f"{USER}/{image['imageID']}"),
        ("DELETE", f"{ALL}/{image['imageID']}"),
    ):
        assert _call(other, method, path).status_code == 404
    assert _call(other, "GET", ALL).json() == {"response": []}
    assert tenant.client.get(image["imageURL"]).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_does_without_a_body(tenant: Tenant, path: str) -> None:
    """The status and the headers are those of GET."""
    _upload(tenant)
    got, head = _call(tenant, "GET", path), _call(tenant, "HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["content-type"] == "application/json"
    assert _call(tenant, "HEAD", path, "wrong").status_code == 401


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (USER, {"GET", "HEAD", "OPTIONS", "POST"}),
        (f"{USER}/1000001", {"GET", "HEAD", "OPTIONS"}),
        (ALL, {"GET", "HEAD", "OPTIONS"}),
        (f"{ALL}/1000001", {"DELETE", "OPTIONS"}),
    ],
)
def test_options_lists_the_methods_of_a_path(tenant: Tenant, path: str, methods: set[str]) -> None:
    """Without a key; another method is 405 in the vendor's envelope, with the same list."""
    asked = tenant.client.options(path)
    assert (asked.status_code, set(asked.headers["allow"].split(", "))) == (204, methods)
    wrong = tenant.client.patch(path)
    assert (wrong.status_code, set(wrong.headers["allow"].split(", "))) == (405, methods)
    check_questionpro(405, wrong.json())


def test_reads_count_against_the_rate_of_a_key(tenant: Tenant) -> None:
    """Beyond it the answer is 429, with the seconds to wait."""
    key = tenant.key("data:read", rate=Rate(1, 86_400))
    assert _call(tenant, "GET", USER, key).status_code == 200
    limited = _call(tenant, "GET", USER, key)
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    check_questionpro(429, limited.json())


@pytest.mark.parametrize(
    "query",
    ["page=1&page=0", "page=%00", "page=%ff", "page=%D9%A1", "perPage=1e2", "&&=&page", "a=b"],
)
def test_no_query_makes_the_server_fail(tenant: Tenant, query: str) -> None:
    """Of a repeated parameter the first counts; others are ignored."""
    answer = tenant.client.get(f"{USER}?apiKey={tenant.secret}&{query}")
    expected = 200 if query in {"page=1&page=0", "a=b"} else 400
    assert answer.status_code == expected


def test_an_account_is_the_project_and_the_scopes_of_a_key(tenant: Tenant) -> None:
    """Also for a bound key; without a valid key 401, and no request counts against the rate."""

    def account(secret: str) -> httpx2.Response:
        return tenant.client.get("/v1/account", headers={"x-api-key": secret})

    key = tenant.key("samples:write", "data:read", user="42", rate=Rate(1, 86_400))
    for _ in range(3):
        assert account(key).json() == {
            "id": tenant.project,
            "features": ["samples:write", "data:read"],
        }
    for wrong in ("", "wrong"):
        assert account(wrong).status_code == 401
        assert list(account(wrong).json()) == ["detail"]
    head = tenant.client.head("/v1/account", headers={"x-api-key": key})
    assert (head.status_code, head.content) == (200, b"")
    asked = tenant.client.options("/v1/account")
    assert asked.headers["allow"] == "GET, HEAD, OPTIONS"
