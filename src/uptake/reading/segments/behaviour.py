"""What users did, read from the store for those about whom it is asked."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.model.clock import MICROSECONDS
from uptake.reading.segments import filters as f
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.columns import Rows
from uptake.store.base import Items

DAY = 24 * 3600 * MICROSECONDS

NAMED = 5000
"""Up to so many users are asked about by name; of more, everybody's documents are counted."""

Amounts = NDArray[np.float64]


class StoredBehaviour:
    """See `evaluate.Behaviour`; for one question.

    Args:
        store: where it is read.
        project: whose users they are.
        until: when to give up, on the clock of `time.monotonic`.
    """

    def __init__(self, store: Items, project: str, until: float) -> None:
        self._store = store
        self._project = project
        self._until = until
        self._counts: dict[tuple[str, int], tuple[pa.Array, Amounts]] = {}

    def documents(self, condition: f.Documents, block: Block, rows: Rows, now: int) -> Amounts:
        """See `evaluate.Behaviour.documents`."""
        since = 0 if condition.days is None else now - condition.days * DAY
        key = condition.type, since
        ids = block.ids.take(pa.array(rows))
        if key not in self._counts and len(rows) <= NAMED:
            named = ids.to_pylist()
            counts = self._store.document_counts(self._project, condition.type, since, named)
            return np.array([counts.get(name, 0) for name in named], np.float64)
        if key not in self._counts:
            counts = self._store.document_counts(self._project, condition.type, since, None)
            names = pa.array(list(counts), pa.large_string())
            self._counts[key] = names, np.array([*counts.values(), 0], np.float64)
        names, amounts = self._counts[key]
        # Whoever has none has the place after the last, where a nought stands.
        return amounts[pc.index_in(ids, value_set=names).fill_null(len(names)).to_numpy()]
