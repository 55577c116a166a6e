"""Webhooks over HTTP and on the command line, on servers over each engine."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.tenant import TURNS, Tenant, sample
from deployments import Deployment
from uptake.store.audit_ports import AuditFilter
from uptake.testing.live import serving

from .event_server import EventServer, Received, event_server

UPLOADS = ("upload.accepted", "upload.rejected")
PROBE = "probe"


@pytest.fixture(scope="module")
def server() -> Iterator[EventServer]:
    """One receiver; each project has a path of its own."""
    with event_server() as running:
        yield running


@dataclass
class Hook:
    """The webhook of a project."""

    deployment: Deployment
    tenant: Tenant
    server: EventServer
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path that events of the project come to."""
        return f"/{self.tenant.project}"

    def command(self, verb: str, *arguments: str) -> Any:
        """Run a command of the project."""
        project = ("--project", self.tenant.project)
        return self.deployment.command("webhooks", verb, *arguments, *project)

    def add(self, *events: str) -> None:
        """Add it on the command line."""
        options = [option for event in events for option in ("--event", event)]
        url = self.server.url + self.path
        self.shown = self.command("add", url, *options, "--allow-private")

    def api(self, method: str, path: str = "", **options: Any) -> httpx2.Response:
        """Call an operation, as an administrator of the project."""
        headers = {"Authorization": f"Bearer {self.tenant.key('admin')}"}
        url = f"/uptake/v1/webhooks{path}"
        return self.tenant.client.request(method, url, headers=headers, **options)

    @property
    def received(self) -> list[Received]:
        """What arrived and was accepted, without the probes, verified."""
        found = [one for one in self.server.at(self.path) if _user(one) != PROBE]
        for one in found:
            one.verify(self.shown["secret"])
        return found

    def wait_until_known(self) -> None:
        """Wait until every process sends events: until each of several uploads in a row has one."""
        sent: list[set[str]] = [set()]

        def all_arrived() -> bool:
            found = (one.event["data"].get("request_id") for one in self.server.at(self.path))
            if sent[-1] and sent[-1] <= set(found):
                return True
            sent.append({self.upload(PROBE) for _ in range(TURNS)})
            return False

        self.server.until(all_arrived, pause=1.0)

    def upload(self, user_id: str) -> str:
        """Upload samples of which one is rejected. Returns the id of the request."""
        some = (sample(0), sample(1), sample(2), sample(3, value=-1))
        answer = self.tenant.steps(user_id, *some)
        assert answer.status_code == 207
        return answer.headers["x-request-id"]


def _user(one: Received) -> Any:
    return one.event["data"].get("user_id")


@pytest.fixture
def hook(deployment: Deployment, tenant: Tenant, server: EventServer) -> Hook:
    """A webhook to add."""
    return Hook(deployment, tenant, server)


def test_uploads_and_erasures_are_sent_in_the_order_of_each_user(hook: Hook) -> None:
    """On every node, signed, with counts and codes and without values."""
    hook.add(*UPLOADS, "user.erased")
    hook.wait_until_known()
    requests = [hook.upload(user) for user in ("7", "8", "7")]
    hook.server.until(lambda: len(hook.received) == 6)
    of_user = [one.event for one in hook.received if _user(one) == "7"]
    assert [one["data"]["request_id"] for one in of_user] == [requests[0]] * 2 + [requests[2]] * 2
    accepted, rejected = of_user[:2]
    assert accepted["type"] == "upload.accepted"
    assert accepted["data"] == {
        "user_id": "7",
        "request_id": requests[0],
        "format": "gerosense-v2.2",
        "samples": 3,
    }
    assert rejected["type"] == "upload.rejected"
    assert rejected["data"]["codes"] == ["not_positive"]
    eraser = {"Authorization": f"Bearer {hook.tenant.key('data:erase')}"}
    erased = hook.tenant.client.delete("/uptake/v1/users/7", headers=eraser).json()
    hook.server.until(lambda: len(hook.received) == 7)
    assert hook.received[-1].event["data"] == {"user_id": "7", "erasure_id": erased["erasure_id"]}
    assert hook.shown["secret"] not in hook.deployment.log


@pytest.mark.parametrize("deployment", ["on_sqlite"], indirect=True)
def test_the_command_line_and_the_api_manage_webhooks(hook: Hook) -> None:
    """Both show the same, and the secret once."""
    hook.add("user.erased")
    shown = dict(hook.shown)
    secret = shown.pop("secret")
    assert secret.startswith("whsec_")
    assert hook.command("list")["webhooks"] == [shown]
    assert hook.api("GET").json() == {"webhooks": [shown], "next": None}
    assert hook.api("GET", f"/{shown['id']}").json() == shown
    rotated = hook.command("rotate", shown["id"], "--overlap", "1h")
    assert rotated["secret"] != secret
    assert rotated["old_secret_ends_at"] is not None
    again = hook.api("POST", f"/{shown['id']}/rotate", json={"overlap": "0s"}).json()
    assert again["old_secret_ends_at"] is None
    hook.shown["secret"] = again["secret"]
    tried = hook.command("test", shown["id"])
    assert (tried["delivered"], tried["status"], tried["reason"]) == (True, 204, "")
    assert hook.api("POST", f"/{shown['id']}/test").json()["status"] == 204
    assert [one.event["type"] for one in hook.received] == ["webhook.test"] * 2
    assert hook.command("failed", shown["id"]) == {"events": [], "next": None}
    assert hook.api("GET", f"/{shown['id']}/failed").json() == {"events": [], "next": None}
    assert hook.command("redeliver", shown["id"]) == {"id": shown["id"], "events": 0}
    assert hook.api("POST", f"/{shown['id']}/redeliver").json() == {"events": 0}
    unknown = hook.api("POST", f"/{shown['id']}/redeliver", json={"events": ["msg_1"]})
    assert unknown.status_code == 404
    assert hook.api("DELETE", f"/{shown['id']}").status_code == 204
    assert hook.api("GET", f"/{shown['id']}").status_code == 404
    log = hook.deployment.store.audit_entries(AuditFilter(hook.tenant.project), 1 << 62, 100)
    actions = [one.action for one in reversed(log) if one.action.startswith("webhook.")]
    steps = ("add", "rotate", "rotate", "redeliver", "redeliver", "remove")
    assert actions == [f"webhook.{step}" for step in steps]
    assert secret not in repr(log)


def test_a_webhook_that_cannot_be_is_rejected(hook: Hook) -> None:
    """With the property and the reason; a private address needs the scope `operator`."""
    url = "https://receiver.example/"
    for body, reason in (
        ({"url": url, "events": []}, "events: must not be empty"),
        ({"url": url, "events": ["user.born"]}, "events: must be among upload.accepted"),
        ({"url": "https://10.0.0.1/", "events": ["user.erased"]}, "url: 10.0.0.1 is not a public"),
        ({"url": "http://receiver.example/", "events": ["user.erased"]}, "url: must be a URL"),
        (
            {"url": url, "events": ["user.erased"], "segments": ["a"]},
            "segments: must be used with the event",
        ),
        (
            {"url": url, "events": ["segment.left"], "segments": ["a/b"]},
            "segments: 'a/b' is not the name",
        ),
    ):
        answer = hook.api("POST", json=body)
        assert (answer.status_code, answer.json()["detail"][: len(reason)]) == (400, reason)
    private = {"url": hook.server.url, "events": ["user.erased"], "allow_private": True}
    assert hook.api("POST", json=private).status_code == 403
    headers = {"Authorization": f"Bearer {hook.tenant.key('admin', 'operator')}"}
    answer = hook.tenant.client.post("/uptake/v1/webhooks", json=private, headers=headers)
    assert answer.status_code == 200
    for _ in range(19):
        assert hook.api("POST", json={"url": url, "events": ["user.erased"]}).status_code == 200
    answer = hook.api("POST", json={"url": url, "events": ["user.erased"]})
    assert answer.json()["detail"] == "the project has 20 webhooks, which is the maximum"
    for one in hook.deployment.store.webhooks(hook.tenant.project):
        hook.deployment.store.remove_webhook(hook.tenant.project, one.id)


def test_a_server_that_is_killed_after_sending_sends_the_same_event_again(tmp_path: Path) -> None:
    """Before it has recorded the answer: the event arrives again, with the same id."""
    with event_server() as server, serving(tmp_path / "data", "--workers", "1") as live:
        live.command(
            *("webhooks", "add", server.url + "/", "--event", "user.erased", "--allow-private")
        )
        process = live.process
        assert process is not None

        def kill(_: Received) -> int:
            server.answer = lambda _: 204
            os.killpg(process.pid, signal.SIGKILL)
            return 204

        server.answer = kill
        headers = {"Authorization": f"Bearer {live.create_key('data:erase')}"}
        with suppress(httpx2.TransportError):
            httpx2.delete(f"{live.url}/uptake/v1/users/7", headers=headers)
        server.wait_for("/", 1)
        process.wait()
        live.start()
        first, second = server.wait_for("/", 2)
        assert first.id == second.id
        assert first.body == second.body
