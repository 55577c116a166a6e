"""What users did, read from the store for those about whom it is asked."""

from time import monotonic
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.model import cancellation
from uptake.reading.segments import filters as f
from uptake.reading.segments.answers import TakesLonger
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.columns import Rows
from uptake.reading.segments.days import Days, days_until, rolled_up
from uptake.store.base import ItemQueries, UserQueries
from uptake.time_units import MICROSECONDS_PER_DAY

NAMED = 5000
"""Up to so many users are asked about by name; of more, everybody's documents are counted, and it
is asked first who has samples at all."""

Amounts = NDArray[np.float64]


class BehaviourStore(UserQueries, ItemQueries, Protocol):
    """The ports that behaviour is read from."""


class StoredBehaviour:
    """See `evaluate.Behaviour`; for one question.

    Args:
        store: where it is read.
        project: whose users they are.
        until: when to give up, on the clock of `time.monotonic`.
    """

    def __init__(self, store: BehaviourStore, project: str, until: float) -> None:
        self._store = store
        self._project = project
        self._until = until
        self._sampled: dict[str, pa.Array] = {}
        self._counts: dict[tuple[str, int], tuple[pa.Array, Amounts]] = {}

    def documents(self, condition: f.Documents, block: Block, rows: Rows, now: int) -> Amounts:
        """See `evaluate.Behaviour.documents`."""
        since = 0 if condition.days is None else now - condition.days * MICROSECONDS_PER_DAY
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
        places = pc.index_in(ids, value_set=names).fill_null(len(names)).to_numpy()
        found: Amounts = amounts[places]
        return found

    def rolled(self, condition: f.Rolled, block: Block, rows: Rows, now: int) -> Amounts:
        """See `evaluate.Behaviour.rolled`.

        What was worked out for a block is kept with it: a user of whom more is received stands in
        another block from then on.

        Raises:
            TakesLonger: there was not enough time for all; to be asked again.
        """
        days = days_until(now, condition.days, condition.zone)
        kept = block.worked_out((condition.metric, condition.stat, condition.zone, days))
        left = rows[~kept.known[rows]]
        nothing = 0.0 if condition.stat == "count" else np.nan
        if len(left) > NAMED:
            without = left[~self._with_samples(condition, block, left)]
            kept.set(without, nothing)
            left = rows[~kept.known[rows]]
        for row, user_id in zip(left, block.ids.take(pa.array(left)).to_pylist(), strict=True):
            cancellation.check()
            if monotonic() > self._until:
                raise TakesLonger(int(np.count_nonzero(kept.known)))
            kept.set(row, self._of_user(condition, user_id, days, nothing))
        return kept.values[rows]

    def _with_samples(self, condition: f.Rolled, block: Block, rows: Rows) -> "NDArray[np.bool_]":
        if condition.metric not in self._sampled:
            names = self._store.users_with_samples(self._project, condition.metric)
            self._sampled[condition.metric] = pa.array(names, pa.large_string())
        found = pc.is_in(block.ids.take(pa.array(rows)), value_set=self._sampled[condition.metric])
        return np.asarray(found)

    def _of_user(self, condition: f.Rolled, user_id: str, days: Days, nothing: float) -> float:
        figures = rolled_up(self._store, self._project, user_id, condition.metric, days)
        return nothing if figures is None else figures[condition.stat]
