"""The settings and the state of a server, for its operator."""

import httpx2
import pytest

from contract.tenant import Tenant
from uptake.model import clock
from uptake.settings import hide_secrets
from uptake.store.relay_ports import Relay
from uptake.testing.live import LiveServer


def test_an_operator_reads_the_settings_and_the_state(live: LiveServer) -> None:
    """The engine, each setting with its default, and a check of each store."""
    headers = {"Authorization": f"Bearer {live.create_key('operator')}"}
    found = httpx2.get(f"{live.url}/uptake/v1/server", headers=headers).json()
    assert found["database"].startswith("SQLite 3.")
    settings = {one["name"]: one for one in found["settings"]}
    assert settings["data-dir"]["value"] == str(live.data_dir)
    assert settings["answer-seconds"]["default"] == "30"
    checks = {one["name"]: one for one in found["checks"]}
    assert {checks[name]["status"] for name in ("database", "blobs")} == {"ok"}
    assert "are free in" in checks["disk"]["found"]


def test_a_paused_relay_is_a_warning(tenant: Tenant) -> None:
    """With what is to be done."""
    now = clock.now()
    made = Relay("1", tenant.project, "vendor", "thymia", "https://localhost", "", (), now, now)
    tenant.store.add_relay(made)
    found = tenant.get("/server", tenant.key("operator")).json()["checks"]
    assert tenant.store.remove_relay(tenant.project, "vendor")
    name = f"vendor of {tenant.project}"
    (check,) = (one for one in found if one["found"].startswith(name))
    assert check == {
        "name": "relay",
        "status": "warning",
        "found": f"{name}: 0 to send, 0 dead; paused",
        "action": f"uptake relay resume vendor --project {tenant.project}",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:///data/uptake.db", "sqlite:///data/uptake.db"),
        ("postgresql://ada:pass@word@db/data", "postgresql://ada:***@db/data"),
        (
            "postgresql://db/data?password=x&sslmode=off",
            "postgresql://db/data?password=***&sslmode=off",
        ),
        ("s3://bucket?region=a&Secret_Access_Key=b", "s3://bucket?region=a&Secret_Access_Key=***"),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, shown: str) -> None:
    """Neither with a password nor with a parameter that may be secret."""
    assert hide_secrets(url) == shown
