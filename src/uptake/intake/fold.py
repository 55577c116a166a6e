"""Folds the small batches of users into blocks, a while at a time."""

import random
import time
from collections.abc import Callable
from typing import Protocol

import structlog
from prometheus_client import Counter

from uptake.store.base import Folding
from uptake.store.project_ports import Projects

LEAST_BATCHES = 32
"""Small batches of a user and metric that are folded together. Each read opens fewer than these
beside the blocks; with fewer, blocks would be written more often."""

TURN_SECONDS = 5.0
"""Time of one turn, so that the other chores and the processor have time in between."""

BATCHES = Counter("uptake_folded_batches", "Batches of samples that were folded into blocks.")
BYTES = Counter("uptake_folded_bytes", "Bytes of the blocks that were written.")

_log = structlog.get_logger()


class FoldingStore(Folding, Projects, Protocol):
    """The ports that folding uses."""


def fold(store: FoldingStore, stopping: Callable[[], bool]) -> bool:
    """Fold the small batches of all projects, until the turn ends. Returns whether all are folded.

    Args:
        store: what is folded.
        stopping: whether the process stops.

    Raises:
        StoreUnavailable: some are left for the next turn.
    """
    end = time.monotonic() + TURN_SECONDS

    def until() -> bool:
        return stopping() or time.monotonic() > end

    projects = store.projects()
    # If a turn is too short for all of them, each is the first one at times.
    random.shuffle(projects)
    for project in projects:
        folded = store.fold(project, LEAST_BATCHES, until)
        BATCHES.inc(folded.batches)
        BYTES.inc(folded.bytes)
        if folded.unreadable:
            _log.warning("samples cannot be folded", project=project, groups=folded.unreadable)
        if not folded.complete:
            return False
    return True
