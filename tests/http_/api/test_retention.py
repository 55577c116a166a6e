"""Data goes when its project's rules state so, and not before."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from contract.tenant import EVERYTHING, Tenant, new_tenant
from uptake.model import clock
from uptake.settings import Settings
from uptake.store.definitions import RetentionRule
from uptake.store.records import Entry
from uptake.testing.live import LiveServer, serving
from uptake.testing.store.making import document
from uptake.time_units import MICROSECONDS_PER_DAY
from uptake.wiring import open_store


@pytest.fixture
def admin(tenant: Tenant) -> str:
    """A key that may administer the project."""
    return tenant.key(*EVERYTHING, "admin")


def _send(tenant: Tenant, method: str, path: str, key: str, rules: Any = None) -> httpx2.Response:
    return tenant.client.request(
        method,
        f"/uptake/v1{path}",
        headers={"Authorization": f"Bearer {key}"},
        json=None if rules is None else {"rules": rules},
    )


def _keep(tenant: Tenant, name: str, days_ago: int) -> None:
    received_at = clock.now() - days_ago * MICROSECONDS_PER_DAY
    tenant.store.commit([Entry(tenant.project, name, received_at, (document("42", name),))])


def test_rules_are_put_and_reported(tenant: Tenant, admin: str) -> None:
    """In place of those before; without any, everything is stored."""
    assert _send(tenant, "GET", "/retention", admin).json() == {"rules": []}
    rules = [
        {"kind": "rejections", "days": 30, "type": ""},
        {"kind": "samples", "days": 365, "type": "bpm"},
    ]
    assert _send(tenant, "PUT", "/retention", admin, rules).status_code == 200
    assert _send(tenant, "GET", "/retention", admin).json() == {"rules": rules}


@pytest.mark.parametrize(
    "rules",
    [
        [{"kind": "cats", "days": 1}],
        [{"kind": "images", "days": 0}],
        [{"kind": "images", "days": 36_501}],
        [{"kind": "images", "days": 1, "type": "png"}],
        [{"kind": "samples", "days": 1, "type": "walks"}],
        [{"kind": "images", "days": 1}, {"kind": "images", "days": 2}],
        [{"kind": "documents", "days": 1, "type": "\0"}],
    ],
)
def test_what_is_no_rule_is_rejected(tenant: Tenant, admin: str, rules: Any) -> None:
    """And the rules before stay."""
    assert _send(tenant, "PUT", "/retention", admin, rules).status_code == 400
    assert _send(tenant, "GET", "/retention", admin).json() == {"rules": []}


def test_rules_ask_for_an_administrators_key(tenant: Tenant) -> None:
    """Reading and writing data is not enough."""
    for method, path in (("GET", "/retention"), ("PUT", "/retention")):
        assert _send(tenant, method, path, tenant.secret, []).status_code == 403


def test_a_preview_takes_nothing_away(tenant: Tenant, admin: str) -> None:
    """It counts what is older than each rule permits."""
    for name, days in (("a", 400), ("b", 40), ("c", 0)):
        _keep(tenant, f"{tenant.project} {name}", days)
    rules = [
        {"kind": "documents", "days": 30},
        {"kind": "documents", "days": 365, "type": "visit"},
        {"kind": "documents", "days": 30, "type": "diary"},
    ]
    preview = _send(tenant, "POST", "/retention/preview", admin, rules).json()
    assert [rule["due"] for rule in preview["rules"]] == [2, 1, 0]
    assert tenant.user("42")["documents"] == 3


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that starts with rules and with data older than they permit."""
    data_dir = tmp_path_factory.mktemp("aged") / "data"
    data_dir.mkdir()
    store = open_store(Settings(data_dir=data_dir), make=True)
    store.put_retention("default", [RetentionRule("documents", 30)])
    now = clock.now()
    for name, days in (("old", 31), ("young", 29)):
        store.commit(
            [Entry("default", name, now - days * MICROSECONDS_PER_DAY, (document("42", name),))]
        )
    store.close()
    with serving(data_dir, "--workers", "2") as server:
        yield server


def test_a_server_applies_the_rules(aged: LiveServer) -> None:
    """By itself, soon after its start, in one of its processes."""
    store = open_store(Settings(data_dir=aged.data_dir))
    with httpx2.Client(base_url=aged.url) as client:
        tenant = new_tenant(client, store)
        until = time.monotonic() + 20
        while store.document("default", "old") is not None and time.monotonic() < until:
            time.sleep(0.05)
    assert tenant.store.document("default", "old") is None
    assert store.document("default", "young") is not None
    store.close()
