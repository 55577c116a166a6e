"""Reading and writing at the same time: the next items are made while one is used."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")

MOST_WAITING = 1
"""Items made ahead: one is enough to keep both busy, and each takes memory."""


class _End:
    """What follows the last item: why there are no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, made in a thread of their own.

    It ends with the iteration, also with one that is given up; then it is waited for.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(MOST_WAITING)
    given_up = threading.Event()

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                waiting.put(item)
                if given_up.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001 - it is raised where the items are used
            error = caught
        waiting.put(_End(error))

    thread = threading.Thread(target=make, name="export", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        given_up.set()
        while thread.is_alive():
            try:
                waiting.get(timeout=0.01)
            except queue.Empty:
                continue
        if isinstance(items, Generator):
            items.close()
