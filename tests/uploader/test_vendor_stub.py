"""The stub checks what the vendors' documents require of every request, and counts requests."""

import json
import threading
from typing import Any

import httpx2
import pytest

from uploader import plain
from uploader.conftest import POWERLESS_KEY, VENDOR_KEY
from uploader.vendor_stub import VendorStub, vendor_stub
from uploader.vendors.base import Known

BEARER = {"Authorization": f"Bearer {VENDOR_KEY}"}
DOCUMENTS = "/v1/user-data/survey"
PROFILES = "/v1/user/profiles"
IMAGES = "/a/api/v2/users/42/images"
SAMPLES = "/api/v2.2/samples"
OWN_SAMPLES = "/api/v1.1/samples"
STEP = {
    "device_name": "iPhone",
    "device_version": "17.0.3",
    "start_date": "2023-11-01T08:04:51.000+04:00",
    "end_date": "2023-11-01T08:04:58.000+04:00",
    "value": 14,
    "unit": "count",
}
GOOD_SAMPLES = {"user_id": "u1", "data_type": "steps", "data": [STEP] * 3}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (DOCUMENTS, {}, 422),
        (DOCUMENTS, {"x-api-key": "other"}, 401),
        (DOCUMENTS, {"x-api-key": POWERLESS_KEY}, 403),
        (DOCUMENTS, {"Authorization": f"Bearer {VENDOR_KEY}"}, 422),
        *(
            (path, headers, status)
            for path in (PROFILES, SAMPLES, OWN_SAMPLES)
            for headers, status in (
                ({}, 401),
                ({"x-api-key": VENDOR_KEY}, 401),
                ({"Authorization": VENDOR_KEY}, 401),
                ({"Authorization": "Bearer other"}, 401),
                ({"Authorization": f"Bearer {POWERLESS_KEY}"}, 403),
            )
        ),
    ],
)
def test_a_key_is_required(
    vendors: VendorStub, path: str, headers: dict[str, str], status: int
) -> None:
    """Only in the place that the document names."""
    assert plain.post(vendors.url + path, json={}, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        (DOCUMENTS, "x-api-key", 422),
        (PROFILES, "", 400),
        (SAMPLES, "", 400),
        (OWN_SAMPLES, "", 400),
    ],
)
@pytest.mark.parametrize("content", [b"{", b"", b"\xff{}", b'{"data": NaN}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_rejected(
    vendors: VendorStub, path: str, key: str, status: int, content: bytes
) -> None:
    """With the status that the vendor documents."""
    headers = {"Content-Type": "application/json"} | ({key: VENDOR_KEY} if key else BEARER)
    assert plain.post(vendors.url + path, content=content, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("path", "good"),
    [
        (DOCUMENTS, {"user": {"userLabel": "u"}, "data": {}}),
        (PROFILES, {"field_name": ["user_id"], "values": [["u"]]}),
        (SAMPLES, GOOD_SAMPLES),
    ],
)
@pytest.mark.parametrize(
    "content_type", [{"Content-Type": "text/plain"}, {}, {"Content-Type": "multipart/form-data"}]
)
def test_the_content_type_must_be_json(
    vendors: VendorStub, path: str, good: Any, content_type: dict[str, str]
) -> None:
    """Every document requires `Content-Type: application/json`."""
    keys = BEARER | {"x-api-key": VENDOR_KEY}
    content = json.dumps(good).encode()
    as_json = plain.post(
        vendors.url + path, content=content, headers=keys | {"Content-Type": "application/json"}
    )
    as_other = plain.post(vendors.url + path, content=content, headers=keys | content_type)
    assert as_json.status_code == 200
    assert as_other.status_code == (422 if path == DOCUMENTS else 400)


@pytest.mark.parametrize("path", [DOCUMENTS, PROFILES, SAMPLES])
def test_a_content_encoding_is_rejected(vendors: VendorStub, path: str) -> None:
    """No document describes one."""
    headers = BEARER | {"x-api-key": VENDOR_KEY, "Content-Encoding": "gzip"}
    assert plain.post(vendors.url + path, content=b"", headers=headers).status_code == 415


@pytest.mark.parametrize("path", [DOCUMENTS, PROFILES, IMAGES, SAMPLES, OWN_SAMPLES])
def test_only_post_is_accepted(vendors: VendorStub, path: str) -> None:
    """405 for other methods, 404 for other paths."""
    assert httpx2.get(vendors.url + path, verify=plain.NO_CERTIFICATES).status_code == 405
    assert plain.post(vendors.url + path + "/more", json={}).status_code == 404


def test_a_body_without_a_length_is_rejected(vendors: VendorStub) -> None:
    """411: a chunked body is not read."""
    answer = plain.post(vendors.url + SAMPLES, content=iter([b"{}"]), headers=BEARER)
    assert answer.status_code == 411


def test_requests_are_counted_and_connections_reused(vendors: VendorStub) -> None:
    """One client uses one connection for all requests."""
    with plain.client(vendors.url, BEARER) as client:
        for _ in range(5):
            assert client.post(SAMPLES, json=GOOD_SAMPLES).status_code == 200
        assert client.post(PROFILES, json={}).status_code == 400
    assert vendors.requests == {SAMPLES: 5, PROFILES: 1}
    assert vendors.statuses == {200: 5, 400: 1}
    assert [vendors.connections, vendors.most_at_once] == [1, 1]


def test_the_largest_number_of_concurrent_requests_is_recorded() -> None:
    """Four concurrent requests, each delayed until all have arrived."""
    with vendor_stub(Known({VENDOR_KEY: None}), pause_seconds=0.3) as stub:
        senders = [
            threading.Thread(
                target=plain.post, args=(stub.url + PROFILES,), kwargs={"headers": BEARER}
            )
            for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert [stub.requests, stub.most_at_once] == [{PROFILES: 4}, 4]
