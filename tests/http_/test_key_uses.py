"""When API keys were last used."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx2

from uptake.http.executors import Executors
from uptake.http.key_uses import KeyUses
from uptake.settings import AnswerLimits
from uptake.store.base import StoreUnavailable
from uptake.store.project_ports import Keys
from uptake.testing.live import LiveServer, serving


def _last_use(server: LiveServer, key_id: str) -> str | None:
    (found,) = [one for one in server.command("keys", "list") if one["id"] == key_id]
    return cast("str | None", found["last_used_at"])


def test_a_use_is_recorded_when_the_server_stops_at_the_latest(tmp_path: Path) -> None:
    """Of valid keys alone: a revoked key is not used."""
    with serving(tmp_path / "data") as server:
        made = [server.command("keys", "create", "--scope", "data:read") for _ in range(3)]
        server.command("keys", "revoke", made[1]["id"])
        for one, status in zip(made[:2], (200, 401), strict=True):
            headers = {"Authorization": f"Bearer {one['key']}"}
            answer = httpx2.get(f"{server.url}/uptake/v1/users", headers=headers)
            assert answer.status_code == status
        server.stop()
    used, revoked, unused = (_last_use(server, one["id"]) for one in made)
    assert used is not None
    assert datetime.now(UTC) - datetime.fromisoformat(used) < timedelta(minutes=1)
    assert (revoked, unused) == (None, None)


class Recording:
    """A store that records uses, and that may fail."""

    def __init__(self) -> None:
        self.fails = False
        self.calls: list[dict[str, int]] = []

    def record_uses(self, uses: Mapping[str, int]) -> None:
        """See `Keys.record_uses`."""
        if self.fails:
            raise StoreUnavailable
        self.calls.append(dict(uses))


def test_uses_are_written_together_and_none_is_lost() -> None:
    """Nothing is written without a use; what could not be written is written later."""

    async def run() -> list[dict[str, int]]:
        store = Recording()
        uses = KeyUses(cast("Keys", cast("Any", store)), Executors(AnswerLimits(), 1).reads)
        await uses.write()
        uses.note("a", 1)
        uses.note("b", 2)
        uses.note("a", 3)
        store.fails = True
        await uses.write()
        uses.note("b", 4)
        store.fails = False
        await uses.write()
        await uses.write()
        return store.calls

    assert asyncio.run(run()) == [{"a": 3, "b": 4}]
