"""Clients that vanish in the middle of a body leave nothing behind."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from uptake.http.limits import Bodies, ClientGone, read_body
from uptake.model.problems import Kinds, Problem
from uptake.testing.live import LiveServer

from .raw import connected, request
from .uploads import log_of

pytestmark = pytest.mark.usefixtures("served_throughout")

VANISHING = 200
AT_ONCE = 40
BODY = b'{"field_name": ["user_id", "a"], "values": [["vanished", "1"]]}'
LASTING = BODY.replace(b"vanished", b"lasting")


def test_nothing_is_stored_and_no_memory_stays_taken(live: LiveServer, key: str) -> None:
    """Each holds room for the largest body while it lasts; a fraction of them would fill it."""
    bearer = b"Bearer " + key.encode()
    chunked = {b"Authorization": bearer, b"Transfer-Encoding": b"chunked"}
    head = request(b"POST", b"/v1/user/profiles", chunked)
    logged = len(live.log)
    for _ in range(VANISHING // AT_ONCE):
        with contextlib.ExitStack() as stack:
            for _ in range(AT_ONCE):
                connection = stack.enter_context(connected(live.url))
                connection.sendall(head + b"%x\r\n" % len(BODY) + BODY)
            time.sleep(0.05)
    assert _status_when_there_is_room(live.url, key) == 200
    users = f"{live.url}/uptake/v1/users"
    assert httpx2.get(f"{users}/lasting", headers=_bearer(key)).status_code == 200
    assert httpx2.get(f"{users}/vanished", headers=_bearer(key)).status_code == 404
    log = log_of(live, logged)
    assert "Traceback" not in log
    assert '"level":"error"' not in log


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _status_when_there_is_room(url: str, key: str) -> int:
    """The status of a request that needs as much room, tried until that is given back."""

    def parts() -> Iterator[bytes]:
        yield LASTING

    until = time.monotonic() + 20
    while True:
        answer = httpx2.post(f"{url}/v1/user/profiles", content=parts(), headers=_bearer(key))
        if answer.status_code != 503 or time.monotonic() > until:
            return answer.status_code
        time.sleep(0.05)


def test_half_a_body_is_not_stored(live: LiveServer, key: str) -> None:
    """Not even where that half would be a whole by itself."""
    head = {
        b"Authorization": b"Bearer " + key.encode(),
        b"Content-Length": str(len(BODY) + 10).encode(),
    }
    with connected(live.url) as connection:
        connection.sendall(
            request(b"POST", b"/v1/user/profiles", head, BODY.replace(b"vanished", b"halved"))
        )
    time.sleep(0.2)
    answer = httpx2.get(f"{live.url}/uptake/v1/users/halved", headers=_bearer(key))
    assert answer.status_code == 404


def test_room_is_held_while_a_body_is_worked_on_and_given_back() -> None:
    """Also when the work fails; more than there is room for is turned away for now."""
    bodies = Bodies(memory=100)
    with contextlib.suppress(ValueError), bodies.room("k", "p") as room:
        room.take(50)
        raise ValueError("broken")
    with bodies.room("a", "p") as a, bodies.room("b", "q") as b:
        a.take(50)
        b.take(49)
        for key, peer, size in (("c", "r", 2), ("a", "r", 1), ("c", "p", 26)):
            with bodies.room(key, peer) as other, pytest.raises(Problem) as raised:
                other.take(size)
            assert (raised.value.kind, raised.value.status) == (Kinds.OVERLOADED, 503)
            assert raised.value.retry_after is not None
            assert raised.value.retry_after >= 1
    for key in ("a", "b"):
        with bodies.room(key, "p") as room:
            room.take(50)


def test_room_is_taken_for_what_has_arrived() -> None:
    """Not for what is announced; of a compressed body also for what it became."""
    bodies = Bodies(memory=4000)
    packed = gzip.compress(b" " * 1000)
    messages: list[Any] = [
        {"type": "http.request", "body": packed, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    headers = {"content-length": "1000000000", "content-encoding": "gzip"}
    with bodies.room("k", "p") as room:
        with pytest.raises(ClientGone):
            asyncio.run(read_body(receive, headers, 4_000_000_000, room=room))
        assert room.size == 1000 + len(packed)
