"""Conformance suite of the port `Folding`."""

from pathlib import Path

from uptake.samples.columns import from_bytes
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT, RetentionRule
from uptake.store.records import Erased, Unchanged
from uptake.store.stored import EVERYTHING, Folded, Selection
from uptake.testing.store.making import (
    EVER,
    NOON,
    OpensStore,
    StoredContent,
    batch,
    columns_of,
    contents_of,
    entry,
    put,
    unfolded,
    written_by,
)

LEAST = 2
"""Batches that are folded."""

LARGE = 1000
"""Samples of a batch that is not folded."""

MANY = 200
"""Batches, of which each is folded with others several times."""

SPANS = 12
"""Most rows that these batches are in afterwards: a few of each size."""


def fold(store: Store, project: str = DEFAULT_PROJECT, least: int = LEAST) -> Folded:
    """Fold all that can be folded."""
    return store.fold(project, least, lambda: False)


def everything(store: Store) -> list[StoredContent]:
    """All batches of a project."""
    with store.snapshot(DEFAULT_PROJECT) as snapshot:
        return unfolded(snapshot.batches(("steps", "bpm"), EVERYTHING))


def spans(store: Store) -> int:
    """The number of rows with steps of a user."""
    return len(store.spans(DEFAULT_PROJECT, "anna", "steps"))


class FoldingSuite(OpensStore):
    """What is read, counted and deleted does not depend on what is folded."""

    def test_folded_batches_are_read_as_they_were(self, store: Store) -> None:
        """Each with its samples, its place in the order received, its user and its metric."""
        for number in range(5):
            some = batch("anna", f"{number}", 10 * (number % 3), 10 * (number % 3) + 9)
            put(store, some, batch("anna", f"b{number}", metric="bpm"))
            put(store, batch("bert", f"{number}", number), project="other")
        put(store, batch("carl", "alone"))
        before = everything(store)
        fold(store)
        assert everything(store) == before
        assert columns_of(store, "anna") == [b"0", b"1", b"2", b"3", b"4"]
        assert spans(store) < 5
        assert sorted(store.users_with_samples(DEFAULT_PROJECT, "steps")) == ["anna", "carl"]
        assert sorted(store.users_with_samples(DEFAULT_PROJECT, "bpm")) == ["anna"]
        assert len(columns_of(store, "bert", project="other")) == 5

    def test_folding_again_changes_nothing(self, store: Store) -> None:
        """Without new batches there is nothing to do."""
        put(store, batch("anna", "1"), batch("anna", "2"))
        fold(store)
        assert spans(store) == 1
        assert fold(store) == Folded()

    def test_few_batches_and_large_ones_stay(self, store: Store) -> None:
        """A block of them would cost more than it saves."""
        large = [batch("anna", f"{i}", i, i + LARGE, count=LARGE) for i in range(4)]
        put(store, batch("anna", "1"), *large)
        assert fold(store).batches == 0
        assert spans(store) == 5

    def test_small_blocks_are_folded_into_larger_ones(self, store: Store) -> None:
        """So their number grows with the logarithm of the number of batches."""
        for number in range(0, MANY, LEAST):
            put(store, *(batch("anna", f"{number + i}", number + i) for i in range(LEAST)))
            fold(store)
        assert columns_of(store, "anna") == [f"{number}".encode() for number in range(MANY)]
        assert spans(store) <= SPANS

    def test_a_fold_that_ends_early_is_continued(self, store: Store) -> None:
        """By the next call."""
        for user in ("anna", "bert"):
            put(store, batch(user, "1"), batch(user, "2"))
        store.fold(DEFAULT_PROJECT, LEAST, lambda: True)
        assert fold(store).complete
        assert [len(store.spans(DEFAULT_PROJECT, user)) for user in ("anna", "bert")] == [1, 1]

    def test_a_store_opened_again_continues(self, tmp_path: Path) -> None:
        """A batch before is folded with those after."""
        for name in ("1", "2"):
            store = self.open_store(tmp_path)
            put(store, batch("anna", name))
            fold(store)
            assert columns_of(store, "anna")[-1] == name.encode()
            found = spans(store)
            store.close()
        assert found == 1

    def test_a_folded_batch_received_again_is_the_last(self, store: Store) -> None:
        """It is a duplicate, as if it were not folded, whether once, twice or folded again."""
        put(store, batch("anna", "1", 0, 9), batch("anna", "2", 5, 14), batch("anna", "3", 0, 9))
        fold(store)
        for expected in ([b"2", b"3", b"1"], [b"2", b"3", b"1"]):
            assert written_by(store, [entry(batch("anna", "1", 0, 9))]) == [(Unchanged(),)]
            assert columns_of(store, "anna") == expected
        put(store, batch("anna", "4", 0, 9))
        fold(store)
        assert columns_of(store, "anna") == [b"2", b"3", b"1", b"4"]
        both = batch("anna", "2", 5, 14), batch("anna", "new", 5, 14), batch("anna", "2", 5, 14)
        assert written_by(store, [entry(*both)]) == [(Unchanged(), None, Unchanged())]
        assert columns_of(store, "anna") == [b"3", b"1", b"4", b"new", b"2"]

    def test_all_of_a_block_can_be_received_again(self, store: Store) -> None:
        """Each is a duplicate, and nothing is there twice."""
        records = batch("anna", "1"), batch("anna", "2")
        put(store, *records)
        fold(store)
        sent = entry(*records)
        assert written_by(store, [sent]) == [(Unchanged(), Unchanged())]
        assert columns_of(store, "anna") == [b"1", b"2"]
        (receipt,) = store.receipts(DEFAULT_PROJECT, sent.request_id)
        assert receipt.duplicates == sum(record.received for record in records)

    def test_the_same_batch_of_others_is_new(self, store: Store) -> None:
        """Of another user, metric or project."""
        put(store, batch("anna", "1"), batch("anna", "2"))
        fold(store)
        others = batch("bert", "1"), batch("anna", "1", metric="bpm")
        assert written_by(store, [entry(*others)]) == [(None, None)]
        assert written_by(store, [entry(batch("anna", "1"), project="other")]) == [(None,)]

    def test_increments_have_what_came_since(self, store: Store) -> None:
        """Whenever it was folded: not what came before, and not less."""
        sequences, names = [], []
        for number in range(8):
            with store.snapshot(DEFAULT_PROJECT) as snapshot:
                sequences.append(snapshot.commit_sequence)
            names.append(f"{number}".encode())
            put(store, batch("anna", f"{number}", number))
            if number % 3 == 2:
                fold(store)
            for at, since in enumerate(sequences):
                with store.snapshot(DEFAULT_PROJECT) as snapshot:
                    found = contents_of(snapshot.batches(("steps",), Selection(since=since)))
                assert found == names[at:]

    def test_an_increment_has_a_folded_batch_that_came_again(self, store: Store) -> None:
        """And no other batch of its block, also after the block was folded with others."""
        put(store, *(batch("anna", f"{number}", number) for number in range(4)))
        fold(store)
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            since = Selection(since=snapshot.commit_sequence)
        put(store, batch("anna", "1", 1))
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            assert contents_of(snapshot.batches(("steps",), since)) == [b"1"]
        put(store, batch("anna", "4", 4), batch("anna", "5", 5))
        fold(store)
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            assert contents_of(snapshot.batches(("steps",), since)) == [b"1", b"4", b"5"]
        assert columns_of(store, "anna") == [b"0", b"2", b"3", b"1", b"4", b"5"]

    def test_a_selection_by_time_is_of_batches(self, store: Store) -> None:
        """A block has others beside those that are asked for."""
        put(store, *(batch("anna", f"{i}", 10 * i, 10 * i + 9) for i in range(4)))
        fold(store)
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            found = contents_of(snapshot.batches(("steps",), Selection(start=15, end=21)))
        assert found == [b"1", b"2"]

    def test_samples_that_end_late_are_found(self, store: Store) -> None:
        """Not by their start: a block has the end of the sample that ends last."""
        put(store, batch("anna", "short", 0), batch("anna", "long", 0, count=9))
        fold(store)
        find = store.overlapping_batches
        (block,) = find(DEFAULT_PROJECT, "anna", "steps", 8, 99)
        assert len(from_bytes(block.columns)) == 10
        assert find(DEFAULT_PROJECT, "anna", "steps", 9, 99) == []
        assert store.batches(DEFAULT_PROJECT, "anna", "steps", 8, 99) == []

    def test_an_erasure_deletes_blocks(self, store: Store) -> None:
        """And counts their samples; what comes later is not stored."""
        put(store, batch("anna", "1", count=3), batch("anna", "2", count=3), batch("bert", "1"))
        fold(store)
        put(store, batch("anna", "1", count=3))
        assert store.erase(DEFAULT_PROJECT, "anna", "e-1", NOON).counts["samples"] == 6
        assert store.batches(DEFAULT_PROJECT, "anna", "steps", *EVER) == []
        assert written_by(store, [entry(batch("anna", "1"))]) == [(Erased(),)]
        assert fold(store).batches == 0
        assert columns_of(store, "bert") == [b"1"]

    def test_retention_deletes_batches_of_blocks(self, store: Store) -> None:
        """By the time each was received last; the others stay."""
        for age in (9, 8, 7):
            made = batch("anna", f"{age}", age, count=age), batch("bert", f"{age}", age)
            put(store, *made, received_at=NOON - age)
        fold(store)
        put(store, batch("anna", "9", 9, count=9), received_at=NOON)
        rule = RetentionRule("samples", 1)
        assert store.count_expired(DEFAULT_PROJECT, rule, NOON - 7) == 10
        count = 0
        page = store.expire(DEFAULT_PROJECT, rule, NOON - 7, (), 1)
        while page.next:
            count += page.count
            page = store.expire(DEFAULT_PROJECT, rule, NOON - 7, page.next, 1)
        assert count + page.count == 10
        assert columns_of(store, "anna") == [b"7", b"9"]
        assert columns_of(store, "bert") == [b"7"]
        assert store.count_expired(DEFAULT_PROJECT, rule, NOON - 7) == 0
