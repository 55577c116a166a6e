"""Finds blobs that no row refers to: a process ended between the write of bytes and the commit.

Bytes are written before the row that refers to them. A blob that is older than any upload takes has
its row, or never gets one: names of blobs are random, so that no later row refers to it.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from uptake.backup.ports import Contents
from uptake.blobs import Blobs
from uptake.intake.blob_keys import IMAGES, REJECTED
from uptake.time_units import MICROSECONDS_PER_DAY

UNUSED_AGE = MICROSECONDS_PER_DAY
"""Younger blobs may be of an upload in progress. Uploads take seconds, at most minutes; the rest is
for clocks that differ, and for processes that were stopped and continue."""

NAMES_AT_ONCE = 100_000
"""Names that are compared with all rows at a time: 20 MB."""

MAX_UNUSED = 100_000
"""Unused blobs that are found at most; those that are left are found next time."""


class BlobUse(NamedTuple):
    """Which blobs are used.

    Attributes:
        unused: names of blobs that no row refers to, at most about `MAX_UNUSED`.
        used: the number of blobs that rows refer to.
    """

    unused: list[str]
    used: int


def find_unused(contents: Contents, blobs: Blobs, now: int) -> BlobUse:
    """Compare the blobs of a store with the rows of its database.

    Raises:
        StoreUnusable, StoreUnavailable, BlobsUnavailable: one of them cannot be read.
    """
    before = now - UNUSED_AGE
    names = chain.from_iterable(blobs.names(f"{kind}/", before) for kind in (IMAGES, REJECTED))
    unused: list[str] = []
    used = 0
    for some in _sets(names):
        # The rows are read after the names: of uploads that are older than these, all are there.
        with contents.snapshot() as snapshot:
            named = snapshot.still_named(some)
        used += len(named)
        unused += sorted(some - named)
        if len(unused) >= MAX_UNUSED:
            break
    return BlobUse(unused, used)


def _sets(names: Iterable[str]) -> Iterator[set[str]]:
    remaining = iter(names)
    while some := set(islice(remaining, NAMES_AT_ONCE)):
        yield some
