"""Conformance suite: deletion of single records."""

import numpy as np
from msgspec.structs import replace

from uptake.samples.columns import COLUMNS, Columns, digest, from_bytes, to_bytes
from uptake.samples.merge import merge_parts, open_all
from uptake.samples.metrics import Metric
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import BatchRecord, Unchanged, WrittenDocument
from uptake.store.stored import Selection
from uptake.testing.store.making import (
    EVER,
    OpensStore,
    batch,
    columns_of,
    digest_of,
    document,
    entry,
    existing,
    put,
    written_by,
)

LEAST = 2
"""Batches that are folded."""

STEPS: tuple[str, str, Metric] = (DEFAULT_PROJECT, "anna", "steps")


def values_batch(*starts: int, value: float = 1.0) -> BatchRecord:
    """A batch of steps of anna with samples that start at these ticks, and a true digest."""
    numbers = np.zeros((len(COLUMNS), len(starts)), np.int64)
    numbers[0] = starts
    columns = to_bytes(Columns(numbers, np.full(len(starts), value), ("watch",), (None,)))
    return batch(
        "anna",
        "",
        min(starts),
        max(starts),
        count=len(starts),
        columns=columns,
        digest=digest(columns),
    )


def samples_of(store: Store) -> dict[int, float]:
    """The value of each of anna's samples by its start, merged from all batches."""
    parts = [one.part(*EVER) for one in open_all(store.batches(*STEPS, *EVER))]
    found = merge_parts(parts)
    return (
        {} if found is None else dict(zip(found.start.tolist(), found.value.tolist(), strict=True))
    )


class DeletionsSuite(OpensStore):
    """What is deleted is gone and can be stored again; nothing else changes."""

    def test_a_deleted_document_is_not_found_any_more(self, store: Store) -> None:
        """Its upload id is free: for the same content, and for other."""
        sent = [document("anna", name, digest=digest_of(name)) for name in ("u-1", "u-2")]
        put(store, *sent)
        found = existing(store.document(DEFAULT_PROJECT, "u-1"))
        position = existing(store.changes(DEFAULT_PROJECT, None)).next
        assert store.delete_document(DEFAULT_PROJECT, found)
        assert not store.delete_document(DEFAULT_PROJECT, found)
        assert store.document(DEFAULT_PROJECT, "u-1") is None
        assert existing(store.user(DEFAULT_PROJECT, "anna")).documents == 1
        (change,) = existing(store.changes(DEFAULT_PROJECT, position)).changes
        assert change.users == ["anna"]
        again = replace(sent[0], digest=digest_of("other"))
        ((written,),) = written_by(store, [entry(again)])
        assert written == WrittenDocument(digest_of("other"), new=True)

    def test_samples_of_a_time_are_deleted(self, store: Store) -> None:
        """From batches and blocks, whole or in part; others stay with their values."""
        for value, starts in enumerate(((0, 10, 20), (10, 30), (40, 50), (5,), (19,)), 1):
            put(store, values_batch(*starts, value=value))
            if value == 3:
                store.fold(DEFAULT_PROJECT, LEAST, lambda: False)
        put(store, batch("bert", "1", 10), batch("anna", "bpm", 10, metric="bpm"))
        position = existing(store.changes(DEFAULT_PROJECT, None)).next
        assert store.delete_samples(*STEPS, 60, 99) == 0
        assert _users_changed(store, position) == set()
        assert store.delete_samples(*STEPS, 10, 20) == 3
        assert samples_of(store) == {0: 1, 5: 4, 20: 1, 30: 2, 40: 3, 50: 3}
        assert _users_changed(store, position) == {"anna"}
        assert store.delete_samples(*STEPS, *EVER) == 6
        assert store.batches(*STEPS, *EVER) == []
        assert columns_of(store, "bert") == [b"1"]
        assert columns_of(store, "anna", metric="bpm") == [b"bpm"]
        assert store.has_user(DEFAULT_PROJECT, "anna")

    def test_deleted_samples_can_be_stored_again(self, store: Store) -> None:
        """By the same upload; what is left of a batch is recognised when it is received again."""
        sent = [values_batch(0, 10, 20), values_batch(10, 30)]
        for fold in (False, True):
            put(store, *sent)
            if fold:
                store.fold(DEFAULT_PROJECT, LEAST, lambda: False)
            assert store.delete_samples(*STEPS, 10, 20) == 2
            left = [values_batch(0, 20), values_batch(30)]
            assert written_by(store, [entry(*left)]) == [(Unchanged(), Unchanged())]
            assert written_by(store, [entry(*sent)]) == [(None, None)]
            assert list(samples_of(store)) == [0, 10, 20, 30]
            store.delete_samples(*STEPS, *EVER)

    def test_what_is_left_of_a_batch_may_be_stored_already(self, store: Store) -> None:
        """Of two batches with the same samples one is left, at the place of the later one."""
        put(store, values_batch(0, 10))
        put(store, values_batch(0, value=2))
        put(store, values_batch(0))
        assert store.delete_samples(*STEPS, 10, 11) == 1
        assert samples_of(store) == {0: 1}
        assert sum(len(from_bytes(one.columns)) for one in store.batches(*STEPS, *EVER)) == 2

    def test_an_increment_has_no_samples_that_only_lost_others(self, store: Store) -> None:
        """They were exported before; those that were not have no deleted ones."""
        put(store, values_batch(0, 10))
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            since = Selection(since=snapshot.commit_sequence)
        put(store, values_batch(20, 30))
        assert store.delete_samples(*STEPS, 10, 30) == 2
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            (found,) = snapshot.batches(("steps",), since)
            assert from_bytes(found.columns).start.tolist() == [30]


def _users_changed(store: Store, position: int) -> set[str]:
    """The users of later changes, without an upload about both users, which a fold can delay."""
    changes = existing(store.changes(DEFAULT_PROJECT, position)).changes
    return {name for change in changes if "bert" not in change.users for name in change.users}
