"""Folds the small batches of users into blocks."""

from collections.abc import Callable

import structlog
from prometheus_client import Counter

from uptake.store.base import Folding

LEAST_BATCHES = 32
"""Small batches of a user and metric that are folded together. Each read opens fewer than these
beside the blocks; with fewer, blocks would be written more often."""

BATCHES = Counter("uptake_folded_batches", "Batches of samples that were folded into blocks.")
BYTES = Counter("uptake_folded_bytes", "Bytes of the blocks that were written.")

_log = structlog.get_logger()


def fold(store: Folding, project: str, until: Callable[[], bool]) -> bool:
    """Fold the small batches of a project. Returns whether all are folded.

    Args:
        store: what is folded.
        project: its name.
        until: whether to end early.

    Raises:
        StoreUnavailable: some are left for the next time.
    """
    folded = store.fold(project, LEAST_BATCHES, until)
    BATCHES.inc(folded.batches)
    BYTES.inc(folded.bytes)
    if folded.unreadable:
        _log.warning("samples cannot be folded", project=project, groups=folded.unreadable)
    return folded.complete
