"""An index of a project's users in memory, in columns, that follows the changes of the store.

An index is a list of parts. The block of a part never changes: a changed user is added to a new
block and removed from the mask of the old one. Small blocks are merged, as in an LSM tree. A query
works on one list of parts, whatever is added while it runs.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import numpy as np

from uptake.reading.segments import DeadlineExceeded, TooLarge
from uptake.reading.segments.blocks import Block, Builder
from uptake.reading.segments.columns import Flags
from uptake.store.base import ChangeFeed, UserQueries
from uptake.store.stored import Change

PAGE = 8000
"""Users read from the store at a time; other threads run between two pages."""

BLOCK = 1 << 18
"""Users of a block at most, which limits how long a merge takes."""

RATIO = 4
"""A block this many times as large as the next one is not merged with it."""

REBUILD_THRESHOLD = 0.3
"""When more than this share of users has changed, it is faster to read all of them again."""


@dataclass(frozen=True, slots=True)
class Part:
    """A block, and which of its rows are current.

    Attributes:
        block: the users.
        present: the rows of users that have not changed since.
        count: how many those are.
    """

    block: Block
    present: Flags
    count: int

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return self.block.size + self.present.nbytes


Parts = tuple[Part, ...]


class UserFeed(UserQueries, ChangeFeed, Protocol):
    """The store ports that an index is read from."""


class UserIndex:
    """The users of a project.

    Attributes:
        used: when it was last used, on the clock of `time.monotonic`.
    """

    def __init__(self, store: UserFeed, project: str) -> None:
        self.used = monotonic()
        self._store = store
        self._project = project
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._parts: list[Part] = []
        self._loading: Builder | None = Builder()
        self._after = ""
        self._position: int | None = None
        self._applied: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return sum(part.size for part in self._parts)

    def now(self, until: float, memory: int) -> Parts:
        """Return the users, including everything committed before the call.

        Args:
            until: the deadline, on the clock of `time.monotonic`.
            memory: the limit in bytes.

        Raises:
            DeadlineExceeded: not all users could be read in time; the next call continues.
            TooLarge: the users exceed the limit.
        """
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise DeadlineExceeded(self._count())
        try:
            self.used = monotonic()
            while self._loading is not None or not self._apply_changes():
                self._load(self._loading or Builder(), until, memory)
                self._loading = None
            self._require_fits(memory)
            self.used = monotonic()
            return tuple(self._parts)
        finally:
            self._lock.release()

    def _count(self) -> int:
        return sum(part.count for part in self._parts)

    def _require_fits(self, memory: int) -> None:
        if self.size > memory:
            self._reset()
            raise TooLarge

    def _load(self, builder: Builder, until: float, memory: int) -> None:
        """Read all users page by page, from where the last attempt stopped."""
        if self._position is None:
            # Later commits are read as changes, even those that the pages already contain.
            start = self._store.changes(self._project, None)
            self._position = start.next if start else None
        self._loading = builder
        while page := self._store.profiles(self._project, self._after, PAGE):
            for profiles in page:
                builder.add(profiles)
            self._after = max(max(profiles.user_ids) for profiles in page)
            if len(builder) >= BLOCK:
                self._parts.append(_part(builder))
                builder = self._loading = Builder()
                self._require_fits(memory)
            if monotonic() > until:
                raise DeadlineExceeded(self._count() + len(builder))
        if len(builder):
            self._parts.append(_part(builder))

    def _apply_changes(self) -> bool:
        """Apply the changes since the last call; False if all users must be read again."""
        answer = self._store.changes(self._project, self._position)
        if answer is None:
            self._reset()
            return False
        new = [change for change in answer.changes if change.change_id not in self._applied]
        changed = {user_id for change in new for user_id in change.users}
        if len(changed) > max(PAGE, REBUILD_THRESHOLD * self._count()):
            self._reset()
            return False
        self._replace(changed, new)
        self._position = answer.next
        self._applied = frozenset(change.change_id for change in answer.changes)
        return True

    def _replace(self, changed: Iterable[str], changes: list[Change]) -> None:
        builder = Builder()
        listed = sorted(changed)
        for profiles in self._store.profiles_of(self._project, listed):
            builder.add(profiles)
        erased = {user_hash for change in changes for user_hash in change.erased}
        remaining = [self._without(part, listed, erased) for part in self._parts]
        self._parts = [part for part in remaining if part.count]
        if len(builder):
            self._parts.append(_part(builder))
            self._merge()

    def _without(self, part: Part, user_ids: list[str], erased: set[str]) -> Part:
        found = [
            part.block.rows_of(user_ids),
            part.block.rows_of_hashes(erased, self._store.user_hash),
        ]
        rows = np.concatenate(found)
        if not part.present[rows].any():
            return part
        present = part.present.copy()
        present[rows] = False
        return Part(part.block, present, int(np.count_nonzero(present)))

    def _merge(self) -> None:
        """Keep blocks few and mostly current."""
        self._parts = [
            _merged(part) if 2 * part.count < len(part.block) else part for part in self._parts
        ]
        while len(self._parts) > 1:
            *earlier, one, last = self._parts
            if one.count >= RATIO * last.count or one.count + last.count > BLOCK:
                return
            self._parts = [*earlier, _merged(one, last)]


def _merged(*parts: Part) -> Part:
    builder = Builder()
    for part in parts:
        builder.add_rows(part.block, part.present)
    return _part(builder)


def _part(builder: Builder) -> Part:
    block = builder.block()
    return Part(block, np.ones(len(block), np.bool_), len(block))
