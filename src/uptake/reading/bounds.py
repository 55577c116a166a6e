"""How much may be worked out for one answer; what is beyond it is rejected before it is done."""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any, TypeVar

import msgspec

from uptake.model import cancellation

Entry = TypeVar("Entry")

FETCHED = 64
"""Entries of a list that are fetched at first: of the largest, they take a few megabytes."""

ANSWER_MEMORY = 500 << 20
"""Bytes that working out an answer may take, about, unless a setting says otherwise."""

SPAN_BYTES = 250
"""What is known of a batch without reading it."""

SAMPLE_BYTES = 300
"""What a sample takes while it is brought in order with others."""

PIECE_BYTES = 250
"""What a part of a sample in a bucket takes while it is counted."""

ANSWER_PIECES = 16_000_000
"""Parts of samples in buckets that one answer may be worked out of: ten seconds of work, about."""

ANSWER_BYTES = 32 << 20
"""Bytes of an answer that is not streamed, about. Lists end a page before them."""


def json_bytes(text: str | None) -> int:
    """Bytes of a text as JSON, in which a character may take six."""
    return 4 if text is None else len(msgspec.json.encode(text))


def fitting(sizes: Iterable[int]) -> int:
    """How many of the first entries of a list fit in an answer, of these sizes; at least one."""
    totals = accumulate(sizes)
    return max(1, sum(1 for _ in takewhile(lambda total: total <= ANSWER_BYTES, totals)))


def page_of(
    fetch: Callable[[Any, int], Sequence[Entry]],
    after: Any,
    place: Callable[[Entry], Any],
    size: Callable[[Entry], int],
    limit: int,
) -> tuple[list[Entry], Any]:
    """The first entries of a list that fit in an answer, and after which it goes on.

    They are fetched a few at a time, so that no more are in memory than are told.

    Args:
        fetch: gives entries after a place, at most so many.
        after: where to begin.
        place: of an entry.
        size: bytes of an entry in an answer, about.
        limit: entries at most.

    Returns:
        The entries, and the place of the last, or None when there are no more.
    """
    taken: list[Entry] = []
    total, wanted = 0, FETCHED
    while True:
        cancellation.check()
        wanted = min(wanted, limit - len(taken))
        some = fetch(after, wanted + 1)
        for entry in some[:wanted]:
            total += size(entry)
            if taken and total > ANSWER_BYTES:
                return taken, after
            taken.append(entry)
            after = place(entry)
        if len(some) <= wanted:
            return taken, None
        if len(taken) >= limit:
            return taken, after
        # As many as there is room for, if those that come are like those that came.
        wanted = max(1, (ANSWER_BYTES - total) * len(taken) // max(total, 1))
        wanted = min(wanted, 8 * FETCHED)


class TooMuch(Exception):
    """The answer would be over a bound; the message says what to narrow."""
