"""Where questions that take long wait for a thread that answers them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from uptake.model.problems import Kinds, Problem

Result = TypeVar("Result")


class Desk:
    """Threads of their own, apart from those that serve everything else.

    Args:
        name: of the threads.
        threads: how many questions are answered at a time in a process.
        waiting: how many wait or are being answered; beyond them, 503.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = waiting

    async def ask(self, question: Callable[..., Result], *args: Any) -> Result:
        """Have a question answered; what it raises is raised.

        Raises:
            Problem: `OVERLOADED`.
        """
        if self._free <= 0:
            raise Problem(Kinds.OVERLOADED)
        self._free -= 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, partial(question, *args))
        finally:
            self._free += 1
