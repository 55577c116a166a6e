"""An index of a project's users in memory, in columns, that follows the changes of the store.

It has the fields that the first query names, and all fields as soon as a query names others. It is
a list of parts. The block of a part never changes: a changed user is added to a new block and
removed from the mask of the old one. Small blocks are merged, as in an LSM tree. A query works on
one list of parts, whatever is added while it runs.

Users that exceed the memory are read for each query and dropped part by part.
"""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Protocol

import numpy as np

from uptake.model import cancellation
from uptake.prefetch import prefetch
from uptake.reading.segments import DeadlineExceeded
from uptake.reading.segments import filters as f
from uptake.reading.segments.blocks import Block, Builder
from uptake.reading.segments.columns import Flags
from uptake.store.base import ChangeFeed, UserQueries
from uptake.store.stored import Change

PAGE = 16_000
"""Users read from the store at a time; other threads run between two pages."""

BLOCK = 1 << 18
"""Users of a block at most, which limits how long a merge takes."""

BLOCK_BYTES = 32 << 20
"""Approximate size from which a block has fewer users: one or two are in memory in any case."""

RATIO = 4
"""A block this many times as large as the next one is not merged with it."""

REBUILD_THRESHOLD = 0.3
"""When more than this share of users has changed, it is faster to read all of them again."""

MAX_NAMES = 1000
"""Attribute names that an index remembers, of attributes that exist or not: twice as many as a user
may have."""

MAX_EXCEEDING = 16
"""Sets of fields that are known to exceed the memory: the latest."""


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
        self._exceeding: list[f.Fields] = []
        self._reset(f.Fields())

    def _reset(self, fields: f.Fields) -> None:
        self._fields = fields
        self._parts: list[Part] = []
        self._complete = False
        self._after = ""
        self._position: int | None = None
        self._applied: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return sum(part.size for part in self._parts)

    def parts(self, fields: f.Fields, until: float, memory: int) -> Iterator[Part]:
        """Return the users in parts, including everything committed before the call.

        Users that fit into memory stay there. Others are read while the parts are iterated.

        Args:
            fields: at least these are read.
            until: the deadline of reading users that stay, on the clock of `time.monotonic`.
            memory: the limit in bytes.

        Raises:
            DeadlineExceeded: not all users could be read in time; the next call continues.
        """
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise DeadlineExceeded(self._count())
        try:
            self.used = monotonic()
            if self._exceeds(fields):
                return self._read(fields)
            if not self._fields.covers(fields):
                self._reset(self._fields_with(fields))
            while not self._complete or not self._apply_changes():
                others = self._load(until, memory)
                if others is not None:
                    return others
            self.used = monotonic()
            if self.size > memory:
                for part in self._parts:
                    part.block.forget_stats()
            if self.size > memory:
                return self._drop()
            return iter(tuple(self._parts))
        finally:
            self._lock.release()

    def _count(self) -> int:
        return sum(part.count for part in self._parts)

    def _fields_with(self, fields: f.Fields) -> f.Fields:
        """What to read for a query: little for the first one, and for the second all that fits."""
        both = self._fields.union(fields)
        for more in (f.ALL_FIELDS, both) if self._fields.names else (both,):
            if not self._exceeds(more) and more.count <= MAX_NAMES:
                return more
        return fields

    def _exceeds(self, fields: f.Fields) -> bool:
        return any(fields.covers(one) for one in self._exceeding)

    def _drop(self) -> Iterator[Part]:
        """Return the users that are in memory, and keep none of them."""
        self._exceeding = [*self._exceeding, self._fields][-MAX_EXCEEDING:]
        parts = self._parts
        self._reset(f.Fields())
        # Each is released when it has been used.
        return (parts.pop(0) for _ in range(len(parts)))

    def _load(self, until: float, memory: int) -> Iterator[Part] | None:
        """Read all users into memory, from where the last attempt stopped.

        Returns:
            None, or all users if they exceed the limit.
        """
        if self._position is None:
            # Later commits are read as changes, even those that the pages already contain.
            start = self._store.changes(self._project, None)
            self._position = start.next if start else None
        fields, resumed = self._fields, bool(self._parts)
        with ExitStack() as stack:
            reading = stack.enter_context(closing(self._read(fields, self._after, until)))
            for part in reading:
                self._parts.append(part)
                self._after = part.block.last_id
                if self.size > memory:
                    before = self._drop()
                    if resumed:
                        # What earlier attempts have read is of an earlier moment.
                        return self._read(fields)
                    return _chained(before, reading, stack.pop_all())
                if monotonic() > until:
                    raise DeadlineExceeded(self._count())
        self._complete = True
        return None

    def _read(
        self, fields: f.Fields, after: str = "", until: float = inf
    ) -> Generator[Part, None, None]:
        """Read all users above `after`, at one moment; parts are smaller after the deadline."""
        builder = Builder(fields)
        users = self._store.profiles(self._project, after, PAGE, seen=fields.seen)
        with closing(prefetch(users)) as pages:
            for page in pages:
                cancellation.check()
                for profiles in page:
                    builder.add(profiles)
                if len(builder) >= BLOCK or builder.size >= BLOCK_BYTES or monotonic() > until:
                    yield _part(builder)
                    builder = Builder(fields)
        if len(builder):
            yield _part(builder)

    def _apply_changes(self) -> bool:
        """Apply the changes since the last call; False if all users must be read again."""
        answer = self._store.changes(self._project, self._position)
        if answer is None:
            self._reset(self._fields)
            return False
        new = [change for change in answer.changes if change.change_id not in self._applied]
        changed = {user_id for change in new for user_id in change.users}
        if len(changed) > max(PAGE, REBUILD_THRESHOLD * self._count()):
            self._reset(self._fields)
            return False
        self._replace(changed, new)
        self._position = answer.next
        self._applied = frozenset(change.change_id for change in answer.changes)
        return True

    def _replace(self, changed: Iterable[str], changes: list[Change]) -> None:
        builder = Builder(self._fields)
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
            self._merged(part) if 2 * part.count < len(part.block) else part for part in self._parts
        ]
        while len(self._parts) > 1:
            *earlier, one, last = self._parts
            if one.count >= RATIO * last.count or one.count + last.count > BLOCK:
                return
            self._parts = [*earlier, self._merged(one, last)]

    def _merged(self, *parts: Part) -> Part:
        builder = Builder(self._fields)
        for part in parts:
            builder.add_rows(part.block, part.present)
        return _part(builder)


def _part(builder: Builder) -> Part:
    block = builder.block()
    return Part(block, np.ones(len(block), np.bool_), len(block))


def _chained(
    before: Iterator[Part], reading: Iterator[Part], stack: ExitStack
) -> Generator[Part, None, None]:
    """Yield the parts of both, then close the stack."""
    with stack:
        yield from before
        yield from reading
