"""The client for asyncio: calls at once, lists by `async for`, and the errors of the client."""

import asyncio
import inspect

import pytest

from contract.pictures import encoded
from uptake import AsyncClient, Client, InvalidKey, RequestFailed, Sample
from uptake.testing.live import LiveServer

CALLS = 24
"""Calls at the same time, three for each thread."""


def test_calls_at_once_get_their_own_answers(live: LiveServer, user: str) -> None:
    """Of every kind; what is read back afterwards is what was sent."""
    key = live.create_key("samples:write", "profiles:write", "user-data:write", "data:read")
    live.command("types", "add", "note")
    samples = [Sample("Watch", f"2026-01-31T08:0{n}:00Z", "count", n + 1) for n in range(3)]

    async def send_and_read() -> None:
        async with AsyncClient(live.url, key, parallel=CALLS // 3) as client:
            sent = await asyncio.gather(
                *(
                    client.send_document("note", user, {"n": n}, idempotency_key=f"{user}-{n}")
                    for n in range(CALLS)
                ),
            )
            read = await asyncio.gather(*(client.document(outcome.reference) for outcome in sent))
            assert [one.data for one in read] == [{"n": n} for n in range(CALLS)]
            outcomes = await client.send_samples(user, "steps", samples)
            assert all(one.accepted for one in outcomes)
            await client.send_profiles({user: {"plan": "pro"}})
            assert (await client.profile(user)).attributes == {"plan": "pro"}
            assert [one.value async for one in client.samples(user, "steps")] == [1, 2, 3]
            assert [one.sum async for one in client.rollups(user, "steps")] == [6]
            assert (await client.documents(user).to_arrow()).num_rows == CALLS

    asyncio.run(send_and_read())


def test_errors_are_those_of_the_client(live: LiveServer, user: str) -> None:
    """Also during the iteration of a list."""
    key = live.create_key("data:read")

    async def fail() -> None:
        async with AsyncClient(live.url, key) as client:
            with pytest.raises(RequestFailed, match="403"):
                await client.send_profiles({user: {"plan": "pro"}})
            with pytest.raises(RequestFailed, match="404"):
                async for _ in client.images(user):
                    pass

    asyncio.run(fail())
    with pytest.raises(InvalidKey):
        AsyncClient(live.url, "not a key")


def test_it_has_every_method_of_the_client() -> None:
    """With the same parameters and the same description."""
    methods = dict(inspect.getmembers(Client, inspect.isfunction))
    for name, method in methods.items():
        if not name.startswith("_") and name != "close":
            mine = getattr(AsyncClient, name)
            assert inspect.signature(mine) == inspect.signature(method)
            assert mine.__doc__ == method.__doc__


def test_an_image_is_deleted(live: LiveServer) -> None:
    """By its user and its number."""
    key = live.create_key("images:write", "data:read", "data:erase")
    user = "7316"

    async def delete() -> None:
        async with AsyncClient(live.url, key) as client:
            await client.send_image(user, encoded("PNG", 3, 5))
            [image] = [one async for one in client.images(user)]
            await client.delete_image(user, image.image_id)
            assert [one async for one in client.images(user)] == []
            with pytest.raises(RequestFailed, match="404"):
                await client.delete_image(user, image.image_id)

    asyncio.run(delete())
