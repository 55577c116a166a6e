"""`GET /uptake/v1`: the version, the instance and the limits of a server."""

from pathlib import Path
from typing import Any

import httpx2

from backup.filling import fill
from uptake import __version__
from uptake.testing.live import LiveServer, serving


def service(server: LiveServer, key: str) -> Any:
    """The answer to a key."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx2.get(f"{server.url}/uptake/v1", headers=headers)
    assert answer.status_code == 200
    return answer.json()


def test_the_answer_names_the_server_the_project_and_the_limits(live: LiveServer, key: str) -> None:
    """With the limits of the wire contract, for every endpoint."""
    found = service(live, key)
    assert (found["name"], found["version"], found["project"]) == ("uptake", __version__, "default")
    endpoints = {one.pop("name"): one for one in found["endpoints"]}
    samples = {"max_body_bytes": 4_194_304, "min_items": 3, "max_items": 1000}
    assert {name: one["limits"] for name, one in endpoints.items()} == {
        "gerosense-v1.1": samples,
        "gerosense-v2.2": samples,
        "ptengine": {"max_body_bytes": 4_194_304, "max_items": 100, "max_attributes": 49},
        "questionpro": {
            "max_body_bytes": endpoints["questionpro"]["limits"]["max_body_bytes"],
            "max_image_bytes": 20_971_520,
        },
        "thymia": {"max_body_bytes": 4_194_304},
    }
    assert endpoints["gerosense-v2.2"] == {
        "method": "POST",
        "path": "/api/v2.2/samples",
        "scope": "samples:write",
        "limits": samples,
    }


def test_any_valid_key_gets_an_answer(live: LiveServer) -> None:
    """Whatever its scopes or its user; the request does not count against the key's rate."""
    scopes = ["images:write", "samples:write"]
    key = live.create_key(*scopes, user="42", rate="1/2000w")
    for _ in range(3):
        found = service(live, key)
        assert (found["project"], found["scopes"]) == ("default", scopes)
    headers = {"Authorization": "Bearer up_unknown"}
    assert httpx2.get(f"{live.url}/uptake/v1", headers=headers).status_code == 401
    assert httpx2.get(f"{live.url}/uptake/v1").status_code == 401


def test_the_path_has_one_spelling(live: LiveServer, key: str) -> None:
    """A slash at the end is another path."""
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx2.get(f"{live.url}/uptake/v1/", headers=headers).status_code == 404


def test_each_database_has_an_instance_that_a_backup_restores(tmp_path: Path) -> None:
    """It stays after a restart, and differs from that of any other database."""
    with serving(tmp_path / "first") as server:
        fill(server)
        key = server.create_key()
        instance = service(server, key)["instance"]
        assert server.command("backup", str(tmp_path / "monday"))
    with serving(tmp_path / "first") as server:
        assert service(server, key)["instance"] == instance
    restored = LiveServer(tmp_path / "restored")
    assert restored.command("restore", str(tmp_path / "monday"))
    with serving(tmp_path / "restored") as server:
        assert service(server, key)["instance"] == instance
    with serving(tmp_path / "second") as server:
        assert service(server, server.create_key())["instance"] != instance
