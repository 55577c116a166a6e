"""What is folded together, and what becomes of it when something fails or happens during it."""

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.engines import ENGINES, new_database
from uptake.samples.blocks import Block, joined
from uptake.store import sqlite
from uptake.store.folding import BLOCK_SAMPLES, FANOUT, SqlFolding, plan
from uptake.store.sql_store import SqlStore
from uptake.testing.store.folding import LEAST, everything, fold
from uptake.testing.store.making import NOON, batch, columns_of, put

WRITES = 1 + 7
"""A sample is written as it arrives, and then at most once for each level of `BLOCK_SAMPLES`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A batch or a block, and how often its samples were written."""

    first: int
    count: int
    sequence: int = 0
    digest: bytes = b""
    writes: int = 1


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store of each engine."""
    with closing(new_database(request, tmp_path)()) as opened:
        yield opened


def _after(blocks: list[Row], batches: list[Row]) -> list[Row]:
    """The blocks after a fold."""
    found = {row.sequence: row for row in batches}
    nodes = plan(batches, blocks)
    replaced = [row for node in nodes for row in node.blocks]
    made = []
    for node in nodes:
        parts = [*node.blocks, *(found[sequence] for _, sequence in node.batches)]
        assert node.count == sum(row.count for row in parts)
        made.append(Row(node.first, node.count, 0, b"", max(row.writes for row in parts) + 1))
    assert sum(len(node.batches) for node in nodes) == len(batches)
    return [row for row in blocks if row not in replaced] + made


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(32, 64)), min_size=1, max_size=40),
    st.sampled_from(["forwards", "backwards"]),
)
def test_a_sample_is_written_a_bounded_number_of_times(
    turns: list[tuple[int, int]], order: str
) -> None:
    """However many batches come after it; and there are few small blocks at any time."""
    blocks: list[Row] = []
    number = 0
    for size, count in turns:
        batches = []
        for _ in range(count):
            number += 1
            first = number if order == "forwards" else -number
            batches.append(Row(first, size, number))
        blocks = _after(blocks, batches)
        assert all(row.count <= BLOCK_SAMPLES for row in blocks)
        assert all(row.writes <= WRITES for row in blocks)
        small = [row for row in blocks if row.count <= BLOCK_SAMPLES // 2]
        assert len(small) <= (FANOUT - 1) * WRITES


def test_blocks_are_of_consecutive_times() -> None:
    """A full block between two small ones separates them."""
    small = [Row(first, 100) for first in (0, 1, 2)]
    batches = [Row(9, 5, number) for number in range(20)]
    (node,) = plan(batches, [*small, Row(5, BLOCK_SAMPLES)])
    assert (node.blocks, len(node.batches)) == ([], 20)
    (node,) = plan(batches, small)
    assert (len(node.blocks), len(node.batches)) == (3, 20)


@pytest.mark.parametrize("unreadable", [b"\x09newer", b"\x01damaged", b"\x02damaged"])
def test_samples_that_cannot_be_read_are_left_alone(store: SqlStore, unreadable: bytes) -> None:
    """The others of the project are folded."""
    put(store, *(batch("anna", f"{i}", columns=unreadable) for i in range(LEAST)))
    put(store, *(batch("bert", f"{i}") for i in range(LEAST)))
    found = fold(store)
    assert (found.batches, found.unreadable, found.complete) == (LEAST, 1, True)
    assert len(store.spans("default", "anna")) == LEAST


def test_a_batch_received_again_during_a_fold_is_not_lost(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold was read before it, and gives way."""
    put(store, batch("anna", "1"), batch("anna", "2"))

    def join(blocks: Sequence[Block]) -> Block:
        put(store, batch("anna", "1"))
        monkeypatch.setattr(f"{SqlFolding.__module__}.joined", joined)
        return joined(blocks)

    monkeypatch.setattr(f"{SqlFolding.__module__}.joined", join)
    assert fold(store).batches == 0
    assert columns_of(store, "anna") == [b"2", b"1"]
    put(store, batch("anna", "3"))
    assert fold(store).batches == 3
    assert columns_of(store, "anna") == [b"2", b"1", b"3"]


def test_a_user_erased_during_a_fold_stays_erased(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of the user is not written again."""
    put(store, batch("anna", "1"), batch("anna", "2"))

    def join(blocks: Sequence[Block]) -> Block:
        store.erase("default", "anna", "e-1", NOON)
        return joined(blocks)

    monkeypatch.setattr(f"{SqlFolding.__module__}.joined", join)
    assert fold(store).batches == 0
    assert everything(store) == []


def test_two_folds_at_once_store_each_batch_once(store: SqlStore) -> None:
    """As when a claim ends before its turn, while the user sends and sends again."""
    failed = []

    def run() -> None:
        try:
            for _ in range(20):
                fold(store)
        except Exception as error:  # noqa: BLE001 - shown by the test
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(60):
        put(store, batch("anna", f"{number}", number))
        put(store, batch("anna", f"{number // 2}", number // 2))
    for thread in threads:
        thread.join()
    assert failed == []
    fold(store)
    assert len(columns_of(store, "anna")) == 60
    assert set(columns_of(store, "anna")) == {f"{number}".encode() for number in range(60)}


def _fold_on(path: Path, started: "multiprocessing.synchronize.Event") -> None:
    with closing(sqlite.open_store(path)) as store:
        started.set()
        while True:
            fold(store)


def test_nothing_is_lost_or_doubled_when_a_fold_is_killed(tmp_path: Path) -> None:
    """At any moment."""
    path = tmp_path / "uptake.db"
    context = multiprocessing.get_context("spawn")
    with closing(sqlite.open_store(path)) as store:
        number = 0
        for _ in range(3):
            started = context.Event()
            process = context.Process(target=_fold_on, args=(path, started))
            process.start()
            assert started.wait(60)
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                put(store, batch("anna", f"{number}", number), batch("bert", f"{number}", number))
                number += 1
            process.kill()
            process.join()
            expected = [f"{one}".encode() for one in range(number)]
            assert columns_of(store, "anna") == columns_of(store, "bert") == expected
        fold(store)
        assert columns_of(store, "anna") == expected
