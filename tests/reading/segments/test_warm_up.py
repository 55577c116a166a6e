"""Users are in memory before the first query, if a setting names their project."""

import threading
from collections.abc import Iterator
from time import monotonic, sleep

import msgspec
import pytest

from uptake.reading import Page
from uptake.reading.segments.queries import Segments
from uptake.reading.segments.warm_up import WarmUp
from uptake.store.base import StoreUnavailable
from uptake.store.definitions import Segment
from uptake.store.stored import ProfilePages
from uptake.testing.store.making import NOON
from uptake.testing.store.model import ModelStore

from .indexes import PLENTY, many

PRO = b'{"attribute": "plan", "op": "eq", "value": "pro"}'
SECONDS = 20.0


class CountingStore(ModelStore):
    """Counts how often users are read."""

    reads = 0

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:
        """See `UserQueries.profiles`."""
        self.reads += 1
        return super().profiles(project, after, limit, seen=seen)


@pytest.fixture
def store() -> CountingStore:
    """Users of a project, with a segment."""
    filled = CountingStore()
    filled.commit([many(20, plan="pro")])
    filled.put_segment("default", Segment("pro", PRO.decode(), NOON, NOON))
    filled.put_segment("default", Segment("invalid", "{}", NOON, NOON))
    return filled


def finish(warm_up: WarmUp) -> None:
    """Wait for the end of its thread."""
    until = monotonic() + SECONDS
    while warm_up._thread.is_alive():
        assert monotonic() < until
        sleep(0.01)
    warm_up.close()


@pytest.mark.parametrize("projects", ["all", "default", "other, default"])
def test_the_first_query_of_a_segment_finds_its_users_in_memory(
    store: CountingStore, projects: str
) -> None:
    """With the attributes of the project's segments; the next query is as current as any."""
    segments = Segments(store, PLENTY)
    warm_up = WarmUp(store, segments, projects)
    warm_up.start()
    finish(warm_up)
    assert "default" in segments.pool.projects
    reads = store.reads
    assert segments.members("default", "pro", Page(None, 1)).count == 20
    store.commit([many(3, first=50, plan="pro")])
    assert segments.members("default", "pro", Page(None, 1)).count == 23
    assert store.reads == reads


def test_no_project_is_read_without_the_setting(store: CountingStore) -> None:
    """As reading takes memory and time that a server without segments does not need."""
    segments = Segments(store, PLENTY)
    warm_up = WarmUp(store, segments, "")
    warm_up.start()
    assert not warm_up._thread.is_alive()
    warm_up.close()
    assert (segments.pool.projects, store.reads) == ([], 0)


def test_users_that_exceed_the_memory_are_read_once(store: CountingStore) -> None:
    """And queries find them."""
    segments = Segments(store, 1)
    warm_up = WarmUp(store, segments, "default")
    warm_up.start()
    finish(warm_up)
    assert store.reads == 1
    assert segments.preview("default", PRO, Page(None, 1)).count == 20


def test_a_server_that_stops_does_not_wait_for_all_users(store: CountingStore) -> None:
    """Reading ends with the page that is read."""
    begun = threading.Event()
    page = next(store.profiles("default", "", 20, seen=False))

    def endless(*_: object, **__: object) -> Iterator[object]:
        while True:
            begun.set()
            sleep(0.01)
            yield page

    store.profiles = endless  # type: ignore[method-assign, assignment]
    warm_up = WarmUp(store, Segments(store, PLENTY), "default")
    warm_up.start()
    assert begun.wait(SECONDS)
    began = monotonic()
    warm_up.close()
    assert not warm_up._thread.is_alive()
    assert monotonic() - began < SECONDS


def test_an_unreachable_store_ends_the_thread(store: CountingStore) -> None:
    """Queries read the users when the store is back."""
    segments = Segments(store, PLENTY)

    def unreachable() -> list[str]:
        raise StoreUnavailable("down")

    store.projects = unreachable  # type: ignore[method-assign]
    warm_up = WarmUp(store, segments, "all")
    warm_up.start()
    finish(warm_up)
    assert segments.preview("default", msgspec.json.encode({"and": []}), Page(None, 1)).count == 20
