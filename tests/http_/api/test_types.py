"""Document types over HTTP: their versions, and a schema tried before it is given."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from contract.tenant import EVERYTHING, TURNS, Tenant, new_tenant
from uptake.store.base import Store

PROBLEM = "application/problem+json"
WITH_MOOD = {"type": "object", "required": ["mood"]}
AT_MOST_5 = {"properties": {"mood": {"type": "integer", "maximum": 5}}}
Put = Callable[..., httpx2.Response]


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """A key that may change types too."""
    return tenant.key(*EVERYTHING, "admin")


def put(tenant: Tenant, secret: str, name: str, schema: Any) -> httpx2.Response:
    """Give a type a schema."""
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.put(f"/uptake/v1/document-types/{name}", json=schema, headers=headers)


def dry_run(
    tenant: Tenant, secret: str, schema: Any, name: str = "mood", **query: Any
) -> httpx2.Response:
    """Try a schema."""
    headers = {"Authorization": f"Bearer {secret}"}
    path = f"/uptake/v1/document-types/{name}/dry-run"
    return tenant.client.post(path, json=schema, params=query, headers=headers)


def versions(tenant: Tenant, name: str = "mood", **query: Any) -> list[dict[str, Any]]:
    """All versions of a type."""
    return list(tenant.pages(f"/document-types/{name}/versions", "versions", **query))


def uploaded(tenant: Tenant, user_id: str, data: Any) -> str:
    """The id of a document that was accepted."""
    answer = tenant.document(user_id, data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["uploadId"])


def test_every_other_schema_is_a_version(tenant: Tenant, admin: str) -> None:
    """The same again, however it is laid out, is not; one of long ago is."""
    made = put(tenant, admin, "diary", WITH_MOOD)
    assert made.status_code == 200
    view = made.json()
    assert (view["name"], view["version"], view["schema"]) == ("diary", 1, WITH_MOOD)
    assert set(view) == {"name", "version", "schema", "created_at"}
    assert put(tenant, admin, "diary", dict(reversed(WITH_MOOD.items()))).json() == view
    assert put(tenant, admin, "diary", True).json()["version"] == 2
    last = put(tenant, admin, "diary", WITH_MOOD).json()
    assert last == {**view, "version": 3}
    assert tenant.get("/document-types/diary").json() == last
    result = versions(tenant, "diary")
    assert [(one["version"], one["schema"]) for one in result] == [
        (1, WITH_MOOD),
        (2, True),
        (3, WITH_MOOD),
    ]
    moments = [one["created_at"] for one in result]
    assert moments == sorted(set(moments))
    assert moments[0] == view["created_at"]
    assert versions(tenant, "diary", limit=1) == result


def test_types_are_listed_by_name(
    tenant: Tenant, admin: str, client: httpx2.Client, store: Store
) -> None:
    """By the page; those without a schema have null; those of other projects are not there."""
    put(tenant, admin, "Sleep%2Fdeep", False)
    new_tenant(client, store).type("other")
    (first, second) = tenant.get("/document-types").json()["types"]
    assert (first["name"], first["schema"]) == ("Sleep/deep", False)
    assert (second["name"], second["schema"], second["version"]) == ("mood", None, 1)
    assert list(tenant.pages("/document-types", "types", limit=1)) == [first, second]
    assert tenant.get("/document-types/Sleep%2Fdeep").json() == first


def test_a_version_shows_the_number_of_its_stored_documents(tenant: Tenant, admin: str) -> None:
    """Each document counts for the version by which it was validated, on whatever node that was."""
    first = uploaded(tenant, "a", {"mood": "x"})
    last = uploaded(tenant, "b", {})
    put(tenant, admin, "mood", AT_MOST_5)
    in_a_row = 0  # until every process has learned of it, which takes a second at most
    for _ in range(1000):
        rejected = tenant.document("c", {"mood": 6}).status_code == 422
        in_a_row = in_a_row + 1 if rejected else 0
        if in_a_row == TURNS:
            break
    assert in_a_row == TURNS
    before = versions(tenant)[1]["documents"]
    newest = uploaded(tenant, "d", {"mood": 5})
    one, two = versions(tenant)
    times = [
        tenant.get(f"/documents/{upload_id}").json()["received_at"]
        for upload_id in (first, last, newest)
    ]
    assert (one["first_received"], two["last_received"]) == (times[0], times[2])
    assert one["last_received"] >= times[1]
    assert (before, two["documents"], two["first_received"]) == (0, 1, times[2])
    assert one["documents"] >= 2


def test_a_version_without_documents_has_no_times(tenant: Tenant) -> None:
    """Exactly these members."""
    (version,) = versions(tenant)
    created_at = version.pop("created_at")
    assert created_at.endswith("Z")
    assert version == {
        "version": 1,
        "schema": None,
        "documents": 0,
        "first_received": None,
        "last_received": None,
    }


def test_a_dry_run_shows_what_would_be_rejected_and_changes_nothing(
    tenant: Tenant, admin: str
) -> None:
    """With the place in the data and the reason, for each document that would."""
    uploaded(tenant, "a", {"mood": 5})
    upload_id = uploaded(tenant, "b", {"mood": 6.5, "note": "x"})
    before = tenant.get("/document-types/mood").json()
    result = dry_run(tenant, admin, AT_MOST_5)
    assert result.status_code == 200
    assert result.json() == {
        "documents": 2,
        "failing": 1,
        "examples": [
            {
                "upload_id": upload_id,
                "user_id": "b",
                "version": 1,
                "reasons": [
                    {"path": "/mood", "reason": '6.5 is not of type "integer"'},
                    {"path": "/mood", "reason": "6.5 is greater than the maximum of 5"},
                ],
            }
        ],
        "next": None,
    }
    assert tenant.get("/document-types/mood").json() == before
    assert [one["documents"] for one in versions(tenant)] == [2]
    assert tenant.rejections() == []
    assert dry_run(tenant, admin, True).json()["failing"] == 0


def test_a_dry_run_shows_ten_documents_and_the_total(tenant: Tenant, admin: str) -> None:
    """In order of user; a reason that quotes a whole document is cut short."""
    for number in range(12):
        uploaded(tenant, f"u{number:02}", {"text": "x" * 1000})
    result = dry_run(tenant, admin, {"required": ["mood"]}).json()
    assert (result["documents"], result["failing"]) == (12, 12)
    assert [one["user_id"] for one in result["examples"]] == [f"u{n:02}" for n in range(10)]
    long = dry_run(tenant, admin, False).json()["examples"][0]["reasons"][0]
    assert long["path"] == ""
    assert (len(long["reason"]), long["reason"][-3:]) == (300, "...")


def test_a_dry_run_continues_at_a_cursor(tenant: Tenant, admin: str) -> None:
    """That of another list is none."""
    uploaded(tenant, "a", {})
    headers = {"Authorization": f"Bearer {admin}"}
    path = "/uptake/v1/document-types/mood/dry-run"
    for cursor in ("!", "AAAA"):
        answer = tenant.client.post(path, json=True, params={"cursor": cursor}, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)


def test_an_unknown_type_is_404(tenant: Tenant, admin: str) -> None:
    """Also where a schema is tried on it; and by names that none can have."""
    for name in ("nothing", "%00", "x" * 300):
        assert tenant.get(f"/document-types/{name}").status_code == 404
        assert tenant.get(f"/document-types/{name}/versions").status_code == 404
        assert dry_run(tenant, admin, True, name).status_code == 404


@pytest.mark.parametrize("name", ["%00", "x" * 257])
def test_a_name_has_1_to_256_characters(tenant: Tenant, admin: str, name: str) -> None:
    """And no NUL."""
    assert put(tenant, admin, name, True).status_code == 400
    assert put(tenant, admin, "x" * 256, True).status_code == 200


@pytest.mark.parametrize(
    "schema", [3, [], {"type": "nothing"}, {"$ref": "https://example.org/schema.json"}]
)
def test_what_is_no_schema_is_422(tenant: Tenant, admin: str, schema: Any) -> None:
    """Given or tried; nothing is changed."""
    for answer in (put(tenant, admin, "mood", schema), dry_run(tenant, admin, schema)):
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert answer.json()["type"] == "urn:uptake:problem:invalid_schema"
    assert tenant.get("/document-types/mood").json()["version"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_400(tenant: Tenant, admin: str, body: bytes) -> None:
    """And nothing is changed."""
    headers = {"Authorization": f"Bearer {admin}"}
    path = "/uptake/v1/document-types/mood"
    assert tenant.client.put(path, content=body, headers=headers).status_code == 400
    assert tenant.client.post(f"{path}/dry-run", content=body, headers=headers).status_code == 400
    assert tenant.get("/document-types/mood").json()["version"] == 1


def test_a_schema_may_be_a_mebibyte(tenant: Tenant, admin: str) -> None:
    """Not more."""
    headers = {"Authorization": f"Bearer {admin}"}
    path = "/uptake/v1/document-types/mood"
    body = b"true".ljust(1024 * 1024)
    assert tenant.client.put(path, content=body, headers=headers).status_code == 200
    assert tenant.client.put(path, content=body + b" ", headers=headers).status_code == 413
    large = tenant.client.post(f"{path}/dry-run", content=body + b" ", headers=headers)
    assert large.status_code == 413


def test_reading_and_changing_are_two_scopes(tenant: Tenant) -> None:
    """A schema is work that is given to the server, so trying one is for `admin` too."""
    only_admin = tenant.key("admin")
    assert put(tenant, tenant.secret, "diary", True).status_code == 403
    assert dry_run(tenant, tenant.secret, True).status_code == 403
    assert put(tenant, "unknown", "diary", True).status_code == 401
    assert put(tenant, only_admin, "diary", True).status_code == 200
    assert dry_run(tenant, only_admin, True).status_code == 200
    for path in ("", "/diary", "/diary/versions"):
        assert tenant.get(f"/document-types{path}").status_code == 200
        assert tenant.get(f"/document-types{path}", only_admin).status_code == 403


def test_a_bound_key_does_not_see_types(tenant: Tenant) -> None:
    """What is reported of them is about everybody."""
    bound = tenant.key("data:read", "admin", user="a")
    assert tenant.get("/document-types", bound).status_code == 403
    assert tenant.get("/document-types/mood/versions", bound).status_code == 403
    assert put(tenant, bound, "mood", True).status_code == 403
    assert dry_run(tenant, bound, True).status_code == 403


def test_projects_have_types_of_their_own(
    tenant: Tenant, admin: str, client: httpx2.Client, store: Store
) -> None:
    """And documents."""
    other = new_tenant(client, store)
    other.type("mood")
    uploaded(other, "a", {})
    assert dry_run(tenant, admin, False).json()["documents"] == 0
    put(tenant, admin, "mood", False)
    assert [one["schema"] for one in versions(other)] == [None]
