"""The stream of requests: across processes and nodes, continued, filtered and ended."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from contract.tenant import Tenant, sample
from deployments import Deployment
from uptake.http.api import request_stream
from uptake.model import clock
from uptake.testing.live import LiveServer, serving
from uptake.time_units import MICROSECONDS_PER_DAY

STREAM = "/uptake/v1/requests/stream"
SECONDS = 60.0
"""How long to wait for an event on a busy machine."""

AT_NODE = 3
"""Streams of each server: one of them is in each of its processes, almost always."""


class Follower:
    """A client of the stream, which reads in a thread.

    Attributes:
        found: the requests so far.
        last_id: of the last event.
        ended: set when the server has ended the stream.
    """

    def __init__(self, server: LiveServer, secret: str, last_id: str = "", **query: Any) -> None:
        self.found: list[dict[str, Any]] = []
        self.last_id = last_id
        self.ended = threading.Event()
        self._arrived = threading.Condition()
        self._client = httpx2.Client(base_url=server.url, timeout=SECONDS)
        headers = {"Authorization": f"Bearer {secret}", "Accept": request_stream.EVENTS}
        if last_id:
            headers["Last-Event-ID"] = last_id
        request = self._client.build_request("GET", STREAM, headers=headers, params=query)
        self._response = self._client.send(request, stream=True)
        assert self._response.status_code == 200, self._response.read()
        assert self._response.headers["content-type"].startswith(request_stream.EVENTS)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait(lambda: bool(self.last_id))

    def _read(self) -> None:
        try:
            for line in self._response.iter_lines():
                name, _, value = line.partition(": ")
                with self._arrived:
                    if name == "data":
                        self.found += json.loads(value)["requests"]
                    elif name == "id":
                        self.last_id = value
                    self._arrived.notify_all()
        except httpx2.HTTPError:
            pass
        self.ended.set()

    def wait(self, condition: Any) -> None:
        """Wait until something is true of what was received."""
        with self._arrived:
            assert self._arrived.wait_for(condition, SECONDS), self.found

    def ids(self, count: int) -> list[str]:
        """The ids of the requests, of which there must be so many."""
        self.wait(lambda: len(self.found) >= count)
        return [one["request_id"] for one in self.found]

    def close(self) -> None:
        """Disconnect."""
        self._response.close()
        self._client.close()


@pytest.fixture
def following() -> Iterator[ExitStack]:
    """Closes the followers at the end."""
    with ExitStack() as stack:
        yield stack


def _send(tenant: Tenant, user: str, **members: Any) -> str:
    answer = tenant.steps(user, *(sample(number, **members) for number in range(3)))
    return str(answer.headers["x-request-id"])


def _fold(tenant: Tenant) -> None:
    while tenant.store.fold_receipts(tenant.project, clock.now() + MICROSECONDS_PER_DAY):
        pass


def test_requests_of_every_process_are_streamed_once(
    deployment: Deployment, tenant: Tenant, following: ExitStack
) -> None:
    """To listeners in every process, as the list has them, folded or not, and continued."""
    admin, operator = tenant.key("admin"), tenant.key("operator")

    def follow(server: LiveServer, secret: str, last_id: str = "", **query: Any) -> Follower:
        one = Follower(server, secret, last_id, **query)
        following.callback(one.close)
        return one

    everything = [follow(one, admin) for one in deployment.servers for _ in range(AT_NODE)]
    server = deployment.servers[-1]
    everything.append(follow(server, operator, project=tenant.project))
    only = follow(server, admin, user="43", status=200)
    all_projects = follow(server, operator)
    sent = [_send(tenant, user) for user in ("42", "43", "42", "43", "44")]
    _fold(tenant)
    sent.append(_send(tenant, "43"))
    for one in everything:
        assert sorted(one.ids(len(sent))) == sorted(sent)
    assert sorted(only.ids(3)) == sorted(sent[1::2])
    all_projects.wait(lambda: {one["request_id"] for one in all_projects.found} >= set(sent))
    listed = tenant.get("/requests", admin).json()["requests"]
    shown = {one["request_id"]: one for one in listed}
    assert all(shown[one["request_id"]] == one for one in everything[0].found)
    everything[0].wait(lambda: everything[0].last_id)
    last_id = everything[0].last_id
    everything[0].close()
    missed = [_send(tenant, "42"), _send(tenant, "42", value=-1)]
    _fold(tenant)
    everything[1].ids(len(sent) + len(missed))
    again = follow(deployment.servers[0], admin, last_id)
    later = _send(tenant, "45")
    assert sorted(again.ids(3)) == sorted([*missed, later])
    polled = tenant.get("/requests/stream", admin, params={"last_event_id": last_id})
    assert [name for name in missed if name not in polled.text] == []
    assert polled.text.count("event: requests") == 1
    # Nothing comes twice, and nothing comes to listeners that do not want it.
    for one in everything[1:]:
        assert sorted(one.ids(9)) == sorted([*sent, *missed, later])
    assert len(only.found) == 3


def test_a_wrong_stream_is_rejected(tenant: Tenant) -> None:
    """Filters and ids that the server did not issue; HEAD has no body."""
    admin = tenant.key("admin")
    wrong: Sequence[dict[str, Any]] = (
        {"format": "sms"},
        {"status": 99},
        {"from": "yesterday"},
        {"user": "a\0"},
        {"last_event_id": "x"},
    )
    for query in wrong:
        assert tenant.get("/requests/stream", admin, params=query).status_code == 400, query
    assert tenant.get("/requests/stream", admin, params={"project": "none"}).status_code == 403
    head = tenant.client.head(STREAM, headers={"Authorization": f"Bearer {admin}"})
    assert (head.status_code, head.content) == (200, b"")


def test_a_stream_ends_when_the_server_stops(tmp_path: Any) -> None:
    """At once, and it does not delay the stop."""
    with serving(tmp_path / "data") as server:
        follower = Follower(server, server.create_key("admin"))
        server.stop()
        assert follower.ended.wait(SECONDS)
        follower.close()
