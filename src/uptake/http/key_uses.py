"""When API keys were last used, recorded for all of them together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from uptake.http.executors import BoundedExecutor
from uptake.model.cancellation import Cancelled
from uptake.model.problems import Problem
from uptake.store.base import StoreUnavailable
from uptake.store.project_ports import Keys

WRITE_SECONDS = 20.0
"""Interval between two writes: one transaction each, and none if no key was used. With it, the
recorded use is less than a minute before the last one."""


class KeyUses:
    """Collects uses of keys, and writes them to the store.

    Args:
        registry: has the keys.
        executor: threads for the writes.
    """

    def __init__(self, registry: Keys, executor: BoundedExecutor) -> None:
        self._registry = registry
        self._executor = executor
        self._uses: dict[str, int] = {}

    def note(self, key_id: str, moment: int) -> None:
        """Note a use of a key."""
        self._uses[key_id] = moment

    async def write(self) -> None:
        """Write the uses since the last time; they stay noted if that fails."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._executor.run(lambda: self._registry.record_uses(uses))
        except (StoreUnavailable, Problem, Cancelled):
            self._uses = uses | self._uses

    @asynccontextmanager
    async def written(self) -> AsyncIterator[None]:
        """Write regularly while the block runs, and at its end."""
        task = asyncio.create_task(self._write_regularly())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self.write()

    async def _write_regularly(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()
