"""Values at the edge of JSON: stored exactly, or rejected with a clear error; never changed."""

import time
from typing import Any

import msgspec
import pytest

from uptake.intake.schemas import TRUST_SECONDS

from .tenant import Tenant, sample

V1 = "/uptake/v1"

NOT_JSON = [
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "1e999",
    "-1e999",
    "0x10",
    "01",
    "1.",
    ".5",
]
LONE_SURROGATES = ['"\\ud800"', '"\\udc00"', '"\\ud800x"', '"\\ud800\\ud800"']
HUGE = "9" * 5000
EXACT = [
    "-0",
    "-0.0",
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "1e-400",
    "1E+2",
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud83d\\ude00"',
    '"\\u2028"',
    '{"\\u0000": 1}',
    '{"": 1}',
    "1.7976931348623157e308",
]


def _upload(tenant: Tenant, data: str, kind: str = "mood") -> tuple[int, dict[str, Any]]:
    body = f'{{"user": {{"userLabel": "42"}}, "data": {data}}}'.encode()
    answer = tenant.client.post(
        f"/v1/user-data/{kind}", content=body, headers={"x-api-key": tenant.secret}
    )
    return answer.status_code, answer.json()


@pytest.mark.parametrize("value", [*NOT_JSON, *LONE_SURROGATES, HUGE], ids=lambda text: text[:12])
def test_what_json_has_not_is_rejected_in_a_document(tenant: Tenant, value: str) -> None:
    """With a reason, nothing stored; beside a schema too, and where a label should be."""
    tenant.type("checked", {"type": "object"})
    for kind in ("mood", "checked"):
        status, answer = _upload(tenant, f'{{"a": [{value}]}}', kind)
        assert status == 422
        assert [entry["type"] for entry in answer["detail"]] == ["json_invalid"]
    body = f'{{"user": {{"userLabel": {value}}}, "data": {{}}}}'.encode()
    headers = {"x-api-key": tenant.secret}
    response = tenant.client.post("/v1/user-data/mood", content=body, headers=headers)
    assert response.status_code == 422
    assert tenant.get("/users/42").status_code == 404


@pytest.mark.parametrize("value", EXACT)
def test_what_json_has_is_stored_exactly(tenant: Tenant, value: str) -> None:
    """As the text that was sent, on every engine; beside a schema too."""
    tenant.type("checked", {"properties": {"a": {"maxProperties": 9}}})
    for kind in ("mood", "checked"):
        status, answer = _upload(tenant, f'{{"a": {value}}}', kind)
        assert status == 200
        read = tenant.get(f"/documents/{answer['uploadId']}").text
        assert f'"a": {value}' in read or f'"a":{value}' in read


@pytest.mark.parametrize("value", [*EXACT, '"' + "x" * 5000 + '"'], ids=lambda text: text[:12])
def test_a_violation_by_any_value_is_stored_and_listed(tenant: Tenant, value: str) -> None:
    """Whatever its message repeats: the answer, the rejection and the receipt have it."""
    tenant.type("never", {"properties": {"a": False}})
    status, answer = _upload(tenant, f'{{"a": {value}}}', "never")
    assert status == 422
    (entry,) = answer["detail"]
    assert entry["loc"] == ["body", "data", "a"]
    assert len(entry["msg"]) <= 500
    (listed,) = tenant.get("/rejections").json()["rejections"]
    assert listed["faults"][0]["message"] == entry["msg"]
    (receipt,) = tenant.get(f"/requests/{listed['request_id']}").json()["submissions"]
    assert receipt["rejected"][0]["faults"] == listed["faults"]


@pytest.mark.parametrize("value", [*NOT_JSON, *LONE_SURROGATES, HUGE], ids=lambda text: text[:12])
def test_what_json_has_not_is_rejected_wherever_json_is_read(tenant: Tenant, value: str) -> None:
    """Schemas, filters, retention rules, samples, attributes, bodies of replays."""
    admin = {"Authorization": f"Bearer {tenant.key('admin', 'data:read')}"}
    writer = {"Authorization": f"Bearer {tenant.secret}"}
    tenant.steps("7", sample(0, value=0), sample(1), sample(2))
    (rejection,) = tenant.get("/rejections", params={"user": "7"}).json()["rejections"]
    calls = [
        ("PUT", f"{V1}/document-types/new", f'{{"examples": [{value}]}}', admin),
        ("POST", f"{V1}/document-types/mood/dry-run", f'{{"const": {value}}}', admin),
        (
            "POST",
            f"{V1}/segments/preview",
            f'{{"attribute": "a", "op": "eq", "value": {value}}}',
            admin,
        ),
        ("PUT", f"{V1}/segments/new", f'{{"attribute": "a", "op": "eq", "value": {value}}}', admin),
        (
            "PUT",
            f"{V1}/retention",
            f'{{"rules": [{{"kind": "rejections", "days": {value}}}]}}',
            admin,
        ),
        (
            "POST",
            "/v1/user/profiles",
            f'{{"field_name": [{value}], "values": [[]]}}',
            writer,
        ),
        (
            "POST",
            f"{V1}/rejections/{rejection['rejection_id']}/replay",
            f'{{"value": {value}}}',
            admin,
        ),
    ]
    for method, path, body, headers in calls:
        answer = tenant.client.request(method, path, content=body.encode(), headers=headers)
        if path.endswith("/replay"):
            assert answer.json()["outcome"] == "refused"
        else:
            assert answer.status_code in {400, 422}, path
    names = [shown["name"] for shown in tenant.get("/document-types").json()["types"]]
    assert names == ["mood"]
    assert tenant.user("7")["attributes"] == {}


def test_a_document_is_replaced_by_an_object_alone(tenant: Tenant) -> None:
    """What takes its place in a replay is read as strictly as an upload."""
    tenant.type("strict", {"required": ["mood"]})
    assert _upload(tenant, "{}", "strict")[0] == 422
    (rejection,) = tenant.get("/rejections").json()["rejections"]
    tenant.type("strict")
    time.sleep(TRUST_SECONDS)
    for body in ("NaN", "[1]", "1e999", '"text"', '{"a": NaN}', "{", "null"):
        answer = tenant.client.post(
            f"{V1}/rejections/{rejection['rejection_id']}/replay",
            content=body.encode(),
            headers={"Authorization": f"Bearer {tenant.key('admin')}"},
        )
        assert (answer.status_code, answer.json()["outcome"]) == (200, "refused"), body
        assert answer.json()["faults"][0]["code"] in {"json_invalid", "dict_type"}, body
        assert tenant.user("42").get("documents", 0) == 0


@pytest.mark.parametrize("value", NOT_JSON)
def test_a_sample_with_a_value_outside_json_is_rejected(tenant: Tenant, value: str) -> None:
    """Or the whole body, where it cannot be read."""
    body = msgspec.json.encode(
        {"user_id": "8", "data_type": "steps", "data": [sample(0), sample(1), sample(2, value=99)]}
    ).replace(b'"value":99', f'"value":{value}'.encode())
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    answer = tenant.client.post("/api/v2.2/samples", content=body, headers=headers)
    assert answer.status_code in {207, 400}
    if answer.status_code == 400:
        assert answer.json()["errors"][0]["code"] == "json_invalid"
    else:
        (error,) = answer.json()["errors"]
        assert (error["index"], error["field"]) == (2, "value")
