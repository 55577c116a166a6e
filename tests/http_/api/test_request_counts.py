"""Requests and items are counted by endpoint and by API key, whether folded or not."""

from typing import Any

import pytest

from contract.tenant import EVERYTHING, Tenant, sample
from uptake.model import clock
from uptake.store import request_counts
from uptake.time_units import MICROSECONDS_PER_DAY


def test_requests_are_counted_by_endpoint_and_key(tenant: Tenant) -> None:
    """The counts do not change when receipts are folded, nor when they are counted again."""
    admin, admin_id = tenant.named_key(*EVERYTHING, "admin")
    bound, bound_id = tenant.named_key("samples:write", user="7")
    headers = {"Authorization": f"Bearer {admin}"}
    tenant.steps("42", sample(0), sample(1, value=-1), sample(2))
    for number in range(3):
        body = {"field_name": ["user_id", "a"], "values": [["42", str(number)], ["43", "1"]]}
        assert tenant.client.post("/v1/user/profiles", json=body, headers=headers).is_success
    refused = tenant.client.post(
        "/v1/user/profiles", json={}, headers={"Authorization": f"Bearer {bound}"}
    )
    assert refused.status_code == 403

    def counted(**query: str) -> dict[str, Any]:
        found = tenant.get("/requests/counts", admin, params=query).json()
        assert found["complete"]
        return dict(found)

    def groups(found: dict[str, Any], by: str) -> dict[str, tuple[int, ...]]:
        for one in found[by]:
            assert one["p50_ms"] <= one["p99_ms"]
        members = ("requests", "errors", "accepted", "rejected")
        return {one["name"]: tuple(one[member] for member in members) for one in found[by]}

    before = counted()
    assert groups(before, "formats") == {"ptengine": (4, 1, 6, 0), "gerosense-v2.2": (1, 0, 2, 1)}
    keys = groups(before, "keys")
    assert (keys[admin_id], keys[bound_id]) == ((3, 0, 6, 0), (1, 1, 0, 0))
    assert sorted(keys.values()) == [(1, 0, 2, 1), (1, 1, 0, 0), (3, 0, 6, 0)]
    assert (len(before["parts"]), sum(before["parts"])) == (60, 5)
    assert sum(before["rejected_parts"]) == 1
    tomorrow = clock.now() + MICROSECONDS_PER_DAY
    assert tenant.store.fold_receipts(tenant.project, tomorrow) == 5
    for _ in range(2):
        after = counted()
        assert (after["formats"], after["keys"]) == (before["formats"], before["keys"])
    assert counted(to="2001-01-01")["formats"] == []
    ever = counted(**{"from": "0001-01-01T00:00:00+23:59", "to": "9999-12-31T23:59:59-23:59"})
    assert (ever["formats"], ever["since"]) == (before["formats"], "1970-01-01T00:00:00.000000Z")
    for times in ({"from": "2029-01-01"}, {"to": "0001-01-01"}, {"from": "2020", "to": "2019"}):
        sent = tenant.get("/requests/counts", admin, params=times)
        assert (sent.status_code, times) == (400, times)


@pytest.mark.parametrize(
    ("limit", "value", "counted"),
    [("MAX_ROWS", 1, [1, 1]), ("MAX_PAGES", 4, [4, 4]), ("MAX_NEW_PAGES", 2, [2, 4, 5])],
)
def test_the_newest_requests_are_counted_if_there_are_many(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, counted: list[int]
) -> None:
    """What one call has read of folded receipts, the next does not read again."""
    tomorrow = clock.now() + MICROSECONDS_PER_DAY
    for number in range(5):
        tenant.steps("42", *(sample(at, value=number + 1) for at in range(3)))
        if limit != "MAX_ROWS":
            assert tenant.store.fold_receipts(tenant.project, tomorrow) == 1
    monkeypatch.setattr(request_counts, limit, value)
    for expected in counted:
        found, since = tenant.store.counted_requests([tenant.project], 0, tomorrow)
        assert (len(found.moments), since > 0) == (expected, expected < 5)
        assert found.moments.min() >= since
