"""Every answer of an upload endpoint has a receipt; strangers cannot fill a disk with them."""

import gzip
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.tenant import Tenant, sample
from contract.uploads import UPLOADS, Upload
from deployments import Deployment
from uptake.http.error_receipts import UNKNOWN_PER_WINDOW
from uptake.intake.upkeep import UNAUTHORIZED_RECEIPTS
from uptake.model import clock, ids
from uptake.store.definitions import DEFAULT_PROJECT, Rate
from uptake.store.records import Entry, RequestError
from uptake.testing.live import serving
from uptake.time_units import MICROSECONDS_PER_SECOND

WAIT_SECONDS = 10.0


@pytest.fixture
def default_admin(deployment: Deployment) -> Tenant:
    """Whoever may read the receipts of strangers: an administrator of the default project."""
    admin = Tenant(deployment.client, deployment.store, DEFAULT_PROJECT)
    admin.secret = admin.key("admin", "data:read")
    return admin


def _receipt(tenant: Tenant, answer: httpx2.Response, secret: str = "") -> dict[str, Any]:
    """The only receipt of a request."""
    path = f"/requests/{answer.headers['x-request-id']}"
    ends = time.monotonic() + WAIT_SECONDS
    while (found := tenant.get(path, secret)).status_code == 404 and time.monotonic() < ends:
        time.sleep(0.05)
    (receipt,) = found.json()["submissions"]
    return dict(receipt)


def _of_error(endpoint: str, status: int, code: str, key_id: str) -> dict[str, Any]:
    return {
        "format": endpoint,
        "key_id": key_id,
        "user_id": None,
        "status": status,
        "code": code,
        "accepted": 0,
        "duplicates": 0,
        "items": [],
        "rejected": [],
    }


def _name(upload: Upload) -> str:
    return upload.name.removesuffix("-header")


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_an_upload_without_a_valid_key_has_a_receipt(
    tenant: Tenant, default_admin: Tenant, upload: Upload
) -> None:
    """In the default project, for administrators only: the project is unknown."""
    answer = upload.send(tenant, "up_unknown")
    assert answer.status_code == 401
    receipt = _receipt(default_admin, answer)
    assert receipt.pop("received_at")
    assert receipt == _of_error(_name(upload), 401, "unauthorized", "")
    path = f"/requests/{answer.headers['x-request-id']}"
    assert tenant.get(path).status_code == 404
    assert default_admin.get(path, default_admin.key("data:read")).status_code == 404


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_an_upload_that_a_key_does_not_permit_has_a_receipt(tenant: Tenant, upload: Upload) -> None:
    """In the key's project, with the key's id."""
    secret, key_id = tenant.named_key("data:erase")
    answer = upload.send(tenant, secret)
    assert answer.status_code == 403
    receipt = _receipt(tenant, answer)
    assert receipt.pop("received_at")
    assert receipt == _of_error(_name(upload), 403, "forbidden", key_id)


def test_an_upload_with_an_expired_key_has_a_receipt_with_its_id(tenant: Tenant) -> None:
    """The project is known: it is in that of the key."""
    secret, key_id = tenant.named_key("samples:write", seconds=-1)
    headers = {"Authorization": f"Bearer {secret}"}
    answer = tenant.client.post("/api/v2.2/samples", json={}, headers=headers)
    receipt = _receipt(tenant, answer)
    assert (answer.status_code, receipt["status"], receipt["key_id"]) == (401, 401, key_id)


Options = dict[str, Any]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"content": b"x" * (4 << 20 | 1)}, 413, "too_large"),
        ({"content": gzip.compress(b"x" * (4 << 20 | 1)), "gzip": "gzip"}, 413, "too_large"),
        ({"content": b"{}", "gzip": "br"}, 415, "unsupported_encoding"),
    ],
    ids=["length", "bomb", "encoding"],
)
def test_a_body_that_is_not_read_has_a_receipt(
    tenant: Tenant, options: Options, status: int, code: str
) -> None:
    """With the status that was answered."""
    encoding = options.get("gzip", "identity")
    headers = {"Authorization": f"Bearer {tenant.secret}", "Content-Encoding": encoding}
    answer = tenant.client.post("/v1/user/profiles", content=options["content"], headers=headers)
    receipt = _receipt(tenant, answer)
    assert answer.status_code == receipt["status"] == status
    assert receipt["code"] == code


def test_a_request_over_its_rate_has_a_receipt(tenant: Tenant) -> None:
    """Of a bound key, under its user: who is erased with it."""
    secret = tenant.key("samples:write", "data:read", "data:erase", user="42", rate=Rate(1, 3600))
    headers = {"Authorization": f"Bearer {secret}"}
    body = {"data_type": "steps", "data": [sample(i) for i in range(3)]}
    send: Callable[[], httpx2.Response] = lambda: tenant.client.post(  # noqa: E731
        "/api/v1.1/samples", json=body, headers=headers
    )
    assert send().status_code == 200
    answer = send()
    receipt = _receipt(tenant, answer)
    assert answer.status_code == receipt["status"] == 429
    assert (receipt["code"], receipt["user_id"]) == ("rate_limited", "42")
    eraser = {"Authorization": f"Bearer {tenant.key('data:erase')}"}
    assert tenant.client.delete("/uptake/v1/users/42", headers=eraser).status_code == 200
    assert tenant.get(f"/requests/{answer.headers['x-request-id']}").status_code == 404


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_the_receipt_of_what_was_validated_has_the_status(tenant: Tenant, upload: Upload) -> None:
    """200 for what is accepted, and what the vendor's page states for what is not."""
    secret = tenant.key(upload.scope, user="42" if upload.bound else None)
    for body in (None, b"nonsense"):
        answer = upload.send(tenant, secret, body)
        receipt = _receipt(tenant, answer)
        assert answer.status_code == receipt["status"]
        assert receipt["code"] is None
    part = tenant.steps("42", sample(0), sample(1), sample(2, value=0))
    assert part.status_code == _receipt(tenant, part)["status"] == 207


def test_a_flood_without_a_key_leaves_few_receipts_and_uploads_go_on(tmp_path: Path) -> None:
    """Bounded rate: the rest is counted, not stored."""
    with serving(tmp_path / "data") as server:
        secret, stop = server.create_key(), time.monotonic() + 60
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx2.Client(base_url=server.url) as client, ThreadPoolExecutor(8) as flood:

            def attack(number: int) -> str:
                answer = client.post(
                    "/v1/user/profiles", content=b"x", headers={"X-Request-Id": f"flood-{number}"}
                )
                assert answer.status_code == 401
                return answer.headers["x-request-id"]

            attacks = flood.map(attack, range(2000))
            for number in range(20):
                body = {"field_name": ["user_id", "n"], "values": [["42", number]]}
                assert client.post("/v1/user/profiles", json=body, headers=headers).is_success
            assert len(list(attacks)) == 2000
            assert time.monotonic() < stop
            metrics = client.get("/metrics").text
        server.stop()

        with closing(sqlite3.connect(server.data_dir / "uptake.db")) as database:
            (count,) = database.execute(
                "SELECT count(*) FROM receipts WHERE key_id = ''"
            ).fetchone()
        # The flood may reach into a second minute.
        assert UNKNOWN_PER_WINDOW <= count <= 2 * UNKNOWN_PER_WINDOW
        assert f"uptake_error_receipts_dropped_total {2000 - count:.1f}" in metrics


def test_receipts_of_strangers_go_after_three_days(deployment: Deployment) -> None:
    """Whatever the rules of the default project; the others stay."""
    store, now = deployment.store, clock.now()
    old = now - 4 * 86_400 * MICROSECONDS_PER_SECOND
    made = [
        Entry("default", ids.time_ordered(), moment, error=RequestError(status, code))
        for moment in (old, now)
        for status, code in ((401, "unauthorized"), (403, "forbidden"))
    ]
    store.commit(made)
    before = now - UNAUTHORIZED_RECEIPTS.days * 86_400 * MICROSECONDS_PER_SECOND
    store.expire("default", UNAUTHORIZED_RECEIPTS, before, (), 1000)
    left = [bool(store.receipts("default", entry.request_id)) for entry in made]
    assert left == [False, True, True, True]
