"""New requests, for those who follow them: one task of a process reads them for all its listeners.

Requests of other processes and nodes are in the database. A process without listeners reads
nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

import msgspec
import structlog
from msgspec import Struct

from uptake.formats.registry import status_of
from uptake.http.executors import BoundedExecutor
from uptake.http.problems import raising_problems
from uptake.model.problems import Kinds, Problem
from uptake.reading import requests
from uptake.store.request_ports import RequestQueries
from uptake.store.requests import ALL_REQUESTS, NewRequests, RequestFilter, StoredRequest

POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 1.8
"""Pause before the database is asked again. A request is streamed within two seconds."""

READING_SHARE = 0.01
"""Of the time, for reading. The pause is longer after a reading that took long."""

MAX_LISTENERS = 50
"""Listeners of a process: each has a connection, and a batch of requests."""

MAX_NEW = 1000
"""Requests of a batch, about 250 kB: more than a person or a page can follow in a second."""

Projects = tuple[str, ...] | None
"""Names; None for all projects."""

_log = structlog.get_logger()


class Batch(Struct, frozen=True):
    """Requests that a listener gets together.

    Attributes:
        requests: as JSON, the oldest first.
        position: after them.
        truncated: whether these are only the newest.
    """

    requests: list[bytes]
    position: dict[int, int]
    truncated: bool = False


class Listener:
    """Follows new requests.

    A listener that has not taken its batch gets no other. It is then behind the others, and its
    next batch is read on its own.

    Args:
        projects: of the requests.
        only: which requests.
        position: after which it continues; None to begin now.

    Attributes:
        position: up to which it has a batch.
        ended: whether it gets no more.
    """

    def __init__(
        self, projects: Projects, only: RequestFilter, position: dict[int, int] | None
    ) -> None:
        self.projects = projects
        self.only = only
        self.position = position
        self.ended = False
        self._batch: Batch | None = None
        self._arrived = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether it can get a batch."""
        return self._batch is None

    def put(self, batch: Batch) -> None:
        """Deliver a batch. The first one is delivered even if it is empty: it has the position."""
        is_first = self.position is None
        self.position = batch.position
        if batch.requests or batch.truncated or is_first:
            self._batch = batch
            self._arrived.set()

    def end(self) -> None:
        """Deliver nothing more."""
        self.ended = True
        self._arrived.set()

    async def take(self, seconds: float) -> Batch | None:
        """Wait for a batch, for so many seconds at most, and remove it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)
        self._arrived.clear()
        batch, self._batch = self._batch, None
        return batch


def pause_after(seconds: float) -> float:
    """Return how long to wait after a reading that took so many seconds."""
    return min(max(POLL_SECONDS, seconds / READING_SHARE), LONGEST_POLL_SECONDS)


class RequestFeed:
    """Reads new requests while there are listeners.

    Args:
        executor: threads for the queries.
    """

    def __init__(self, executor: BoundedExecutor) -> None:
        self._executor = executor
        self._listeners: list[Listener] = []
        self._positions: dict[Projects, dict[int, int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()

    def join(self, store: RequestQueries, listener: Listener) -> None:
        """Add a listener.

        Raises:
            Problem: `OVERLOADED`: there are too many.
        """
        if len(self._listeners) >= MAX_LISTENERS:
            raise Problem(Kinds.OVERLOADED, f"{MAX_LISTENERS} streams are open already")
        self._listeners.append(listener)
        self._joined.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(store))

    def leave(self, listener: Listener) -> None:
        """Remove a listener. Without listeners, nothing is read."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._positions.clear()

    def end(self) -> None:
        """End all listeners, because the process stops."""
        for listener in self._listeners:
            listener.end()

    async def _run(self, store: RequestQueries) -> None:
        while True:
            self._joined.clear()
            began = monotonic()
            scopes = dict.fromkeys(one.projects for one in self._listeners)
            self._positions = {one: at for one, at in self._positions.items() if one in scopes}
            for projects in scopes:
                try:
                    await self._serve(store, projects)
                except Problem as problem:
                    _log.warning("requests cannot be read", reason=str(problem))
                except Exception as error:  # noqa: BLE001 - listeners would wait for nothing
                    _log.error("requests cannot be read", exc_info=error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), pause_after(monotonic() - began))

    async def _serve(self, store: RequestQueries, projects: Projects) -> None:
        """Read what is new in projects, and deliver it to their listeners."""
        listeners = [one for one in self._listeners if one.projects == projects]
        since = self._positions.get(projects)
        new = await self._read(store, projects, ALL_REQUESTS, since, None)
        self._positions[projects] = new.position
        for one in listeners:
            if one.position is None:
                one.put(Batch([], new.position))
            elif not one.is_ready:
                continue
            elif one.position == since and (one.only == ALL_REQUESTS or not new.truncated):
                one.put(new.selected(one.only))
            else:
                mine = await self._read(store, projects, one.only, one.position, new.position)
                one.put(mine.selected(ALL_REQUESTS))

    async def _read(
        self,
        store: RequestQueries,
        projects: Projects,
        only: RequestFilter,
        since: dict[int, int] | None,
        until: dict[int, int] | None,
    ) -> "_Encoded":
        work = partial(_read, store, projects, only, since, until)
        return await self._executor.run(partial(raising_problems, work))


class _Encoded(Struct, frozen=True):
    """New requests, each with its JSON, which is made once for all listeners."""

    requests: list[tuple[StoredRequest, bytes]]
    position: dict[int, int]
    truncated: bool

    def selected(self, only: RequestFilter) -> Batch:
        """The batch of a listener."""
        is_all = only == ALL_REQUESTS
        found = [text for one, text in self.requests if is_all or only.matches(one)]
        return Batch(found, self.position, self.truncated)


def _read(
    store: RequestQueries,
    projects: Sequence[str] | None,
    only: RequestFilter,
    since: dict[int, int] | None,
    until: dict[int, int] | None,
) -> _Encoded:
    """What is new; in a thread."""
    if since is None:
        new = NewRequests([], store.request_commits())
    else:
        new = store.new_requests(projects, only, since, until, MAX_NEW)
    encode = msgspec.json.Encoder().encode
    found = [(one, encode(requests.view(one, status_of))) for one in new.requests]
    return _Encoded(found, new.position, new.truncated)
