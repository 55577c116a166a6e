"""Maintenance mode: uploads are answered with 503 on every node, and clients can see it before."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contract.tenant import TURNS, Tenant
from contract.uploads import UPLOADS
from deployments import Deployment
from uptake.http.modes import LOOK_SECONDS, RETRY_SECONDS

OK = {"status": "Ok", "minimal_api_version": "v1.0"}
PAUSED = {"status": "Maintenance", "minimal_api_version": "v1.0"}
PATIENCE_SECONDS = 20.0


def _status(tenant: Tenant) -> object:
    return tenant.client.get("/api/status").json()


def _everywhere(tenant: Tenant, expected: object) -> Callable[[], bool]:
    return lambda: all(_status(tenant) == expected for _ in range(TURNS))


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def _paused(deployment: Deployment, tenant: Tenant) -> Iterator[None]:
    """Maintenance mode is on on every node during the block."""
    since = deployment.command("maintenance", "on")["since"]
    assert deployment.command("maintenance", "show") == {"maintenance": True, "since": since}
    try:
        _wait_for(_everywhere(tenant, PAUSED))
        yield
    finally:
        assert deployment.command("maintenance", "off") == {"maintenance": False, "since": None}
        _wait_for(_everywhere(tenant, OK))


def test_uploads_are_503_in_each_vendors_form_and_accepted_afterwards(
    deployment: Deployment, tenant: Tenant
) -> None:
    """With `Retry-After`, after the key is checked and before the body is read. Reads go on."""
    with _paused(deployment, tenant):
        for upload in UPLOADS:
            answer = upload.send(tenant, upload.key(tenant))
            upload.check(503, answer)
            assert answer.headers["retry-after"] == str(RETRY_SECONDS)
            upload.check(401, upload.send(tenant, "up_" + "x" * 32))
            upload.check(503, upload.send(tenant, upload.key(tenant), b"?"))
        assert tenant.get("/users/42").status_code == 404
        assert tenant.client.get("/health/ready").status_code == 200
    for upload in UPLOADS:
        assert upload.send(tenant, upload.key(tenant)).status_code == 200


def test_the_status_needs_no_key_and_is_not_cached_for_long(tenant: Tenant) -> None:
    """With a key of any kind too; HEAD and OPTIONS as everywhere. A node looks each second."""
    assert LOOK_SECONDS <= 2
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}):
        answer = tenant.client.get("/api/status", headers=headers)
        assert (answer.status_code, answer.json()) == (200, OK)
        assert answer.headers["x-request-id"]
    head = tenant.client.head("/api/status")
    assert (head.status_code, head.content) == (200, b"")
    assert tenant.client.options("/api/status").headers["allow"] == "GET, HEAD, OPTIONS"
    assert tenant.client.post("/api/status").status_code == 405
