"""A project's users in memory, in columns, kept up with the store.

A census is a row of blocks that do not change; a user who has changed stands in a later one, and is
crossed out in the earlier. Small blocks are put together as they pile up, so that there are few.
Whoever counts works on one state of it, whatever comes meanwhile.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import numpy as np

from uptake.reading.segments.answers import TakesLonger, TooLarge
from uptake.reading.segments.blocks import Block, Builder
from uptake.reading.segments.columns import Flags
from uptake.store.base import ChangeFeed, UserQueries
from uptake.store.stored import Change

PAGE = 8000
"""Users read from the store at a time, so that nobody waits long for this process's interpreter."""

BLOCK = 1 << 18
"""Users of a block at most: bounds how long it takes to put two of them together."""

RATIO = 4
"""A block stays by itself as long as it is so many times as large as the next one."""

ANEW = 0.3
"""The part of users that has changed from which on reading all of them is faster."""


@dataclass(frozen=True, slots=True)
class Part:
    """A block, and which of its rows stand: those not crossed out."""

    block: Block
    stands: Flags
    count: int

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self.block.size + self.stands.nbytes


State = tuple[Part, ...]


class UserFeed(UserQueries, ChangeFeed, Protocol):
    """The ports that a census reads from."""


class Census:
    """The users of a project.

    Attributes:
        asked: when it was last asked for, on the clock of `time.monotonic`.
    """

    def __init__(self, store: UserFeed, project: str) -> None:
        self.asked = monotonic()
        self._store = store
        self._project = project
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._state: list[Part] = []
        self._loading: Builder | None = Builder()
        self._after = ""
        self._next: int | None = None
        self._known: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return sum(part.size for part in self._state)

    def now(self, until: float, memory: int) -> State:
        """The users with everything that was committed before this was called.

        Args:
            until: when to give up, on the clock of `time.monotonic`.
            memory: bytes that it may take.

        Raises:
            TakesLonger: it is later than that; to be asked again.
            TooLarge: they take more.
        """
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise TakesLonger(self._count())
        try:
            self.asked = monotonic()
            while self._loading is not None or not self._follow():
                self._load(self._loading or Builder(), until, memory)
                self._loading = None
            if self.size > memory:
                self._begin()
                raise TooLarge
            self.asked = monotonic()
            return tuple(self._state)
        finally:
            self._lock.release()

    def _count(self) -> int:
        return sum(part.count for part in self._state)

    def _load(self, builder: Builder, until: float, memory: int) -> None:
        """Read all users, page after page, from where it was left; by way of a builder."""
        if self._next is None:
            # What is committed from here on will be followed; it may have been read already.
            start = self._store.changes(self._project, None)
            self._next = start.next if start else None
        self._loading = builder
        while page := self._store.profiles(self._project, self._after, PAGE):
            for profiles in page:
                builder.add(profiles)
            self._after = max(max(profiles.user_ids) for profiles in page)
            if len(builder) >= BLOCK:
                self._state.append(_part(builder))
                builder = self._loading = Builder()
                if self.size > memory:
                    self._begin()
                    raise TooLarge
            if monotonic() > until:
                raise TakesLonger(self._count() + len(builder))
        if len(builder):
            self._state.append(_part(builder))

    def _follow(self) -> bool:
        """Take in what has changed; False when all must be read anew."""
        answer = self._store.changes(self._project, self._next)
        if answer is None:
            self._begin()
            return False
        new = [change for change in answer.changes if change.change_id not in self._known]
        changed = {user_id for change in new for user_id in change.users}
        if len(changed) > max(PAGE, ANEW * self._count()):
            self._begin()
            return False
        self._take_in(changed, new)
        self._next = answer.next
        self._known = frozenset(change.change_id for change in answer.changes)
        return True

    def _take_in(self, changed: Iterable[str], changes: list[Change]) -> None:
        builder = Builder()
        listed = sorted(changed)
        for profiles in self._store.profiles_of(self._project, listed):
            builder.add(profiles)
        erased = {gone for change in changes for gone in change.erased}
        crossed = map(_crossing_out(listed, erased, self._store.user_hash), self._state)
        self._state = [part for part in crossed if part.count]
        if len(builder):
            self._state.append(_part(builder))
            self._put_together()

    def _put_together(self) -> None:
        """Keep blocks few and full."""
        self._state = [_full(part) for part in self._state]
        while len(self._state) > 1:
            *earlier, one, last = self._state
            if one.count >= RATIO * last.count or one.count + last.count > BLOCK:
                return
            self._state = [*earlier, _together(one, last)]


def _crossing_out(
    user_ids: Sequence[str], erased: set[str], user_hash: Callable[[str], str]
) -> Callable[[Part], Part]:
    def cross_out(part: Part) -> Part:
        found = [part.block.rows_of(user_ids), part.block.rows_of_hashes(erased, user_hash)]
        rows = np.concatenate(found)
        if not part.stands[rows].any():
            return part
        stands = part.stands.copy()
        stands[rows] = False
        return Part(part.block, stands, int(np.count_nonzero(stands)))

    return cross_out


def _full(part: Part) -> Part:
    """The same users without those crossed out, where these are the most."""
    return _together(part) if 2 * part.count < len(part.block) else part


def _together(*parts: Part) -> Part:
    builder = Builder()
    for part in parts:
        builder.take_over(part.block, part.stands)
    return _part(builder)


def _part(builder: Builder) -> Part:
    block = builder.block()
    return Part(block, np.ones(len(block), np.bool_), len(block))
