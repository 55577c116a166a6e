"""What was rejected is found, explained, corrected, replayed, and counted once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from contract.pictures import PNG
from contract.tenant import EVERYTHING, Tenant, new_tenant, sample
from uptake.intake.schemas import TRUST_SECONDS
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_DAY

MOOD = {"type": "object", "required": ["mood"], "properties": {"mood": {"type": "integer"}}}
NOBODYS = "8cf3f5e8-0460-4f22-9b20-5b87c09a041f"
"""An id that was never given."""

PAST = {"from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z"}


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """A key that may replay."""
    return tenant.key(*EVERYTHING, "admin")


def _mend(tenant: Tenant, schema: Any) -> None:
    """Register another schema, and wait until every process of the server goes by it."""
    tenant.type("mood", schema)
    time.sleep(TRUST_SECONDS)


def _listed(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    return list(tenant.pages("/rejections", "rejections", **query))


def _replay(tenant: Tenant, admin: str, rejection_id: str, item: Any = None) -> httpx2.Response:
    return tenant.client.post(
        f"/uptake/v1/rejections/{rejection_id}/replay",
        headers={"Authorization": f"Bearer {admin}"},
        content=b"" if item is None else json.dumps(item).encode(),
    )


def _receipt(tenant: Tenant, response: httpx2.Response) -> dict[str, Any]:
    request_id = response.headers["x-request-id"]
    result = tenant.get(f"/requests/{request_id}").json()
    assert result["request_id"] == request_id
    (submission,) = result["submissions"]
    return dict(submission)


def test_a_rejected_sample_is_found_and_explained(tenant: Tenant) -> None:
    """With its position, every fault, and the sample as it was sent."""
    answer = tenant.steps("42", sample(0), sample(1, value=-5, unit="leagues"), sample(2))
    assert answer.status_code == 207
    (listed,) = _listed(tenant)
    shown = tenant.get(f"/rejections/{listed['rejection_id']}").json()
    assert shown.pop("item") == sample(1, value=-5, unit="leagues")
    assert shown.pop("raw_base64") is None
    assert shown == listed
    assert (listed["format"], listed["index"], listed["user_id"]) == ("gerosense-v2.2", 1, "42")
    assert [(fault["code"], fault["place"]) for fault in listed["faults"]] == [
        ("unknown_unit", ["unit"]),
        ("not_positive", ["value"]),
    ]
    assert listed["request_id"] == answer.headers["x-request-id"]
    assert listed["resolved_by"] is None


def test_rejections_are_counted_by_fault(tenant: Tenant, admin: str) -> None:
    """By endpoint, code and place; a replayed one is resolved, and other users can be left out."""
    tenant.steps("42", sample(0), sample(1, value=-5, unit="leagues"), sample(2, value=-1))
    tenant.steps("43", sample(0, value=-5), sample(1), sample(2))
    tenant.profiles(["user_id", "plan"], ["44", None], ["45", None])
    one = _listed(tenant, user="43")[0]["rejection_id"]
    assert _replay(tenant, admin, one, sample(0)).json()["outcome"] == "accepted"

    def counted(**query: str) -> list[tuple[Any, ...]]:
        found = tenant.get("/rejections/groups", params=query).json()
        assert found["complete"] is True
        return [
            (group["code"], group["place"], group["open"], group["resolved"])
            for group in found["groups"]
        ]

    negative, unit = ("not_positive", "/value", 2, 1), ("unknown_unit", "/unit", 1, 0)
    cells = ("unacceptable", "/values/*/*", 1, 0)
    assert counted() == [negative, unit, cells]
    assert counted(format="gerosense-v2.2") == [negative, unit]
    assert counted(user="43") == [("not_positive", "/value", 0, 1)]
    assert counted(resolved="false", code="unknown_unit") == [
        ("not_positive", "/value", 1, 0),
        unit,
    ]
    group = tenant.get("/rejections/groups").json()["groups"][0]
    assert group["message"] == "value must be greater than 0"
    assert sum(group["days"].values()) == 3
    assert tenant.get("/rejections/groups").json()["examined"] == 4


def test_a_corrected_sample_counts_once(tenant: Tenant, admin: str) -> None:
    """However often it is replayed, and its batch mates are not doubled."""
    tenant.steps("42", sample(0), sample(1, value=-5), sample(2))
    (listed,) = _listed(tenant)
    again = _replay(tenant, admin, listed["rejection_id"]).json()
    assert (again["outcome"], [fault["code"] for fault in again["faults"]]) == (
        "refused",
        ["not_positive"],
    )
    assert len(_listed(tenant)) == 1
    corrected = _replay(tenant, admin, listed["rejection_id"], sample(1, value=5)).json()
    assert (corrected["outcome"], corrected["faults"]) == ("accepted", [])
    once_more = _replay(tenant, admin, listed["rejection_id"], sample(1, value=5)).json()
    assert (once_more["outcome"], once_more["request_id"]) == ("resolved", corrected["request_id"])
    assert [shown["value"] for shown in tenant.samples("42")] == [1, 5, 3]
    (resolved,) = _listed(tenant)
    assert resolved["resolved_by"] == corrected["request_id"]


def test_a_document_passes_after_its_schema_was_corrected(tenant: Tenant, admin: str) -> None:
    """One document, though it is replayed from several sides at once."""
    tenant.type("mood", MOOD)
    assert tenant.document("42", {"mood": "good"}).status_code == 422
    _mend(tenant, {"type": "object"})
    (listed,) = _listed(tenant, code="type")
    with ThreadPoolExecutor(4) as pool:
        replays = list(
            pool.map(lambda _: _replay(tenant, admin, listed["rejection_id"]).json(), range(4))
        )
    assert {replay["outcome"] for replay in replays} <= {"accepted", "resolved"}
    assert tenant.user("42")["documents"] == 1
    accepted = next(replay for replay in replays if replay["outcome"] == "accepted")
    result = tenant.get(f"/requests/{accepted['request_id']}").json()["submissions"][0]
    (item,) = result["items"]
    document = tenant.get(f"/documents/{item['upload_id']}").json()
    assert (document["user_id"], document["type"]) == ("42", "mood")
    assert document["data"] == {"mood": "good"}


def test_a_body_of_an_unknown_type_passes_once_it_is_known(tenant: Tenant, admin: str) -> None:
    """The path and the Idempotency-Key of the request are known again."""
    headers = {"x-api-key": tenant.secret, "Idempotency-Key": "one"}
    body = {"user": {"userLabel": "42"}, "data": {"a": 1}}
    sent = tenant.client.post("/v1/user-data/diary", json=body, headers=headers)
    assert sent.status_code == 422
    tenant.type("diary")
    (listed,) = _listed(tenant)
    assert _replay(tenant, admin, listed["rejection_id"]).json()["outcome"] == "accepted"
    again = tenant.client.post("/v1/user-data/diary", json=body, headers=headers)
    assert again.status_code == 200
    assert tenant.user("42")["documents"] == 1


def test_a_corrected_profile_request_is_taken(tenant: Tenant, admin: str) -> None:
    """Ptengine's requests are rejected whole, and replayed whole."""
    assert tenant.profiles(["user_id", "plan"], ["42", "pro"], ["", "free"]).status_code == 400
    (listed,) = _listed(tenant, format="ptengine")
    unknown = tenant.get("/rejections", params={"format": "x"})
    assert unknown.status_code == 400
    assert "format: must be one of thymia, ptengine, questionpro" in unknown.json()["detail"]
    shown = tenant.get(f"/rejections/{listed['rejection_id']}").json()
    body = shown["item"]
    body["values"][1][0] = "43"
    assert _replay(tenant, admin, listed["rejection_id"], body).json()["outcome"] == "accepted"
    assert tenant.user("42")["attributes"] == {"plan": "pro"}
    assert tenant.user("43")["attributes"] == {"plan": "free"}


def test_an_image_that_was_none_is_shown_as_bytes(tenant: Tenant, admin: str) -> None:
    """A corrected picture in the body takes its place."""
    assert tenant.picture("42", b"\x89PNG\r\n\x1a\nbroken").status_code == 400
    (listed,) = _listed(tenant)
    shown = tenant.get(f"/rejections/{listed['rejection_id']}").json()
    assert (shown["item"], shown["raw_base64"]) == (None, "iVBORw0KGgpicm9rZW4=")
    replayed = tenant.client.post(
        f"/uptake/v1/rejections/{listed['rejection_id']}/replay",
        headers={"Authorization": f"Bearer {admin}"},
        content=PNG,
    )
    assert replayed.json()["outcome"] == "accepted"
    assert [image["image_id"] for image in tenant.images("42")] == [1_000_001]


def test_all_of_a_filter_are_replayed_page_after_page(tenant: Tenant, admin: str) -> None:
    """Those that pass now are resolved, the others stay."""
    tenant.type("mood", MOOD)
    for mood in ("good", "bad", 7.5):
        tenant.document("42", {"mood": mood})
    tenant.document("43", {})
    _mend(tenant, {**MOOD, "properties": {"mood": {}}})
    outcomes: list[str] = []
    requests: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = tenant.client.post(
            "/uptake/v1/rejections/replay",
            params={"format": "thymia", "limit": 3, **cursor},
            headers={"Authorization": f"Bearer {admin}"},
        ).json()
        outcomes += [replay["outcome"] for replay in page["replays"]]
        requests += [replay["request_id"] for replay in page["replays"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert outcomes == ["accepted", "accepted", "accepted", "refused"]
    assert tenant.user("42")["documents"] == 3
    assert [listed["user_id"] for listed in _listed(tenant, resolved=False)] == ["43"]
    assert len(_listed(tenant, resolved=True)) == 3
    assert requests[0] == requests[2] != requests[3]
    receipt = tenant.get(f"/requests/{requests[0]}").json()["submissions"]
    assert [result["accepted"] for result in receipt] == [1, 1, 1]


def test_rejections_are_filtered(tenant: Tenant) -> None:
    """By endpoint, code, user, key, request and time; pages go on where they ended."""
    tenant.steps("42", sample(0, value=0), sample(1, unit="x"), sample(2))
    tenant.steps("43", sample(0), sample(1, value=99_999), sample(2))
    answer = tenant.profiles(["user_id"], [""])
    assert len(_listed(tenant)) == 4
    assert len(_listed(tenant, limit=1)) == 4
    assert [listed["user_id"] for listed in _listed(tenant, user="43")] == ["43"]
    assert [listed["index"] for listed in _listed(tenant, code="unknown_unit")] == [1]
    assert len(_listed(tenant, format="gerosense-v2.2")) == 3
    assert len(_listed(tenant, request=answer.headers["x-request-id"])) == 1
    assert len({listed["key_id"] for listed in _listed(tenant)}) == 1
    assert len(_listed(tenant, key=_listed(tenant)[0]["key_id"])) == 4
    assert _listed(tenant, key="nobody") == []
    assert _listed(tenant, **PAST) == []
    assert len(_listed(tenant, **{"from": PAST["from"]})) == 4


def test_a_receipt_shows_what_the_answers_have_no_room_for(tenant: Tenant) -> None:
    """Of endpoints 1 to 3: which items, and whether they stood there before."""
    tenant.type("mood")
    one = tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"})
    two = tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"})
    upload_id = one.json()["uploadId"]
    result = _receipt(tenant, one)
    assert (result["format"], result["user_id"], result["accepted"], result["rejected"]) == (
        "thymia",
        "42",
        1,
        [],
    )
    document = {"kind": "document", "count": 1, "upload_id": upload_id}
    assert result["items"] == [document | {"replayed": False}]
    assert _receipt(tenant, two)["items"] == [document | {"replayed": True}]
    picture = tenant.picture("42", PNG)
    image_id = picture.json()["response"]["imageID"]
    assert _receipt(tenant, picture)["items"] == [
        {"kind": "image", "count": 1, "image_id": image_id, "replayed": False}
    ]
    rows = tenant.profiles(["user_id", "plan"], ["42", "pro"], ["43", "free"], ["42", "free"])
    result = _receipt(tenant, rows)
    assert (result["accepted"], result["user_id"]) == (3, None)
    assert result["items"] == [{"kind": "attributes", "count": 3}]


def test_a_receipt_shows_of_every_sample(tenant: Tenant) -> None:
    """Repeats within the batch are accepted, the rejected ones are reported with their reasons."""
    sent = tenant.steps("42", sample(0), sample(0), sample(1, value=0), sample(2, unit="x"))
    result = _receipt(tenant, sent)
    assert (result["accepted"], result["items"]) == (2, [{"kind": "samples", "count": 2}])
    assert [
        (rejected["index"], rejected["faults"][0]["code"]) for rejected in result["rejected"]
    ] == [
        (2, "not_positive"),
        (3, "unknown_unit"),
    ]


def test_a_key_used_again_for_another_document_is_reported(tenant: Tenant) -> None:
    """The conflict is found when it is written, and is in the receipt all the same."""
    tenant.type("mood")
    tenant.document("42", {"mood": 7}, **{"Idempotency-Key": "k"})
    rejected = tenant.document("42", {"mood": 8}, **{"Idempotency-Key": "k"})
    result = _receipt(tenant, rejected)
    assert (result["accepted"], result["items"]) == (0, [])
    (rejection,) = result["rejected"]
    assert rejection["faults"][0]["code"] == "idempotency_key_reused"


def test_requests_with_one_id_are_distinguished(tenant: Tenant) -> None:
    """Their sender gave it to both, so both are reported."""
    name = str(uuid4())
    tenant.type("mood")
    for mood in (1, 2):
        tenant.document("42", {"mood": mood}, **{"X-Request-Id": name})
    result = tenant.get(f"/requests/{name}").json()
    assert [submission["accepted"] for submission in result["submissions"]] == [1, 1]


def test_a_bound_key_sees_what_is_its_users(tenant: Tenant) -> None:
    """No rejections of other users, and none without a known user."""
    tenant.steps("42", sample(0, value=0), sample(1), sample(2))
    other = tenant.steps("43", sample(0, value=0), sample(1), sample(2))
    tenant.profiles(["user_id"], [""])
    bound = tenant.key("data:read", user="42")
    listed = tenant.get("/rejections", bound).json()["rejections"]
    assert [shown["user_id"] for shown in listed] == ["42"]
    assert tenant.get("/rejections", bound, params={"user": "43"}).status_code == 403
    foreign = tenant.get("/rejections", params={"user": "43"}).json()["rejections"][0]
    assert tenant.get(f"/rejections/{foreign['rejection_id']}", bound).status_code == 403
    path = f"/requests/{other.headers['x-request-id']}"
    assert tenant.get(path, bound).status_code == 403


def test_a_receipt_is_the_same_after_it_was_folded(tenant: Tenant) -> None:
    """With an id of the server or of the client; erasing the user deletes it."""
    tenant.type("mood")
    sent = tenant.steps("42", sample(0), sample(1), sample(2, value=-5))
    chosen = tenant.document("42", {"mood": 1}, **{"X-Request-Id": uuid4().hex})
    before = [_receipt(tenant, answer) for answer in (sent, chosen)]
    assert [one["user_id"] for one in before] == ["42", "42"]
    tomorrow = clock.now() + MICROSECONDS_PER_DAY
    assert tenant.store.fold_receipts(tenant.project, tomorrow) >= 2
    assert [_receipt(tenant, answer) for answer in (sent, chosen)] == before
    tenant.store.erase(tenant.project, "42", str(uuid4()), clock.now())
    for answer in (sent, chosen):
        assert tenant.get(f"/requests/{answer.headers['x-request-id']}").status_code == 404


@pytest.mark.parametrize("path", ["/rejections/nothing", f"/rejections/{NOBODYS}", "/requests/x"])
def test_what_is_not_there_is_not_found(tenant: Tenant, path: str) -> None:
    """Ids of the wrong form too."""
    assert tenant.get(path).status_code == 404


def test_replaying_asks_for_an_administrators_key(tenant: Tenant) -> None:
    """A key that may read, or send, may not."""
    tenant.steps("42", sample(0, value=0), sample(1), sample(2))
    (listed,) = _listed(tenant)
    assert _replay(tenant, tenant.secret, listed["rejection_id"]).status_code == 403


def test_another_project_sees_nothing(tenant: Tenant) -> None:
    """Neither rejections nor receipts."""
    stranger = new_tenant(tenant.client, tenant.store)
    sent = tenant.steps("42", sample(0, value=0), sample(1), sample(2))
    (listed,) = _listed(tenant)
    assert _listed(stranger) == []
    assert stranger.get(f"/rejections/{listed['rejection_id']}").status_code == 404
    assert stranger.get(f"/requests/{sent.headers['x-request-id']}").status_code == 404
