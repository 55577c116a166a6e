"""Endpoints 4 and 5: samples."""

from typing import Any

import httpx2
import pytest

from contract.tenant import Tenant, sample
from contract.uploads import SAMPLES_V2

SHOWN = ["metric", "device_name", "device_version", "start_date", "end_date", "value", "unit"]


def _three(**members: Any) -> list[dict[str, Any]]:
    return [sample(i, **members) for i in range(3)]


def _v1(tenant: Tenant, user: str, *samples: Any, **members: Any) -> httpx2.Response:
    key = tenant.key("samples:write", user=user)
    body = {"data_type": "steps", "data": samples, **members}
    headers = {"Authorization": f"Bearer {key}"}
    return tenant.client.post("/api/v1.1/samples", json=body, headers=headers)


def _codes(response: httpx2.Response) -> list[tuple[int | None, str | None, str]]:
    body = response.json()
    assert {"accepted", "rejected", "errors"} == set(body)
    assert all({"index", "field", "code", "message"} == set(entry) for entry in body["errors"])
    return [(entry["index"], entry["field"], entry["code"]) for entry in body["errors"]]


def test_200_when_all_samples_are_accepted(tenant: Tenant) -> None:
    """They are read back as they were reported."""
    samples = [
        sample(0, start_date="2023-11-01T08:04:51.000+04:00", end_date="2023-11-01T08:04:58+04:00"),
        sample(600, value=0.25, device_version=None),
        sample(900, unit="count/s", value=1e9, end_date=None),
    ]
    response = tenant.steps("42", *samples)
    assert response.status_code == 200
    assert response.json() == {"accepted": 3, "rejected": 0, "errors": []}
    assert [{"metric": "steps", **result} for result in samples] == tenant.samples("42")
    assert all(set(SHOWN) == set(shown) for shown in tenant.samples("42"))


def test_207_when_some_are(tenant: Tenant) -> None:
    """Accepted samples are stored; others are reported and stored as rejected, ordered by index."""
    bad = [sample(1, value=0, unit="miles"), sample(2, end_date="2023-11-01T00:01:59Z"), "x"]
    response = tenant.steps("42", sample(0), *bad, sample(4))
    assert response.status_code == 207
    assert (response.json()["accepted"], response.json()["rejected"]) == (2, 3)
    assert _codes(response) == [
        (1, "unit", "unknown_unit"),
        (1, "value", "not_positive"),
        (2, "end_date", "ends_before_start"),
        (3, None, "wrong_type"),
    ]
    assert [shown["value"] for shown in tenant.samples("42")] == [1, 5]
    saved = {rejection.record.position: rejection.record for rejection in tenant.rejections()}
    assert set(saved) == {1, 2, 3}
    assert saved[3].raw == b'"x"'


def test_400_when_none_is(tenant: Tenant) -> None:
    """Each is validated all the same."""
    response = tenant.steps("42", *_three(value=30001))
    assert response.status_code == 400
    assert (response.json()["accepted"], response.json()["rejected"]) == (0, 3)
    assert [(i, "value", "above_limit") for i in range(3)] == _codes(response)
    assert tenant.get("/users/42").status_code == 404
    assert len(tenant.rejections()) == 3


@pytest.mark.parametrize(
    ("members", "errors"),
    [
        ({"user_id": ""}, [(None, "user_id", "blank")]),
        ({"user_id": 42}, [(None, "user_id", "wrong_type")]),
        ({"data_type": "sleep"}, [(None, "data_type", "unknown_data_type")]),
        ({"data": {}}, [(None, "data", "wrong_type")]),
        ({"data": [sample(0), sample(1)]}, [(None, "data", "too_few")]),
        ({"data": [sample(0)] * 1001}, [(None, "data", "too_many")]),
        (
            {"data": [], "data_type": 7},
            [(None, "data_type", "wrong_type"), (None, "data", "too_few")],
        ),
    ],
)
def test_a_request_fault_rejects_the_whole_request(
    tenant: Tenant, members: dict[str, Any], errors: list[Any]
) -> None:
    """Nothing is stored; `accepted` and `rejected` are both 0 and `index` is null."""
    response = tenant.steps(**{"user_id": "42", "data": _three(), **members})
    assert response.status_code == 400
    assert (response.json()["accepted"], response.json()["rejected"]) == (0, 0)
    assert errors == _codes(response)
    assert tenant.get("/users/42").status_code == 404
    assert len(tenant.rejections()) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"user_id":', b"null"])
def test_a_body_that_is_no_json_object_is_400(tenant: Tenant, body: bytes) -> None:
    """`json_invalid` or `wrong_type`, of the request as a whole."""
    response = SAMPLES_V2.send(tenant, tenant.secret, body)
    assert response.status_code == 400
    ((index, field, code),) = _codes(response)
    expected = "wrong_type" if body in {b"[]", b"7", b"null"} else "json_invalid"
    assert (None, None, expected) == (index, field, code)


def test_v1_takes_the_user_from_the_key(tenant: Tenant) -> None:
    """And ignores `user_id`."""
    assert _v1(tenant, "42", *_three(), user_id="43").status_code == 200
    assert tenant.user("42")["samples"]["steps"]["count"] == 3
    assert tenant.get("/users/43").status_code == 404


def test_a_bound_key_for_another_user_is_403(tenant: Tenant) -> None:
    """On v2.2; nothing is stored."""
    key = tenant.key("samples:write", user="43")
    response = SAMPLES_V2.send(tenant, key)
    SAMPLES_V2.check(403, response)
    assert tenant.get("/users/42").status_code == 404


def test_both_data_types_are_separate(tenant: Tenant) -> None:
    """`steps` and `bpm`, each counted from its first to its last."""
    tenant.steps("42", *_three())
    beats = [sample(10 + i, unit="count/min", value=60, end_date=None) for i in range(4)]
    assert tenant.steps("42", *beats, data_type="bpm").status_code == 200
    assert tenant.user("42")["samples"] == {
        "steps": {"count": 3, "first": "2023-11-01T00:00:00Z", "last": "2023-11-01T00:02:00Z"},
        "bpm": {"count": 4, "first": "2023-11-01T00:10:00Z", "last": "2023-11-01T00:13:00Z"},
    }
    assert {60} == {shown["value"] for shown in tenant.samples("42", "bpm")}


def test_of_two_that_are_the_same_sample_the_one_received_last_wins(tenant: Tenant) -> None:
    """In one request and in two; value and version are not what makes a sample."""
    first = tenant.steps("42", sample(0), sample(1), sample(0, value=99, device_version="18"))
    assert first.json()["accepted"] == 3
    assert [shown["value"] for shown in tenant.samples("42")] == [99, 2]
    tenant.steps("42", sample(0, value=7, device_version=None), sample(1), sample(2))
    shown = tenant.samples("42")
    assert [(result["value"], result["device_version"]) for result in shown] == [
        (7, None),
        (2, "17.0.3"),
        (3, "17.0.3"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"device_name": "Apple Watch"},
        {"start_date": "2023-11-01T00:00:00.0001Z"},
        {"end_date": "2023-11-01T00:00:31Z"},
        {"end_date": None},
        {"unit": "count/s"},
    ],
)
def test_samples_that_differ_in_what_makes_them_are_two(
    tenant: Tenant, other: dict[str, Any]
) -> None:
    """Device name, start, end or unit."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    tenant.steps("42", sample(0, **other), sample(1), sample(2))
    assert tenant.user("42")["samples"]["steps"]["count"] == 4
    assert len(tenant.samples("42")) == 4


def test_the_same_instant_in_another_offset_is_the_same_sample(tenant: Tenant) -> None:
    """The offset in which it was reported last is shown."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    result = {"start_date": "2023-11-01T04:00:00+04:00", "end_date": "2023-11-01T04:00:30+04:00"}
    tenant.steps("42", sample(0, **result), sample(1), sample(2))
    shown = tenant.samples("42")
    assert len(shown) == 3
    assert result == {name: shown[0][name] for name in result}


def test_a_time_without_an_offset_is_utc(tenant: Tenant) -> None:
    """The same sample as one reported with Z."""
    tenant.steps("42", sample(0), sample(1), sample(2))
    tenant.steps("42", sample(0, start_date="2023-11-01T00:00:00"), sample(1), sample(2))
    assert len(tenant.samples("42")) == 3


def test_the_offset_of_a_time_is_returned(tenant: Tenant) -> None:
    """Of whole hours or not, east or west, with all digits of the second."""
    starts = [
        "2023-11-01T08:04:51.000+04:00",
        "2023-11-01T08:04:51.25+05:45",
        "2023-11-01T08:04:51.1234567-03:30",
        "2023-11-01T08:04:51Z",
    ]
    samples = [sample(start_date=start, end_date=None) for start in starts]
    assert tenant.steps("42", *samples).status_code == 200
    assert set(starts) == {shown["start_date"] for shown in tenant.samples("42")}


def test_1000_samples_are_taken_at_once(tenant: Tenant) -> None:
    """The most that the vendor allows; all of them are read back."""
    samples = [sample(i) for i in range(1000)]
    response = tenant.steps("42", *samples)
    assert response.json() == {"accepted": 1000, "rejected": 0, "errors": []}
    assert samples == [
        {name: shown[name] for name in SHOWN if name != "metric"} for shown in tenant.samples("42")
    ]
