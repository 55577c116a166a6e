"""The lists of a project's users, and of a user's documents."""

from typing import Any

import pytest

from contract.tenant import Tenant


def ids(tenant: Tenant, **query: Any) -> list[str]:
    """The ids of the listed users."""
    return [user["user_id"] for user in tenant.pages("/users", "users", **query)]


@pytest.fixture
def filled(tenant: Tenant) -> Tenant:
    """A project with users of which some have documents."""
    tenant.profiles(["user_id", "plan"], *([name, "pro"] for name in ("b", "a 2", "a", "ab", "ü")))
    tenant.type("diary")
    for number in range(5):
        tenant.document("a", {"number": number})
    return tenant


def test_users_are_listed_in_order_of_id(filled: Tenant) -> None:
    """Page by page, each once, with when they were seen."""
    assert ids(filled) == ids(filled, limit=2) == ["a", "a 2", "ab", "b", "ü"]
    page = filled.get("/users", params={"limit": 1}).json()
    assert set(page) == {"users", "next"}
    profile = filled.user("a")
    assert page["users"] == [
        {name: profile[name] for name in ("user_id", "first_seen", "last_seen")}
    ]


def test_users_are_found_by_the_beginning_of_their_id(filled: Tenant) -> None:
    """Also page by page; a prefix that no id has gives an empty list."""
    assert ids(filled, prefix="a") == ids(filled, prefix="a", limit=1) == ["a", "a 2", "ab"]
    assert ids(filled, prefix="ü") == ["ü"]
    assert ids(filled, prefix="A") == ids(filled, prefix="%") == ids(filled, prefix="a\0") == []


def test_only_keys_of_the_project_list_users(filled: Tenant) -> None:
    """A key bound to a user must not see others; an unknown cursor is an error."""
    bound = filled.key("data:read", user="a")
    assert filled.get("/users", bound).status_code == 403
    assert filled.get("/users/a/documents", bound).status_code == 200
    assert filled.get("/users/b/documents", bound).status_code == 403
    assert filled.get("/users", filled.key("samples:write")).status_code == 403
    assert filled.client.get("/uptake/v1/users").status_code == 401
    for path in ("/users", "/users/a/documents"):
        assert filled.get(path, params={"cursor": "x"}).status_code == 400
        assert filled.get(path, params={"limit": 0}).status_code == 400


def test_documents_are_listed_as_they_were_sent(filled: Tenant) -> None:
    """Each is what `GET /documents/{upload_id}` returns."""
    found = list(filled.pages("/users/a/documents", "documents", limit=2))
    assert sorted(one["data"]["number"] for one in found) == list(range(5))
    assert [one["upload_id"] for one in found] == sorted(one["upload_id"] for one in found)
    for one in found:
        assert filled.get(f"/documents/{one['upload_id']}").json() == one
    assert filled.get("/users/b/documents").json() == {"documents": [], "next": None}


def test_documents_are_selected_by_type_and_time(filled: Tenant) -> None:
    """`from` is inclusive, `to` exclusive."""
    filled.document("a", {"number": 9})
    found = filled.get("/users/a/documents").json()["documents"]
    last = max(found, key=lambda one: str(one["received_at"]))

    def selected(**query: str) -> int:
        listed = filled.get("/users/a/documents", params=query).json()["documents"]
        return len(listed)

    assert selected(type=last["type"]) == len(found)
    unknown = filled.get("/users/a/documents", params={"type": "nothing"})
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        "This project has no document type 'nothing'; it has: diary, mood",
    )
    assert selected(**{"from": last["received_at"]}) == 1
    assert selected(to=last["received_at"]) == len(found) - 1
    assert selected(**{"from": last["received_at"], "to": last["received_at"]}) == 0
    assert filled.get("/users/a/documents", params={"from": "yesterday"}).status_code == 400


def test_a_list_of_large_documents_ends_before_the_limit_of_an_answer(filled: Tenant) -> None:
    """The next page continues it."""
    for number in range(10):
        assert filled.document("large", {"number": number, "text": "x" * 4_000_000}).is_success
    page = filled.get("/users/large/documents").json()
    assert 0 < len(page["documents"]) < 10
    found = list(filled.pages("/users/large/documents", "documents"))
    assert sorted(one["data"]["number"] for one in found) == list(range(10))
