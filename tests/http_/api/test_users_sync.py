"""What there is of a user's samples, over HTTP."""

import pytest

from contract.tenant import Tenant, sample

MORNING = {
    "device_name": "iPhone",
    "start_date": "2026-01-31T08:00:00Z",
    "end_date": "2026-01-31T08:01:00Z",
    "unit": "count",
    "value": 5,
}
DIGEST = "0ab8678d5682f27a64089eda4efc26c8"
"""Of that sample; it never changes."""


def test_the_state_is_complete(tenant: Tenant) -> None:
    """Exactly these members; days are those of UTC, times are as they were reported."""
    evening = {"start_date": "2026-02-03T23:30:00-05:00", "end_date": None, "device_name": "Watch"}
    tenant.steps(
        "42",
        MORNING,
        MORNING | evening,
        MORNING | evening | {"start_date": "2026-02-01T12:00:00Z"},
        MORNING | evening | {"start_date": "2026-02-01T12:00:00.5Z"},
    )
    state = tenant.get("/users/42/sync", params={"metric": "steps"}).json()
    watch = state["devices"][0]
    digests = [day.pop("digest") for day in watch["days"]]
    assert [len(digest) for digest in digests] == [32, 32]
    assert state == {
        "user_id": "42",
        "metric": "steps",
        "devices": [
            {
                "device_name": "Watch",
                "count": 3,
                "first": "2026-02-01T12:00:00Z",
                "last": "2026-02-03T23:30:00-05:00",
                "gaps": [{"from": "2026-02-02", "to": "2026-02-04"}],
                "days": [{"day": "2026-02-01", "count": 2}, {"day": "2026-02-04", "count": 1}],
            },
            {
                "device_name": "iPhone",
                "count": 1,
                "first": "2026-01-31T08:00:00Z",
                "last": "2026-01-31T08:00:00Z",
                "gaps": [],
                "days": [{"day": "2026-01-31", "count": 1, "digest": DIGEST}],
            },
        ],
        "next": None,
    }


def test_a_changed_value_is_another_digest_and_a_repeat_is_not(tenant: Tenant) -> None:
    """So that a client sees whether what it holds is what is stored."""

    def digest() -> str:
        state = tenant.get("/users/42/sync", params={"metric": "steps"}).json()
        return str(state["devices"][0]["days"][0]["digest"])

    tenant.steps("42", MORNING, MORNING, MORNING)
    assert digest() == DIGEST
    changed = MORNING | {"value": 6}
    tenant.steps("42", changed, changed, changed)
    assert digest() != DIGEST
    tenant.steps("42", MORNING | {"value": 5.0}, MORNING, MORNING)
    assert digest() == DIGEST


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_days_page_with_limit_and_cursor(tenant: Tenant, limit: int) -> None:
    """All else is on every page."""
    days = [{"start_date": f"2026-01-0{day}T12:00:00Z", "end_date": None} for day in (1, 2, 5, 6)]
    tenant.steps("42", *[sample(0, **day) for day in days])
    query = {"metric": "steps", "limit": limit}
    found = list(tenant.pages("/users/42/sync", "devices", **query))
    assert len(found) == -(-4 // limit)
    assert {(device["count"], len(device["gaps"])) for device in found} == {(4, 1)}
    assert [day["day"] for device in found for day in device["days"]] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-05",
        "2026-01-06",
    ]


def test_from_and_to_bound_the_state(tenant: Tenant) -> None:
    """By the starts of samples."""
    days = [{"start_date": f"2026-01-0{day}T12:00:00Z", "end_date": None} for day in (1, 2, 5, 6)]
    tenant.steps("42", *[sample(0, **day) for day in days])
    query = {"metric": "steps", "from": "2026-01-02", "to": "2026-01-06T12:00:00Z"}
    (device,) = tenant.get("/users/42/sync", params=query).json()["devices"]
    assert (device["count"], device["first"]) == (2, "2026-01-02T12:00:00Z")
    assert [day["day"] for day in device["days"]] == ["2026-01-02", "2026-01-05"]


def test_a_metric_without_samples_has_no_devices(tenant: Tenant) -> None:
    """Of a user that is known."""
    tenant.profiles(["user_id"], ["42"])
    state = tenant.get("/users/42/sync", params={"metric": "bpm"}).json()
    assert state == {"user_id": "42", "metric": "bpm", "devices": [], "next": None}


@pytest.mark.parametrize(
    "query",
    ["", "metric=sleep", "metric=steps&from=x", "metric=steps&limit=0", "metric=steps&cursor=A"],
)
def test_a_question_that_makes_no_sense_is_rejected(tenant: Tenant, query: str) -> None:
    """Of a user that is known."""
    tenant.profiles(["user_id"], ["42"])
    assert tenant.get(f"/users/42/sync?{query}").status_code == 400
