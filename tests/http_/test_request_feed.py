"""The feed of requests: bounded, shared by its listeners, and idle without them."""

import asyncio
from typing import Any

import msgspec
import pytest

from uptake.http import request_feed
from uptake.http.executors import BoundedExecutor, Bounds
from uptake.http.request_feed import Listener, RequestFeed
from uptake.model.problems import Problem
from uptake.store.base import StoreUnavailable
from uptake.store.requests import (
    ALL_REQUESTS,
    NewRequests,
    RequestFilter,
    StoredRequest,
    request_of,
)
from uptake.store.stored import StoredReceipt

SECONDS = 60.0


def _request(number: int, user: str = "") -> StoredRequest:
    return request_of("p", 0, StoredReceipt(f"r-{number}", number, "thymia", "key", user, (), None))


def test_the_pause_is_longer_after_a_long_reading() -> None:
    """But a request is still seen within two seconds."""
    pauses = [request_feed.pause_after(seconds) for seconds in (0.0, 0.01, 0.015, 60.0)]
    assert pauses == pytest.approx([1.0, 1.0, 1.5, 1.8])


class _Store:
    """Requests, of which each read finds one more; counts the reads.

    Attributes:
        reads: the arguments of each.
        fails: whether the next read fails.
    """

    def __init__(self) -> None:
        self.stored: list[StoredRequest] = []
        self.reads: list[Any] = []
        self.fails = False

    def requests(self, *_: object) -> Any:
        raise NotImplementedError

    def request_commits(self) -> dict[int, int]:
        return {0: len(self.stored)}

    def projects_with_requests(self, *_: object) -> Any:
        raise NotImplementedError

    def new_requests(
        self, projects: Any, only: RequestFilter, since: Any, until: Any, limit: int
    ) -> NewRequests:
        self.reads.append((projects, since, until))
        if self.fails:
            self.fails = False
            raise StoreUnavailable("away")
        if until is None:
            self.stored.append(_request(len(self.stored) + 1, "ada"))
        end = until or self.request_commits()
        found = [one for one in self.stored[since[0] : end[0]] if only.matches(one)]
        return NewRequests(found[-limit:], end, len(found) > limit)


async def _taken(listener: Listener) -> list[str]:
    batch = await listener.take(SECONDS)
    assert batch is not None
    return [msgspec.json.decode(one)["request_id"] for one in batch.requests]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> RequestFeed:
    """A feed that reads all the time."""
    monkeypatch.setattr(request_feed, "POLL_SECONDS", 0.0)
    return RequestFeed(BoundedExecutor("feed", Bounds(1, 9, SECONDS)))


def test_listeners_share_reads_and_a_slow_one_misses_nothing(
    feed: RequestFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one batch at most; what came since then is read when it has taken that."""
    monkeypatch.setattr(request_feed, "MAX_NEW", 3)
    store = _Store()

    async def follow() -> None:
        fast, slow = (Listener(("p",), ALL_REQUESTS, None) for _ in range(2))
        feed.join(store, fast)
        feed.join(store, slow)
        assert (await _taken(fast), await _taken(slow)) == ([], [])
        seen: list[str] = []
        while len(seen) < 2:
            seen += await _taken(fast)
        assert seen[:2] == ["r-1", "r-2"]
        assert {projects for projects, *_ in store.reads} == {("p",)}
        assert all(until is None for *_, until in store.reads)
        store.fails = True
        while len(seen) < 9:
            seen += await _taken(fast)
        assert seen == [f"r-{number}" for number in range(1, len(seen) + 1)]
        assert await _taken(slow) == ["r-1"]
        batch = await slow.take(SECONDS)
        assert batch is not None
        assert (len(batch.requests), batch.truncated) == (3, True)
        feed.leave(slow)
        other = Listener(("p",), RequestFilter(user_id="ada"), {0: 2})
        feed.join(store, other)
        assert (await _taken(other))[-1] not in seen[:2]
        feed.end()
        assert other.ended
        feed.leave(fast)
        feed.leave(other)

    asyncio.run(follow())


def test_nothing_is_read_without_listeners(
    feed: RequestFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And there are not too many of them."""
    monkeypatch.setattr(request_feed, "MAX_LISTENERS", 2)
    store = _Store()

    async def follow() -> None:
        listeners = [Listener(None, ALL_REQUESTS, None) for _ in range(3)]
        for one in listeners[:2]:
            feed.join(store, one)
        with pytest.raises(Problem, match="2 streams are open"):
            feed.join(store, listeners[2])
        await _taken(listeners[0])
        for one in listeners[:2]:
            feed.leave(one)
        await asyncio.sleep(0)
        reads = len(store.reads)
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert len(store.reads) <= reads + 1
        feed.join(store, listeners[2])
        assert await _taken(listeners[2]) == []
        feed.leave(listeners[2])

    asyncio.run(follow())
