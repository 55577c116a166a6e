"""Overlaps producing items with using them."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import Any, TypeVar

Item = TypeVar("Item")

MAX_AHEAD = 2
"""Items produced ahead of the one in use: enough to keep both sides busy. Each takes memory."""


def prefetch(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield the same items, produced in a thread of their own, in the context of the caller.

    Closing the iterator waits for the item in production, then closes `items`.
    """
    end: Any = object()
    context = copy_context()
    # An interrupt while the thread starts leaves a thread that the executor does not wait for.
    in_use = Lock()

    def produce() -> Any:
        with in_use:
            return next(items, end)

    try:
        with ThreadPoolExecutor(1, "prefetch") as producer:
            pending = deque(producer.submit(context.run, produce) for _ in range(MAX_AHEAD))
            try:
                while (item := pending.popleft().result()) is not end:
                    pending.append(producer.submit(context.run, produce))
                    yield item
            finally:
                for future in pending:
                    future.cancel()
    finally:
        if isinstance(items, Generator):
            with in_use:
                items.close()
