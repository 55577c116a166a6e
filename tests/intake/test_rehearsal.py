"""A dry run of a replay: the outcome of the replay, of which nothing is stored."""

import json
from typing import Any

import httpx2

from contract.pictures import PNG
from contract.tenant import EVERYTHING, Tenant, sample


def test_a_dry_run_of_a_replay_stores_nothing(tenant: Tenant) -> None:
    """Neither of one rejection nor of all; the replay after it has the same outcome."""
    headers = {"Authorization": f"Bearer {tenant.key(*EVERYTHING, 'admin')}"}

    def replay(rejection_id: str, content: bytes, *, dry_run: bool) -> tuple[Any, ...]:
        answer = tenant.client.post(
            f"/uptake/v1/rejections/{rejection_id}/replay",
            params={"dry_run": dry_run},
            headers=headers,
            content=content,
        )
        one = answer.json()
        assert (one["request_id"] is None) == (dry_run or one["outcome"] == "refused")
        return one["outcome"], [fault["code"] for fault in one["faults"]]

    tenant.steps("41", sample(0, value=-1), sample(1, value=-1), sample(2, value=-1))
    table = {"field_name": ["user_id", "plan"], "values": [["42", None]]}
    tenant.client.post("/v1/user/profiles", json=table, headers=headers)
    tenant.client.post(
        f"/a/api/v2/users/43/images?apiKey={tenant.secret}", files={"file": ("x", b"none")}
    )
    steps, *_, profiles, image = tenant.pages("/rejections", "rejections")
    table["values"] = [["42", "pro"]]
    for one, content, outcome in (
        (steps, b"", ("refused", ["not_positive"])),
        (steps, json.dumps(sample(0)).encode(), ("accepted", [])),
        (profiles, json.dumps(table).encode(), ("accepted", [])),
        (image, PNG, ("accepted", [])),
    ):
        before = _stored(tenant)
        assert replay(one["rejection_id"], content, dry_run=True) == outcome
        assert _stored(tenant) == before
        assert replay(one["rejection_id"], content, dry_run=False) == outcome
        assert (_stored(tenant) == before) == (outcome[0] == "refused")


def _stored(tenant: Tenant) -> list[Any]:
    """The users and the rejections of a project."""
    return [*tenant.pages("/users", "users"), *tenant.pages("/rejections", "rejections")]


def test_a_dry_run_of_all_rejections_stores_nothing(tenant: Tenant) -> None:
    """It counts what a replay would do."""
    scopes = (*EVERYTHING, "admin", "data:erase")
    headers = {"Authorization": f"Bearer {tenant.key(*scopes)}"}
    tenant.type("diary")

    def send(text: str) -> httpx2.Response:
        return tenant.client.post(
            "/v1/user-data/diary",
            json={"user": {"userLabel": "42"}, "data": {"text": text}},
            headers={"x-api-key": tenant.secret, "Idempotency-Key": "one"},
        )

    upload_id = send("first").json()["uploadId"]
    assert send("second").status_code == 422
    tenant.steps("43", sample(0, value=-1), sample(1, value=-1), sample(2))
    gone = tenant.client.delete(f"/uptake/v1/documents/{upload_id}", headers=headers)
    assert gone.status_code == 204
    for dry_run in (True, False):
        answer = tenant.client.post(
            "/uptake/v1/rejections/replay", params={"dry_run": dry_run}, headers=headers
        )
        assert [
            (one["outcome"], one["request_id"] is None) for one in answer.json()["replays"]
        ] == [("accepted", dry_run), ("refused", True), ("refused", True)]
        assert tenant.user("42")["documents"] == (0 if dry_run else 1)
