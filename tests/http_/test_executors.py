"""What waits for a thread is bounded, starts in time or not at all, and goes with its client."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from uptake.http.executors import BoundedExecutor, Bounds, Shares
from uptake.http.limits import ClientGone
from uptake.model import cancellation
from uptake.model.cancellation import Cancelled
from uptake.model.problems import Kinds, Problem

LONG = 30.0


class Client:
    """The receiving side of a request with a client that can disconnect."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self) -> Any:
        """Nothing more until then."""
        await self.gone.wait()
        return {"type": "http.disconnect"}


def _executor(shares: Shares | None = None, **bounds: Any) -> BoundedExecutor:
    given = {"threads": 1, "queue": 1, "start_seconds": LONG} | bounds
    return BoundedExecutor("test", Bounds(**given), shares)


def _until_cancelled(begun: threading.Event, stopped: threading.Event) -> None:
    begun.set()
    try:
        while True:
            cancellation.check()
            stopped.wait(0.01)
    except Cancelled:
        stopped.set()
        raise


async def _settled(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, LONG)


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


async def _rejection(work: Awaitable[Any]) -> Problem:
    with pytest.raises(Problem) as result:
        await work
    return result.value


def test_a_full_queue_rejects_at_once() -> None:
    """503 with a time to wait; what waited is done."""

    async def test() -> None:
        executor, go = _executor(), threading.Event()
        held = [asyncio.create_task(executor.run(go.wait)) for _ in range(2)]
        await asyncio.sleep(0.05)
        problem = await _rejection(executor.run(go.wait))
        assert problem.kind is Kinds.OVERLOADED
        assert problem.retry_after
        go.set()
        assert await asyncio.gather(*held) == [True, True]
        assert await executor.run(lambda: 7) == 7

    _run(test)


def test_what_cannot_start_in_time_is_not_started() -> None:
    """503, and its place in the queue is free again."""

    async def test() -> None:
        executor, go, started = _executor(start_seconds=0.05), threading.Event(), []
        held = asyncio.create_task(executor.run(go.wait))
        await asyncio.sleep(0.01)
        for _ in range(3):
            problem = await _rejection(executor.run(lambda: started.append(1)))
            assert problem.kind is Kinds.OVERLOADED
        go.set()
        await held
        assert started == []

    _run(test)


def test_waiting_work_is_dropped_when_its_client_disconnects() -> None:
    """It never starts, and makes room for others."""

    async def test() -> None:
        executor, go, started, client = _executor(), threading.Event(), [], Client()
        held = asyncio.create_task(executor.run(go.wait))
        await asyncio.sleep(0.01)
        waiting = executor.run(lambda: started.append(1), client.receive)
        asyncio.get_running_loop().call_later(0.05, client.gone.set)
        with pytest.raises(ClientGone):
            await waiting
        queued = asyncio.create_task(executor.run(lambda: 7))
        go.set()
        assert await queued == 7
        assert await held
        assert started == []

    _run(test)


@pytest.mark.parametrize("expired", [False, True])
def test_work_stops_when_its_client_has_gone_or_its_time_is_over(*, expired: bool) -> None:
    """And its thread is free for others."""

    async def test() -> None:
        executor = _executor(run_seconds=0.05 if expired else None)
        begun, stopped, client = threading.Event(), threading.Event(), Client()
        asking = executor.run(lambda: _until_cancelled(begun, stopped), client.receive)
        task = asyncio.create_task(asking)
        await _settled(begun)
        if not expired:
            client.gone.set()
        with pytest.raises(Cancelled if expired else ClientGone):
            await task
        await _settled(stopped)
        assert await executor.run(lambda: 7) == 7

    _run(test)


def test_what_must_be_finished_is() -> None:
    """Once begun, whoever waits for it and however long it takes."""

    async def test() -> None:
        executor = _executor(run_seconds=0.01)
        begun, go, client, done = threading.Event(), threading.Event(), Client(), []

        def change() -> None:
            begun.set()
            go.wait()
            cancellation.check()
            done.append(1)

        task = asyncio.create_task(executor.run(change, client.receive, finish=True))
        await _settled(begun)
        client.gone.set()
        await asyncio.sleep(0.05)
        go.set()
        await task
        assert done == [1]

    _run(test)


def test_one_key_leaves_threads_to_the_others() -> None:
    """Its own wait for each other, and beyond its share it is reported so."""

    async def test() -> None:
        executor = _executor(Shares(running=1, waiting=1), threads=2)
        go = threading.Event()
        held = [asyncio.create_task(executor.run(go.wait, key_id="a")) for _ in range(2)]
        await asyncio.sleep(0.05)
        problem = await _rejection(executor.run(go.wait, key_id="a"))
        assert problem.kind is Kinds.RATE_LIMITED
        assert problem.retry_after
        assert await executor.run(lambda: 7, key_id="b") == 7
        go.set()
        assert await asyncio.gather(*held) == [True, True]
        assert await executor.run(lambda: 7, key_id="a") == 7

    _run(test)
