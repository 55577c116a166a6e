"""Answers that show what is wrong stay small, however large the values that they are about."""

from typing import Any

import msgspec
import pytest

from .tenant import Tenant, sample
from .uploads import PTENGINE, SAMPLES_V2, THYMIA, Upload

LONG = "x" * 1_000_000
V1 = "/uptake/v1"

UPLOAD_ANSWER = 32 * 1024
"""A few faults, each of some hundred characters."""

BODIES: list[tuple[Upload, Any]] = [
    (THYMIA, {"user": {"userLabel": LONG}, "data": {}}),
    (THYMIA, {"user": {"userLabel": "42"}, "data": {"mood": LONG}}),
    (THYMIA, {"user": {"userLabel": "42"}, "data": {"mood": 1, LONG: 1}}),
    (THYMIA, {"user": LONG, "data": LONG}),
    (PTENGINE, {"field_name": ["user_id", LONG], "values": [["42", "a"]]}),
    (PTENGINE, {"field_name": ["user_id", "user_id", LONG, LONG], "values": [["42", "a"]]}),
    (PTENGINE, {"field_name": ["user_id", "a"], "values": [["42", LONG]]}),
    (PTENGINE, {"field_name": ["user_id", "a"], "values": [[LONG, "a"]]}),
    (PTENGINE, {"field_name": LONG, "values": LONG}),
    (SAMPLES_V2, {"user_id": LONG, "data_type": LONG, "data": LONG}),
    (SAMPLES_V2, {"user_id": "42", "data_type": "steps", "data": [LONG, LONG, LONG]}),
    (
        SAMPLES_V2,
        {
            "user_id": "42",
            "data_type": "steps",
            "data": [
                sample(0, unit=LONG, start_date=LONG, end_date=LONG, device_name=" ", value=LONG),
                sample(1),
                sample(2),
            ],
        },
    ),
]


@pytest.mark.parametrize(("upload", "body"), BODIES)
def test_an_upload_with_large_values_has_a_small_answer(
    tenant: Tenant, upload: Upload, body: Any
) -> None:
    """And a small entry in the list of rejections and in the receipt."""
    tenant.type(
        "mood", {"properties": {"mood": {"type": "integer"}}, "propertyNames": {"maxLength": 9}}
    )
    answer = upload.send(tenant, tenant.secret, msgspec.json.encode(body))
    assert answer.status_code in {207, 400, 422}
    assert len(answer.content) < UPLOAD_ANSWER
    assert len(tenant.get("/rejections").content) < UPLOAD_ANSWER
    receipt = tenant.get(f"/requests/{answer.headers['x-request-id']}")
    assert len(receipt.content) < UPLOAD_ANSWER


def test_every_sample_may_have_every_fault(tenant: Tenant) -> None:
    """The largest answer that an upload of samples has: all faults of a thousand samples."""
    wrong = {"device_name": " ", "start_date": "x", "unit": "x", "value": -1, "end_date": "x"}
    body = {"user_id": "42", "data_type": "steps", "data": [wrong] * 1000}
    answer = SAMPLES_V2.send(tenant, tenant.secret, msgspec.json.encode(body))
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 5000
    assert len(answer.content) < 1024 * 1024


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{V1}/segments/preview", {"attribute": LONG[:60_000], "op": "eq", "value": 1}),
        ("POST", f"{V1}/segments/preview", {"all": [{"op": "no" * 30}] * 1500}),
        ("PUT", f"{V1}/document-types/new", {"type": LONG[:900_000]}),
        ("PUT", f"{V1}/document-types/new", {"$ref": "#/" + LONG[:900_000]}),
        ("PUT", f"{V1}/document-types/new", {"pattern": "(" + LONG[:900_000]}),
        ("POST", f"{V1}/document-types/mood/dry-run", {"required": [[LONG[:900_000]]]}),
        ("PUT", f"{V1}/retention", {"rules": [{"kind": LONG[:50_000], "days": 1}]}),
        (
            "PUT",
            f"{V1}/retention",
            {"rules": [{"kind": "documents", "days": 1, "type": "x" * 9000}]},
        ),
        ("GET", f"{V1}/users/42/rollups?metric=steps&zone={'x' * 5000}", None),
        ("GET", f"{V1}/users/42/samples?metric={'x' * 5000}", None),
        ("GET", f"{V1}/users/42/samples?metric=steps&from={'x' * 5000}", None),
        ("GET", f"{V1}/rejections?cursor={'x' * 5000}", None),
        ("GET", f"{V1}/users/{'x' * 5000}", None),
    ],
)
def test_an_error_of_the_api_is_small(tenant: Tenant, method: str, path: str, body: Any) -> None:
    """Whatever was asked for."""
    headers = {"Authorization": f"Bearer {tenant.key('admin', 'data:read')}"}
    content = b"" if body is None else msgspec.json.encode(body)
    answer = tenant.client.request(method, path, content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < UPLOAD_ANSWER * 3
