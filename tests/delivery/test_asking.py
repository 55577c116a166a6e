"""Requests for results of a vendor go to the vendor of a relay."""

import httpx2

from contract.tenant import Tenant
from uptake.model import clock

from .receiver import KEY, Receiver, relay_to

AGE = {"user_id": "42", "device_name": "iphone", "model_type": "steps", "bioage": []}
DATES = "device_name=iphone&from_date=2023-11-01&model_type=steps"


def call(tenant: Tenant, method: str, path: str, key: str, **options: object) -> httpx2.Response:
    """A request of Gerosense's client."""
    headers = {"Authorization": f"Bearer {key}"}
    return tenant.client.request(method, f"/api{path}", headers=headers, **options)  # type: ignore[arg-type]


def test_the_vendor_of_a_relay_is_asked_for_results(tenant: Tenant, receiver: Receiver) -> None:
    """With the user in place and the key of the relay; its answer is returned as it is."""
    receiver.answer = lambda _: (200, AGE, {})
    relay_to(receiver, tenant)
    bound = tenant.key("samples:write", user="42")
    answers = [
        call(tenant, "GET", f"/v1.1/bioage?{DATES}&user_id=43", bound),
        call(tenant, "GET", f"/v2.2/bioage?user_id=42&{DATES}", tenant.secret),
        call(tenant, "GET", "/v2.2/resilience?user_id=42", tenant.secret),
        call(tenant, "POST", "/v1.1/bioage/calculate", bound),
        call(tenant, "POST", "/v2.2/bioage/calculate", bound, json={"user_id": "42"}),
    ]
    assert [one.json() for one in answers] == [AGE] * 5
    assert [(one.path, one.body) for one in receiver.requests] == [
        (f"/api/v2.2/bioage?{DATES}&user_id=42", b""),
        (f"/api/v2.2/bioage?{DATES}&user_id=42", b""),
        ("/api/v2.2/resilience?user_id=42", b""),
        *[("/api/v2.2/bioage/calculate", b'{"user_id":"42"}')] * 2,
    ]
    assert {one.headers["authorization"] for one in receiver.requests} == {f"Bearer {KEY}"}


def test_what_the_vendor_must_not_be_asked_is_answered_here(
    tenant: Tenant, receiver: Receiver
) -> None:
    """Other users of a bound key are 403, and faults 400."""
    relay_to(receiver, tenant)
    bound = tenant.key("samples:write", user="42")
    assert call(tenant, "GET", "/v2.2/bioage?user_id=43", bound).status_code == 403
    for path, body in (("/bioage", None), ("/bioage/calculate", {"user_id": 4})):
        method = "GET" if body is None else "POST"
        answer = call(tenant, method, f"/v2.2{path}", tenant.secret, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert receiver.requests == []


def test_failures_of_the_vendor_are_503_and_its_rejections_returned(
    tenant: Tenant, receiver: Receiver
) -> None:
    """A wrong key of the relay is no fault of the client. A paused relay is none."""
    relay_to(receiver, tenant)
    path = "/v2.2/bioage?user_id=42"
    for status in (401, 500, 302):
        receiver.answer = lambda _, status=status: (status, {"message": KEY}, {})  # type: ignore[misc]
        answer = call(tenant, "GET", path, tenant.secret)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert KEY not in answer.text
    receiver.answer = lambda _: None
    assert call(tenant, "GET", path, tenant.secret).status_code == 503
    receiver.answer = lambda _: (404, {"message": "not calculated"}, {})
    answer = call(tenant, "GET", path, tenant.secret)
    assert (answer.status_code, answer.json()) == (404, {"message": "not calculated"})


def test_without_an_active_relay_nothing_is_calculated(tenant: Tenant, receiver: Receiver) -> None:
    """Whatever else is wrong with the request."""
    relay_to(receiver, tenant, "ptengine")
    relay_to(receiver, tenant, paused_at=clock.now())
    for method, path in (("GET", "/v2.2/bioage"), ("POST", "/v2.2/bioage/calculate")):
        answer = call(tenant, method, path, tenant.secret)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_calculated")
    assert receiver.requests == []
