"""The list of requests."""

from typing import Any

import pytest

from contract.pictures import PNG
from contract.tenant import Tenant, sample
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_DAY

MEMBERS = {
    *("request_id", "received_at", "project", "format", "status", "key_id", "user_id"),
    *("accepted", "rejected", "ms", "fault"),
}


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """A key that may list requests."""
    return tenant.key("admin")


def _listed(tenant: Tenant, secret: str, **query: Any) -> list[dict[str, Any]]:
    """All requests, read page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = tenant.get("/requests", secret, params={"limit": 2, **query, **cursor})
        assert page.status_code == 200, page.text
        found += page.json()["requests"]
        if page.json()["next"] is None:
            return found
        cursor = {"cursor": page.json()["next"]}


def test_requests_of_every_kind_are_listed(tenant: Tenant, admin: str) -> None:
    """The newest first, each with its outcome, by every filter, whether folded or not."""
    other, other_id = tenant.named_key("samples:write", "profiles:write", user="42")
    good = [sample(n) for n in range(3)]
    sent = [
        tenant.steps("42", *good),
        tenant.steps("42", sample(5, value=0), *good),
        tenant.steps("42", sample(5, value=0)),
        tenant.profiles(["user_id", "plan"], ["42", "pro"], ["43", "free"]),
        tenant.picture("42", PNG),
        tenant.picture("42", b"no picture"),
        tenant.client.post("/v1/user-data/mood", headers={"x-api-key": tenant.key("data:read")}),
        tenant.document("42", {"mood": 1}),
        tenant.client.post(
            "/api/v1.1/samples",
            json={"data_type": "steps", "data": good},
            headers={"Authorization": f"Bearer {other}"},
        ),
    ]
    outcomes = [
        ("gerosense-v2.2", 200, "42", 3, 0, None),
        ("gerosense-v2.2", 207, "42", 3, 1, "not_positive"),
        ("gerosense-v2.2", 400, "42", 0, 1, "too_few"),
        ("ptengine", 200, None, 2, 0, None),
        ("questionpro", 200, "42", 1, 0, None),
        ("questionpro", 400, "42", 0, 1, None),
        ("thymia", 403, None, 0, 0, "forbidden"),
        ("thymia", 200, "42", 1, 0, None),
        ("gerosense-v1.1", 200, "42", 3, 0, None),
    ]
    assert [answer.status_code for answer in sent] == [status for _, status, *_ in outcomes]
    mine = [answer.headers["x-request-id"] for answer in sent]
    moment = tenant.get(f"/requests/{mine[4]}").json()["submissions"][0]["received_at"]
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, list(range(9))),
        ({"format": "thymia"}, [6, 7]),
        ({"status": 200}, [0, 3, 4, 7, 8]),
        ({"status": 207}, [1]),
        ({"status": 400}, [2, 5]),
        ({"status": 403}, [6]),
        ({"status": 500}, []),
        ({"key": other_id}, [8]),
        ({"user": "42"}, [0, 1, 2, 4, 5, 7, 8]),
        ({"user": "43"}, []),
        ({"from": moment}, [4, 5, 6, 7, 8]),
        ({"to": moment}, [0, 1, 2, 3]),
        ({"user": "42", "status": 200, "format": "gerosense-v2.2"}, [0]),
    ]
    for folded in (False, True):
        found = _listed(tenant, admin)
        for one, (name, status, user, accepted, rejected, fault) in zip(
            reversed(found), outcomes, strict=True
        ):
            assert set(one) == MEMBERS
            assert one["project"] == tenant.project
            shown = one["format"], one["status"], one["user_id"], one["accepted"], one["rejected"]
            assert shown == (name, status, user, accepted, rejected)
            assert fault is None or one["fault"] == fault
            assert 0 <= one["ms"] < 60_000
            assert one["key_id"]
        assert [one["fault"] is None for one in reversed(found)] == [
            status == 200 for _, status, *_ in outcomes
        ]
        for query, numbers in filters:
            expected = [mine[number] for number in reversed(numbers)]
            assert [one["request_id"] for one in _listed(tenant, admin, **query)] == expected, query
        if not folded:
            tomorrow = clock.now() + MICROSECONDS_PER_DAY
            while tenant.store.fold_receipts(tenant.project, tomorrow):
                pass


def test_wrong_filters_are_reported(tenant: Tenant, admin: str) -> None:
    """400, whatever is sent; another project's requests are not listed."""
    for query in (
        {"format": "sms"},
        {"status": 99},
        {"status": "x"},
        {"from": "yesterday"},
        {"user": "a\0"},
        {"key": "\0"},
        {"cursor": "x"},
        {"limit": 0},
    ):
        assert tenant.get("/requests", admin, params=query).status_code == 400, query
    assert _listed(tenant, admin) == []
    operator = tenant.key("operator")
    assert _listed(tenant, operator, project=tenant.project) == []
    assert tenant.get("/requests", operator).status_code == 200
    assert tenant.get("/requests", operator, params={"project": "none"}).status_code == 404
    assert tenant.get("/requests", admin, params={"project": "default"}).status_code == 403
    assert tenant.get("/requests", tenant.key("data:read")).status_code == 403
