"""The workloads by name, each with the number of its items in a request."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from benchmarks import bodies, mix
from benchmarks.bodies import LARGE_BATCH, Workload


class Kind(NamedTuple):
    """A workload.

    Attributes:
        build: makes it.
        title: of the rows of the tables.
        items: samples, rows, documents or images in one request.
    """

    build: Callable[[], Workload]
    title: str
    items: int = 1


SAMPLES, DOCUMENTS, SMALL_BATCHES, MIX = "samples", "documents", "samples-3", "mix"
MIX_PACED = "mix at 80 %"
"""The requests of the mix at a rate below the highest."""
PACE = 0.8

KINDS = {
    SAMPLES: Kind(partial(bodies.samples, LARGE_BATCH, 256), "samples, by 1000", LARGE_BATCH),
    DOCUMENTS: Kind(bodies.documents, "documents, 1 KB"),
    SMALL_BATCHES: Kind(partial(bodies.samples, 3, 4_096), "samples, by 3", 3),
    "samples-10": Kind(partial(bodies.samples, 10, 2_048), "samples, by 10", 10),
    "samples-50": Kind(partial(bodies.samples, 50, 1_024), "samples, by 50", 50),
    "profiles-1x10": Kind(partial(bodies.profiles, 1, 10), "rows, 1 x 10"),
    "profiles-10x10": Kind(partial(bodies.profiles, 10, 10), "rows, 10 x 10", 10),
    "profiles-100x10": Kind(partial(bodies.profiles, 100, 10), "rows, 100 x 10", 100),
    # With user_id, these are the 50 fields allowed.
    "profiles-100x49": Kind(partial(bodies.profiles, 100, 49), "rows, 100 x 49", 100),
    "images": Kind(bodies.images, "images, 1.5 MB"),
    MIX: Kind(mix.build, "mix of all, 25 % reads"),
}
_PACED = {MIX_PACED: KINDS[MIX]._replace(title="mix at 80 % of that rate")}
ITEMS = {name: kind.items for name, kind in (KINDS | _PACED).items()}
TITLES = {name: kind.title for name, kind in (KINDS | _PACED).items()}
POCKETBASE_DOCUMENTS = "documents of PocketBase"


@cache
def workload(name: str) -> Workload:
    """The workload of that name, built on first use and cached."""
    if name == POCKETBASE_DOCUMENTS:
        return bodies.pocketbase_documents()
    return KINDS[name].build()
