"""Accepted items reach the receiver of a relay: all of them, in the order of each user."""

from typing import Any

import httpx2

from contract.pictures import PNG
from contract.tenant import Tenant, sample
from uptake.model import clock

from .receiver import KEY, Received, Receiver, Reply, accept, relay_to, wait_until

FEW = {"device_name": ""}


def api(tenant: Tenant, method: str, path: str, secret: str) -> httpx2.Response:
    """Call an operation on relays."""
    headers = {"Authorization": f"Bearer {secret}"}
    return tenant.client.request(method, f"/uptake/v1/relays{path}", headers=headers)


def shown(tenant: Tenant, secret: str) -> dict[str, Any]:
    """The only relay of the project."""
    (found,) = api(tenant, "GET", "", secret).json()["relays"]
    return dict(found)


def sent(tenant: Tenant, *users: str, value: int = 1, count: int = 3) -> None:
    """Upload samples of users, with this value and those after it, each at another time."""
    for user_id in users:
        some = (sample(value + i, value=value + i) for i in range(count))
        assert tenant.steps(user_id, *some).status_code == 200


def register(tenant: Tenant, user_id: str, year: int, key: str = "", version: str = "v2.2") -> None:
    """Register a user."""
    body = {"id": user_id, "biological_sex": "Female", "year_of_birth": year}
    headers = {"Authorization": f"Bearer {key or tenant.secret}"}
    answer = tenant.client.post(f"/api/{version}/user", json=body, headers=headers)
    assert answer.status_code == 200, answer.text


def drained(tenant: Tenant) -> None:
    """Wait until nothing is left to send."""
    wait_until(lambda: not any(_pending(tenant)))


def _pending(tenant: Tenant) -> list[int]:
    store = tenant.store
    return [store.outbox_state(one).pending for one in store.relays(tenant.project)]


def test_every_kind_of_item_is_sent_on(tenant: Tenant, receiver: Receiver) -> None:
    """With the receiver's key, and without what a server must not give away."""
    for form in ("gerosense-v2.2", "ptengine", "questionpro"):
        relay_to(receiver, tenant, form)
    relay_to(receiver, tenant, "thymia", "mood")
    sent(tenant, "7")
    tenant.type("other")
    upload_id = tenant.document("7", {"mood": 3}).json()["uploadId"]
    other = {"user": {"userLabel": "7"}, "data": {}}
    key = {"x-api-key": tenant.secret}
    assert tenant.client.post("/v1/user-data/other", json=other, headers=key).status_code == 200
    tenant.profiles(["city", "user_id"], ["Paris", "7"], ["Rome", "8"], ["Oslo", "7"])
    tenant.picture("7", PNG)
    drained(tenant)
    found = {one.path.partition("?")[0]: one for one in receiver.accepted}
    assert found.keys() == {
        "/api/v2.2/samples",
        "/v1/user-data/mood",
        "/v1/user/profiles",
        "/a/api/v2/users/7/images",
    }
    samples = found["/api/v2.2/samples"]
    assert samples.headers["authorization"] == f"Bearer {KEY}"
    assert (samples.json["user_id"], samples.json["data_type"]) == ("7", "steps")
    assert samples.json["data"] == [sample(i, value=i) for i in range(1, 4)]
    document = found["/v1/user-data/mood"]
    assert (document.headers["x-api-key"], document.headers["idempotency-key"]) == (KEY, upload_id)
    assert document.json == {"user": {"userLabel": "7"}, "data": {"mood": 3}}
    profiles = [one.json for one in receiver.accepted if one.path == "/v1/user/profiles"]
    rows = [row for one in profiles for row in one["values"]]
    assert sorted(rows) == [["7", "Oslo"], ["8", "Rome"]]
    assert PNG in found["/a/api/v2/users/7/images"].body


def test_samples_of_a_bound_key_are_sent_with_their_user(
    tenant: Tenant, receiver: Receiver
) -> None:
    """The accepted ones only; too few for a request are repeated in it."""
    relay_to(receiver, tenant)
    bound = {"Authorization": f"Bearer {tenant.key('samples:write', user='42')}"}
    body = {"data_type": "bpm", "data": [sample(0, unit="count/min"), FEW, FEW]}
    answer = tenant.client.post("/api/v1.1/samples", json=body, headers=bound)
    assert answer.status_code == 207
    drained(tenant)
    (received,) = receiver.accepted
    assert received.json["user_id"] == "42"
    assert received.json["data"] == [sample(0, unit="count/min")] * 3


def test_users_are_registered_before_their_samples(tenant: Tenant, receiver: Receiver) -> None:
    """In the order received, at both versions; a rejected registration is dead, with its reason."""
    admin = tenant.key("admin")

    def answer(one: Received) -> Reply:
        if one.path == "/api/v2.2/user" and one.json["id"] == "8":
            return 400, {"message": "no such country"}, {}
        if one.path == "/api/v2.2/user" and one.json["year_of_birth"] == 1970:
            return 409, {"message": "registered already"}, {}
        return accept(one)

    receiver.answer = answer
    relay = relay_to(receiver, tenant, "gerosense-v2.2", "steps")
    tenant.store.pause_relay(tenant.project, relay.name, clock.now(), "")
    for first, year in ((1, 1985), (11, 1970)):
        sent(tenant, "7", value=first)
        register(tenant, "7", year)
    register(tenant, "8", 1990)
    sent(tenant, "8")
    register(tenant, "42", 2000, key=tenant.key("samples:write", user="42"), version="v1.1")
    tenant.store.resume_relay(tenant.project, relay.name)
    drained(tenant)
    found = {
        user: [one.json for one in receiver.requests if user in one.json.values()] for user in "78"
    }
    assert [one.get("year_of_birth") for one in found["7"]] == [None, 1985, None, 1970]
    assert found["7"][1] == {"id": "7", "biological_sex": "Female", "year_of_birth": 1985}
    assert [one.get("year_of_birth") for one in found["8"]] == [1990, None]
    assert {"id": "42", "biological_sex": "Female", "year_of_birth": 2000} in [
        one.json for one in receiver.accepted
    ]
    (dead,) = api(tenant, "GET", "/gerosense-v2.2/outbox?state=dead", admin).json()["entries"]
    assert (dead["user_id"], dead["kind"]) == ("8", "attributes")
    assert "no such country" in dead["reason"]
    receiver.answer = accept
    assert api(tenant, "POST", "/gerosense-v2.2/retry", admin).status_code == 200
    drained(tenant)
    assert receiver.accepted[-1].json == {
        "id": "8",
        "biological_sex": "Female",
        "year_of_birth": 1990,
    }


def test_rejected_items_are_dead_and_stop_nothing(tenant: Tenant, receiver: Receiver) -> None:
    """With the reason of the receiver, until an operator has them sent again."""
    admin = tenant.key("admin")

    def picky(one: Received) -> Reply:
        bad = [place for place, value in enumerate(one.values) if value == 2]
        fault = {"field": "value", "code": "odd", "message": "2 is not welcome"}
        errors = [{"index": place, **fault} for place in bad]
        accepted = len(one.values) - len(bad)
        return (
            207 if bad else 200,
            {"accepted": accepted, "rejected": len(bad), "errors": errors},
            {},
        )

    receiver.answer = picky
    relay_to(receiver, tenant)
    sent(tenant, "7", "8")
    sent(tenant, "7", value=11)
    drained(tenant)
    sent(tenant, "7", value=21)
    drained(tenant)
    assert 21 in receiver.values_of("7")
    page = api(tenant, "GET", "/gerosense-v2.2/outbox?state=dead&limit=1", admin).json()
    (dead,) = page["entries"]
    assert dead | {"received_at": ""} == {
        "user_id": "7",
        "kind": "samples",
        "type": "steps",
        "count": 1,
        "state": "dead",
        "received_at": "",
        "attempts": 0,
        "next_attempt": None,
        "reason": "value: 2 is not welcome",
    }
    rest = api(tenant, "GET", f"/gerosense-v2.2/outbox?state=dead&cursor={page['next']}", admin)
    assert [one["user_id"] for one in rest.json()["entries"]] == ["8"]
    assert shown(tenant, admin)["dead"] == 2
    receiver.answer = accept
    before = len(receiver.accepted)
    assert api(tenant, "POST", "/gerosense-v2.2/retry", admin).status_code == 200
    drained(tenant)
    assert sorted(one.json["user_id"] for one in receiver.accepted[before:]) == ["7", "8"]
    assert [one.values for one in receiver.accepted[before:]] == [[2, 2, 2]] * 2
    assert shown(tenant, admin)["dead"] == 0


def test_a_wrong_key_pauses_the_relay_and_loses_nothing(tenant: Tenant, receiver: Receiver) -> None:
    """The reason is shown, and the key nowhere."""
    admin = tenant.key("admin")
    receiver.answer = lambda _: (401, {"message": f"unknown key {KEY}"}, {})
    relay_to(receiver, tenant)
    sent(tenant, "7")
    paused = wait_until(lambda: (one := shown(tenant, admin))["paused_at"] and one)
    expected = f"{receiver.url} rejects the key (401): unknown key [key]"
    assert (paused["reason"], paused["pending"], paused["dead"]) == (expected, 1, 0)
    tries = len(receiver.requests)
    receiver.answer = accept
    sent(tenant, "7", value=11)
    for method, path in (("GET", ""), ("GET", "/gerosense-v2.2/outbox"), ("POST", "/x/resume")):
        assert KEY not in api(tenant, method, path, admin).text
    assert len(receiver.requests) == tries
    resumed = api(tenant, "POST", "/gerosense-v2.2/resume", admin).json()
    assert (resumed["paused_at"], resumed["reason"]) == (None, "")
    drained(tenant)
    assert receiver.values_of("7") == [1, 2, 3, 11, 12, 13]
    audit = tenant.get("/audit", admin).text
    assert "relay.resume" in audit
    assert KEY not in audit


def test_failures_are_retried_in_the_order_of_each_user(tenant: Tenant, receiver: Receiver) -> None:
    """500, 503, 429, a closed connection, an answer that is none; later samples wait for them."""
    faults: list[Reply | None] = [
        (500, {"message": "broken"}, {}),
        (429, {"message": "slow down"}, {"Retry-After": "1"}),
        None,
        (503, {"message": "overloaded"}, {"Retry-After": "1"}),
        (200, "no outcome", {}),
    ]

    def faulty(one: Received) -> Reply | None:
        return faults.pop(0) if faults else accept(one)

    receiver.answer = faulty
    relay_to(receiver, tenant)
    users = [str(number) for number in range(1, 6)]
    for value in (1, 11, 21):
        sent(tenant, *users, value=value)
    drained(tenant)
    assert faults == []
    for user_id in users:
        # What was received without a proper answer is received again.
        values = list(dict.fromkeys(receiver.values_of(user_id)))
        assert values == [1, 2, 3, 11, 12, 13, 21, 22, 23]


def test_an_erased_user_is_not_sent_on(tenant: Tenant, receiver: Receiver) -> None:
    """Whatever waits in the outbox. Deleted documents and samples are not either."""
    eraser = tenant.key("data:erase", "admin")
    documents = relay_to(receiver, tenant, "thymia", paused_at=clock.now())
    samples = relay_to(receiver, tenant, paused_at=clock.now())
    sent(tenant, "7", "8", "9")
    for user_id in ("7", "8"):
        upload_id = tenant.document(user_id, {}).json()["uploadId"]
    headers = {"Authorization": f"Bearer {eraser}"}
    for path in (
        "/users/7",
        f"/documents/{upload_id}",
        "/users/8/samples?metric=steps&from=2023-11-01&to=2023-11-01T00:02Z",
    ):
        answer = tenant.client.delete(f"/uptake/v1{path}", headers=headers)
        assert answer.status_code in {200, 204}, answer.text
    left = tenant.store.list_outbox(samples, ("", -1), 9, dead=False)
    assert [(one.user_id, one.count) for one in left] == [("8", 2), ("9", 3)]
    for relay in (documents, samples):
        api(tenant, "POST", f"/{relay.name}/resume", eraser)
    drained(tenant)
    found = sorted((one.json["user_id"], one.values) for one in receiver.requests)
    assert found == [("8", [2, 3, 2]), ("9", [1, 2, 3])]


def test_only_the_admin_of_a_project_manages_its_relays(tenant: Tenant, receiver: Receiver) -> None:
    """Names that no relay has are 404; a paused relay sends nothing."""
    admin, reader = tenant.key("admin"), tenant.key("data:read")
    relay_to(receiver, tenant)
    for method, path in (("GET", ""), ("POST", "/gerosense-v2.2/pause")):
        assert api(tenant, method, path, reader).status_code == 403
    for path in ("/unknown", "/a%00b", "/" + "x" * 300):
        assert api(tenant, "POST", f"{path}/pause", admin).status_code == 404
        assert api(tenant, "GET", f"{path}/outbox", admin).status_code == 404
    assert api(tenant, "GET", "/gerosense-v2.2/outbox?state=lost", admin).status_code == 400
    assert api(tenant, "POST", "/gerosense-v2.2/pause", admin).json()["paused_at"] is not None
    sent(tenant, "7")
    page = api(tenant, "GET", "/gerosense-v2.2/outbox", admin).json()
    assert [(one["user_id"], one["state"]) for one in page["entries"]] == [("7", "pending")]
    assert receiver.requests == []
