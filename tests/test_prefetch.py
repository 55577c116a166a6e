"""Prefetched items arrive as they would have without prefetching."""

import threading
from collections.abc import Iterator

import pytest

from uptake.model import cancellation
from uptake.model.cancellation import Cancellation, Cancelled
from uptake.prefetch import prefetch


def numbers(closed: threading.Event, last: int = 1000) -> Iterator[int]:
    """Numbers, and whether the iterator was closed."""
    try:
        yield from range(last)
    finally:
        closed.set()


def test_all_items_come_in_order() -> None:
    """However fast they are used."""
    assert list(prefetch(iter(range(1000)))) == list(range(1000))
    assert list(prefetch(iter([]))) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    """As itself."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    made = prefetch(broken())
    assert next(made) == 1
    with pytest.raises(OSError, match="gone"):
        next(made)


@pytest.mark.parametrize("used", [0, 1, 5])
def test_nothing_goes_on_when_it_is_given_up(used: int) -> None:
    """Neither the thread nor what makes the items."""
    closed = threading.Event()
    made = prefetch(numbers(closed))
    assert [next(made) for _ in range(used)] == list(range(used))
    made.close()
    assert closed.is_set() == (used > 0)
    assert "prefetch_0" not in {thread.name for thread in threading.enumerate()}


def test_few_items_are_made_prefetch() -> None:
    """Those that wait take memory."""
    made = []
    items = prefetch(made.append(number) or number for number in range(100))  # type: ignore[func-returns-value]
    next(items)
    threading.Event().wait(0.2)
    assert len(made) <= 4
    items.close()


def test_an_interrupt_while_the_thread_starts_closes_the_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The executor does not know that thread yet, which may be producing an item."""
    producing, closed = threading.Event(), threading.Event()
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        producing.wait()
        raise KeyboardInterrupt

    def slow() -> Iterator[int]:
        try:
            producing.set()
            threading.Event().wait(0.2)
            yield 1
        finally:
            closed.set()

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(prefetch(slow()))
    assert closed.is_set()


def test_items_are_produced_in_the_context_of_the_caller() -> None:
    """So that work which is cancelled is cancelled in the thread too."""
    work = Cancellation()

    def checking() -> Iterator[bool]:
        while True:
            cancellation.check()
            yield cancellation.current() is work

    with cancellation.cancellable(work):
        made = prefetch(checking())
        assert next(made)
        work.cancel()
        with pytest.raises(Cancelled):
            list(made)
