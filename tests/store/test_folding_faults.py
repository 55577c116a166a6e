"""Folds beside backups, retention and parallel senders: each batch is stored once."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from store.engines import ENGINES, new_database
from uptake.backup.create import create
from uptake.backup.restore import restore
from uptake.samples.blocks import Block, joined
from uptake.store import sqlite
from uptake.store.contents import SqlContents
from uptake.store.database import delete_all
from uptake.store.definitions import DEFAULT_PROJECT, RetentionRule
from uptake.store.folding import SqlFolding
from uptake.store.retention import SqlRetention
from uptake.store.sql_store import SqlStore
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.testing.store.folding import everything, fold
from uptake.testing.store.making import NOON, batch, columns_of, entry, put, written_by

SENDERS = 4
BATCHES = 24

RULE = RetentionRule("samples", 1)
OLD = NOON - 9
"""When batches were received that are due."""


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store of each engine."""
    with closing(new_database(request, tmp_path)()) as opened:
        yield opened


class FoldingProgress:
    """Folds whenever rows were copied."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.batches = 0

    def begin(self, what: str, total: int | None) -> None:
        """See `Progress.begin`."""

    def advance(self, steps: int) -> None:
        """See `Progress.advance`."""
        del steps
        self.batches += fold(self._store).batches


def test_a_backup_has_each_batch_once_while_a_fold_moves_it(
    store: SqlStore, tmp_path: Path
) -> None:
    """It has the rows as they were when it began."""
    put(store, batch("anna", "1"), batch("anna", "2"))
    fold(store)
    put(store, batch("anna", "3"), batch("anna", "4"), batch("bert", "1"), batch("bert", "2"))
    before = everything(store)
    blobs, progress = MemoryBlobs(), FoldingProgress(store)
    create(SqlContents(store.engine), blobs, tmp_path / "backup", progress)
    assert progress.batches == 4
    assert everything(store) == before
    path = tmp_path / "restored.db"
    with closing(sqlite.open_contents(path, make=True)) as contents:
        restore(tmp_path / "backup", contents, blobs, progress)
    with closing(sqlite.open_store(path)) as restored:
        assert everything(restored) == before
        assert len(restored.spans(DEFAULT_PROJECT, "anna")) == 3


def test_batches_that_expire_during_their_fold_stay_deleted(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold was read before, and gives way; the others are folded later."""
    put(store, batch("anna", "old"), received_at=OLD)
    put(store, batch("anna", "1"), batch("anna", "2"))

    def join(blocks: Sequence[Block]) -> Block:
        assert store.expire(DEFAULT_PROJECT, RULE, NOON, (), 10).count == 1
        return joined(blocks)

    monkeypatch.setattr(f"{SqlFolding.__module__}.joined", join)
    assert fold(store).batches == 0
    assert columns_of(store, "anna") == [b"1", b"2"]
    monkeypatch.undo()
    put(store, batch("anna", "3"))
    assert fold(store).batches == 3
    assert columns_of(store, "anna") == [b"1", b"2", b"3"]


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_batches_that_are_folded_while_they_expire_are_deleted(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked for again in blocks. On SQLite, a fold waits for the transaction."""
    put(store, batch("anna", "1"), batch("anna", "2"), received_at=OLD)
    put(store, batch("anna", "3"))
    folded = []

    def fold_and_delete(*arguments: Any) -> int:
        folded.append(fold(store).batches)
        return delete_all(*arguments)

    monkeypatch.setattr(f"{SqlRetention.__module__}.delete_all", fold_and_delete)
    assert store.expire(DEFAULT_PROJECT, RULE, NOON, (), 10).count == 2
    assert folded[0] == 3
    assert columns_of(store, "anna") == [b"3"]


def test_batches_of_parallel_senders_are_stored_once_during_folds(store: SqlStore) -> None:
    """Every sender sends all of them; each is new once, and a duplicate for the others."""
    records = [batch("anna", f"{number}", number) for number in range(BATCHES)]
    sent = threading.Event()

    def send(sender: int) -> int:
        order = Random(sender).sample(records, BATCHES)
        outcomes = [written_by(store, [entry(record)]) for record in order]
        return outcomes.count([(None,)])

    def fold_until_sent() -> None:
        while not sent.is_set():
            fold(store)

    with ThreadPoolExecutor(SENDERS + 1) as pool:
        folding = pool.submit(fold_until_sent)
        try:
            new = sum(pool.map(send, range(SENDERS)))
        finally:
            sent.set()
        folding.result()
    assert new == BATCHES
    assert sorted(columns_of(store, "anna")) == sorted(b"%d" % n for n in range(BATCHES))
