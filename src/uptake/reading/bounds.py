"""Limits of the work and the size of one answer, which are checked before the work is done."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any, Generic, TypeVar

import msgspec

from uptake.model import cancellation
from uptake.reading import Page, to_cursor

Entry = TypeVar("Entry")

FETCHED = 64
"""Entries of a list that are fetched first; the largest take a few megabytes."""

ANSWER_MEMORY = 500 << 20
"""Approximate memory that one answer may take to compute, in bytes; a setting changes it."""

SPAN_BYTES = 250
"""Memory for the metadata of a batch."""

SAMPLE_BYTES = 300
"""Memory for a sample while it is sorted."""

PIECE_BYTES = 250
"""Memory for a piece of a sample, which is its part in one bucket."""

ANSWER_PIECES = 16_000_000
"""Pieces that one answer may be computed from: about ten seconds of work."""

ANSWER_BYTES = 32 << 20
"""Approximate size of an answer that is not streamed. A page of a list ends before it."""


class TooMuch(Exception):
    """The answer would exceed a limit. The message explains how to narrow the query."""


def json_bytes(text: str | None) -> int:
    """Return the size of a text as JSON, in which a character may take six bytes."""
    return 4 if text is None else len(msgspec.json.encode(text))


def fitting(sizes: Iterable[int]) -> int:
    """Return how many of the first entries fit in an answer: at least one."""
    totals = accumulate(sizes)
    return max(1, sum(1 for _ in takewhile(lambda total: total <= ANSWER_BYTES, totals)))


@dataclass(frozen=True, slots=True)
class Listing(Generic[Entry]):
    """A sorted list that clients read page by page.

    Attributes:
        fetch: returns the entries after a key, at most this many.
        key: returns the key of an entry, which is its position in the list.
        cursor_type: the type of the key; see `from_cursor`.
        start: a key before all others.
        size: returns the approximate size of an entry in an answer, for entries that may be large;
            they are fetched a few at a time, so that a page is in memory and no more.
    """

    fetch: Callable[[Any, int], Sequence[Entry]]
    key: Callable[[Entry], Any]
    cursor_type: Any
    start: Any
    size: Callable[[Entry], int] | None = None

    def page(self, page: Page) -> tuple[list[Entry], str | None]:
        """Return a page of entries, and the cursor of the next page, if any.

        Raises:
            BadCursor: this server did not issue the cursor.
        """
        after, limit = page.after(self.cursor_type, self.start), page.limit
        taken: list[Entry] = []
        total, wanted = 0, FETCHED if self.size else limit
        while True:
            cancellation.check()
            wanted = min(wanted, limit - len(taken))
            some = self.fetch(after, wanted + 1)
            for entry in some[:wanted]:
                total += self.size(entry) if self.size else 0
                if taken and total > ANSWER_BYTES:
                    return taken, to_cursor(after)
                taken.append(entry)
                after = self.key(entry)
            if len(some) <= wanted:
                return taken, None
            if len(taken) >= limit:
                return taken, to_cursor(after)
            # The next entries are assumed to be as large as those before.
            wanted = max(1, (ANSWER_BYTES - total) * len(taken) // max(total, 1))
            wanted = min(wanted, 8 * FETCHED)
