"""The stub accepts requests that the vendors' documents allow, and rejects all others."""

from typing import Any

import httpx2
import pytest

from uploader import plain
from uploader.conftest import POWERLESS_KEY, VENDOR_KEY
from uploader.vendor_stub import VendorStub

BEARER = {"Authorization": f"Bearer {VENDOR_KEY}"}
DOCUMENTS = "/v1/user-data/survey"
PROFILES = "/v1/user/profiles"
IMAGES = "/a/api/v2/users/42/images"
SAMPLES = "/api/v2.2/samples"
OWN_SAMPLES = "/api/v1.1/samples"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\r\n--x\n\r"
STEP = {
    "device_name": "iPhone",
    "device_version": "17.0.3",
    "start_date": "2023-11-01T08:04:51.000+04:00",
    "end_date": "2023-11-01T08:04:58.000+04:00",
    "value": 14,
    "unit": "count",
}


def _without(sample: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in sample.items() if key != name}


def _batch(*samples: Any, **members: Any) -> dict[str, Any]:
    return {"user_id": "u1", "data_type": "steps", "data": list(samples)} | members


def _send_image(stub: VendorStub, content: bytes = PNG, **options: Any) -> httpx2.Response:
    arguments: dict[str, Any] = {
        "params": {"apiKey": VENDOR_KEY},
        "files": {"file": ("42.png", content, "image/png")},
    } | options
    return plain.post(stub.url + arguments.pop("path", IMAGES), **arguments)


def test_a_document_is_accepted(vendors: VendorStub) -> None:
    """Each document has an id."""
    body = {"user": {"userLabel": "user-12345"}, "data": {"mood": 3}}
    headers = {"x-api-key": VENDOR_KEY}
    first = plain.post(vendors.url + DOCUMENTS, json=body, headers=headers)
    second = plain.post(vendors.url + DOCUMENTS, json=body, headers=headers)
    assert [first.status_code, second.status_code] == [200, 200]
    assert first.json().keys() == {"uploadId"}
    assert first.json() != second.json()
    assert vendors.stored.documents == {"user-12345": [("survey", {"mood": 3})] * 2}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, [["body", "user"], ["body", "data"]]),
        ({"user": {}, "data": {}}, [["body", "user", "userLabel"]]),
        ({"user": {"userLabel": 7}, "data": {}}, [["body", "user", "userLabel"]]),
        ({"user": {"userLabel": "u"}, "data": []}, [["body", "data"]]),
        ([], [["body"]]),
    ],
)
def test_a_document_that_breaks_the_schema_is_rejected(
    vendors: VendorStub, body: Any, places: list[list[str]]
) -> None:
    """422 with all errors."""
    answer = plain.post(vendors.url + DOCUMENTS, json=body, headers={"x-api-key": VENDOR_KEY})
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == places
    assert vendors.stored.documents == {}


def test_a_document_of_an_unknown_type_is_rejected(vendors: VendorStub) -> None:
    """Types are agreed with the vendor."""
    body = {"user": {"userLabel": "u"}, "data": {}}
    headers = {"x-api-key": VENDOR_KEY}
    answer = plain.post(vendors.url + "/v1/user-data/poem", json=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["path", "upload_type"]


def test_profiles_are_accepted(vendors: VendorStub) -> None:
    """New attributes are added, existing ones are replaced."""
    rows = [["abcd123", "yes", "no"], ["abcd456", "yes", ""]]
    body = {"field_name": ["user_id", "conan", "titan"], "values": rows}
    answer = plain.post(vendors.url + PROFILES, json=body, headers=BEARER)
    assert answer.status_code == 200
    assert answer.json()["msg"] == "Success"
    assert isinstance(answer.json()["timestamp"], int)
    later = {"field_name": ["titan", "user_id"], "values": [["no", "abcd456"]]}
    assert plain.post(vendors.url + PROFILES, json=later, headers=BEARER).status_code == 200
    assert vendors.stored.attributes == {
        "abcd123": {"conan": "yes", "titan": "no"},
        "abcd456": {"conan": "yes", "titan": "no"},
    }


def test_the_largest_profiles_are_accepted(vendors: VendorStub) -> None:
    """100 users, 50 fields, names of 50 characters, values of 128 characters."""
    names = ["user_id", "n" * 50, *(f"a{index}" for index in range(48))]
    values = [[f"u{index}", *["ü" * 128] * 49] for index in range(100)]
    body = {"field_name": names, "values": values}
    assert plain.post(vendors.url + PROFILES, json=body, headers=BEARER).status_code == 200
    assert len(vendors.stored.attributes) == 100


@pytest.mark.parametrize(
    "body",
    [
        {"field_name": ["user_id", "a"], "values": [[f"u{n}", ""] for n in range(101)]},
        {"field_name": ["user_id", *(f"a{n}" for n in range(50))], "values": [["u"] + [""] * 50]},
        {"field_name": ["user_id", "n" * 51], "values": [["u", ""]]},
        {"field_name": ["user_id", "a"], "values": [["u", "v" * 129]]},
        {"field_name": ["a"], "values": [["v"]]},
        {"field_name": ["user_id", "a"], "values": [["u"]]},
        {"field_name": ["user_id", "a"], "values": [["u", None]]},
        {"field_name": ["user_id", "a"], "values": [["u", 1]]},
        {"field_name": ["user_id", "a", "a"], "values": [["u", "", ""]]},
        {"field_name": ["user_id", "a"], "values": [["", "v"]]},
        {"field_name": ["user_id", "a"], "values": []},
        {"field_name": ["user_id", "a"]},
        {"field_name": ["user_id", "a"], "values": [["u", ""]], "more": 1},
    ],
)
def test_profiles_that_break_a_limit_are_rejected(vendors: VendorStub, body: Any) -> None:
    """400 with a reason; nothing is stored."""
    answer = plain.post(vendors.url + PROFILES, json=body, headers=BEARER)
    assert answer.status_code == 400
    assert answer.json().keys() == {"msg", "timestamp"}
    assert vendors.stored.attributes == {}


def test_an_image_is_accepted(vendors: VendorStub) -> None:
    """Unchanged; the answer has the three members of the schema."""
    answer = _send_image(vendors)
    assert answer.status_code == 200
    assert answer.json()["response"] == {
        "imageID": 1000011,
        "imageURL": "https://www.questionpro.com/qp_userimages/sub-3/1000011.png",
        "size": "1 Kb",
    }
    assert _send_image(vendors, PNG.ljust(3 << 19)).json()["response"]["size"] == "1.5 Mb"
    assert vendors.stored.images == {"42": [PNG, PNG.ljust(3 << 19)]}


@pytest.mark.parametrize(
    ("options", "status", "number"),
    [
        ({"path": "/a/api/v2/users/ada/images"}, 400, "1000"),
        ({"path": "/a/api/v2/users/42/pictures"}, 404, "1040"),
        ({"params": {}, "headers": {"api-key": VENDOR_KEY}}, 401, "1010"),
        ({"params": {"apiKey": "other"}}, 401, "1010"),
        ({"params": {"apiKey": POWERLESS_KEY}}, 403, "1013"),
        ({"files": {"picture": ("42.png", PNG, "image/png")}}, 400, "1000"),
        ({"files": {"file": ("42.png", b"", "image/png")}}, 400, "1000"),
        ({"files": {"file": ("42.png", b"text", "image/png")}}, 400, "1000"),
        ({"files": [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]}, 400, "1000"),
        ({"files": None, "json": {"file": "picture.png"}}, 400, "1000"),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, "1000"),
    ],
)
def test_an_image_that_breaks_a_rule_is_rejected(
    vendors: VendorStub, options: dict[str, Any], status: int, number: str
) -> None:
    """The error has six members."""
    answer = _send_image(vendors, **options)
    error = answer.json()["response"]["error"]
    assert [answer.status_code, error["httpStatusCode"], error["id"]] == [status, status, number]
    assert error.keys() == {"docs", "name", "httpStatusCode", "id", "message", "resourceUrl"}
    assert vendors.stored.images == {}


@pytest.mark.parametrize("count", [3, 1000])
def test_samples_are_accepted(vendors: VendorStub, count: int) -> None:
    """3 to 1000 samples; the answer has no body."""
    answer = plain.post(vendors.url + SAMPLES, json=_batch(*[STEP] * count), headers=BEARER)
    assert [answer.status_code, answer.content] == [200, b""]
    assert vendors.stored.samples == {"u1": [("steps", STEP)] * count}


def test_samples_belong_to_the_user_of_the_token(vendors: VendorStub) -> None:
    """v1.1 has no `user_id`, and rejects a token without a user."""
    body = {"data_type": "bpm", "data": [STEP | {"unit": "count/s"}] * 3}
    of_ada = plain.post(
        vendors.url + OWN_SAMPLES, json=body, headers={"Authorization": "Bearer token-of-ada"}
    )
    of_no_user = plain.post(vendors.url + OWN_SAMPLES, json=body, headers=BEARER)
    assert [of_ada.status_code, of_no_user.status_code] == [200, 401]
    assert vendors.stored.samples == {"ada": [("bpm", STEP | {"unit": "count/s"})] * 3}


@pytest.mark.parametrize(
    "sample",
    [
        STEP | {"value": 30000},
        STEP | {"value": 0.001},
        STEP | {"unit": "count/min", "value": 300},
        STEP | {"unit": "count/s", "value": 30001},
        STEP | {"end_date": "2023-11-01T04:04:51Z"},
        _without(STEP, "end_date"),
        _without(STEP, "device_version"),
    ],
)
def test_a_sample_at_a_limit_is_accepted(vendors: VendorStub, sample: dict[str, Any]) -> None:
    """Limits are inclusive."""
    answer = plain.post(vendors.url + SAMPLES, json=_batch(STEP, sample, STEP), headers=BEARER)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sample",
    [
        *(_without(STEP, name) for name in ("device_name", "start_date", "unit", "value")),
        STEP | {"value": 0},
        STEP | {"value": "14"},
        STEP | {"value": True},
        STEP | {"value": 30001},
        STEP | {"unit": "count/min", "value": 300.5},
        STEP | {"unit": "km"},
        STEP | {"start_date": "1 November 2023"},
        STEP | {"start_date": "2023-02-30T08:00:00Z"},
        STEP | {"end_date": "2023-11-01T08:04:50.999+04:00"},
        STEP | {"end_date": None},
        STEP | {"device_version": None},
        STEP | {"device_name": " "},
        STEP | {"data_type": "steps"},
        "sample",
    ],
)
def test_an_invalid_sample_is_rejected(vendors: VendorStub, sample: Any) -> None:
    """207 if others are accepted, 400 if none is."""
    some = plain.post(vendors.url + SAMPLES, json=_batch(STEP, sample, STEP), headers=BEARER)
    none = plain.post(vendors.url + SAMPLES, json=_batch(*[sample] * 3), headers=BEARER)
    assert [some.status_code, none.status_code] == [207, 400]
    assert vendors.stored.samples == {"u1": [("steps", STEP)] * 2}
    assert [rejection.status for rejection in vendors.rejections] == [207, 400]


@pytest.mark.parametrize(
    "body",
    [
        _batch(STEP, STEP),
        _batch(*[STEP] * 1001),
        _batch(STEP, STEP, STEP, data_type="distance"),
        _batch(STEP, STEP, STEP, user_id=""),
        _batch(STEP, STEP, STEP, user_id=7),
        _without(_batch(STEP, STEP, STEP), "user_id"),
        _batch(STEP, STEP, STEP, source="watch"),
        _batch(data={"0": STEP}),
        [],
    ],
)
def test_a_batch_that_breaks_a_rule_is_rejected(vendors: VendorStub, body: Any) -> None:
    """400; nothing is stored."""
    answer = plain.post(vendors.url + SAMPLES, json=body, headers=BEARER)
    assert [answer.status_code, answer.content] == [400, b""]
    assert vendors.stored.samples == {}
