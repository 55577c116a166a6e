"""Conformance suite: batches of samples."""

import pytest

from uptake.store.base import Store
from uptake.testing.store.making import NOON, batch, entry
from uptake.testing.store.opening import OpensStore

YEAR_1 = -621_355_968_000_000_000
"""0001-01-01T00:00:00Z in ticks of 100 ns."""

YEAR_9999 = 2_534_023_007_999_999_999
"""9999-12-31T23:59:59.9999999Z in the same."""

EVER = (-(1 << 62), 1 << 62)


class Batches(OpensStore):
    """A batch is stored once, found by time, and returned in the order received."""

    def test_batches_are_returned_in_the_order_received(self, store: Store) -> None:
        """Inside an entry, across a group and across commits, whatever their times are."""
        store.commit([entry(batch("anna", "1", 90, 95), batch("anna", "2", 10, 15))])
        store.commit([entry(batch("anna", "3", 50, 55)), entry(batch("anna", "4", 0, 99))])
        assert store.batches("default", "anna", "steps", *EVER) == [b"1", b"2", b"3", b"4"]

    def test_a_batch_received_again_is_the_last(self, store: Store) -> None:
        """It is stored once, at the place where it was received last."""
        store.commit([entry(batch("anna", "1")), entry(batch("anna", "2"))])
        store.commit([entry(batch("anna", "1"))])
        assert store.batches("default", "anna", "steps", *EVER) == [b"2", b"1"]

    def test_a_batch_received_again_in_one_group_is_the_last(self, store: Store) -> None:
        """Also when it was never written before."""
        store.commit(
            [
                entry(batch("anna", "1"), batch("anna", "2"), batch("anna", "1")),
                entry(batch("anna", "3"), batch("anna", "2")),
            ]
        )
        assert store.batches("default", "anna", "steps", *EVER) == [b"1", b"3", b"2"]

    def test_the_order_outlasts_other_records_of_the_user(self, store: Store) -> None:
        """Groups that mix users and kinds do not disturb it."""
        for i in range(5):
            store.commit(
                [
                    entry(batch("anna", f"{i}a"), batch("bert", f"{i}")),
                    entry(batch("bert", "again"), batch("anna", f"{i}b")),
                ]
            )
        expected = [f"{i}{part}".encode() for i in range(5) for part in "ab"]
        assert store.batches("default", "anna", "steps", *EVER) == expected
        assert store.batches("default", "bert", "steps", *EVER) == [
            *(f"{i}".encode() for i in range(5)),
            b"again",
        ]

    @pytest.mark.parametrize(
        ("start", "end", "found"),
        [
            (10, 20, True),
            (20, 20, True),
            (20, 99, True),
            (0, 10, True),
            (10, 10, True),
            (12, 13, True),
            (0, 99, True),
            (0, 9, False),
            (21, 99, False),
        ],
    )
    def test_both_edges_of_a_time_belong_to_it(
        self, store: Store, start: int, end: int, *, found: bool
    ) -> None:
        """A batch from 10 to 20 is found by every time that shares an instant with it."""
        store.commit([entry(batch("anna", "x", 10, 20))])
        expected = [b"x"] if found else []
        assert store.batches("default", "anna", "steps", start, end) == expected

    def test_all_years_of_the_wire_format_can_be_stored(self, store: Store) -> None:
        """From the year 1 to the year 9999, before and after the epoch."""
        store.commit(
            [
                entry(
                    batch("anna", "late", YEAR_9999 - 1, YEAR_9999),
                    batch("anna", "early", YEAR_1, YEAR_1 + 1),
                    batch("anna", "epoch", -1, 0),
                )
            ]
        )

        def found(start: int, end: int) -> list[bytes]:
            return store.batches("default", "anna", "steps", start, end)

        assert found(YEAR_1, YEAR_1) == [b"early"]
        assert found(-1, -1) == [b"epoch"]
        assert found(YEAR_9999, YEAR_9999) == [b"late"]
        spans = store.spans("default", "anna")
        assert [span.first for span in spans] == [YEAR_1, -1, YEAR_9999 - 1]

    def test_spans_are_batches_without_their_samples(self, store: Store) -> None:
        """In order of metric and of the first sample."""
        store.commit(
            [
                entry(batch("anna", "1", 50, 60, count=7), batch("anna", "2", 10, 99)),
                entry(
                    batch("anna", "3", 70, 80, metric="bpm", count=1000), batch("bert", "4", 0, 1)
                ),
            ]
        )
        spans = store.spans("default", "anna")
        assert [(s.metric, s.first, s.last, s.count) for s in spans] == [
            ("bpm", 70, 80, 1000),
            ("steps", 10, 99, 1),
            ("steps", 50, 60, 7),
        ]
        assert store.spans("default", "unknown") == []
        assert store.spans("default", "anna", 1) == spans[:1]

    def test_the_sequence_of_spans_grows_in_the_order_received(self, store: Store) -> None:
        """Also for a batch that is received again."""
        for name, first in (("1", 30), ("2", 20), ("3", 10), ("2", 20)):
            store.commit([entry(batch("anna", name, first, first))])
        spans = sorted(store.spans("default", "anna"), key=lambda span: span.sequence)
        assert [span.first for span in spans] == [30, 10, 20]
        assert len({span.sequence for span in spans}) == 3

    def test_users_metrics_and_projects_are_separate(self, store: Store) -> None:
        """The same batch for another of them is another batch."""
        store.commit([entry(batch("anna", "x"), batch("anna", "x", metric="bpm"))])
        store.commit([entry(batch("bert", "x")), entry(batch("anna", "x"), project="other")])
        store.commit([entry(batch("anna", "y"), received_at=NOON + 1)])
        assert store.batches("default", "anna", "steps", *EVER) == [b"x", b"y"]
        assert store.batches("default", "anna", "bpm", *EVER) == [b"x"]
        assert store.batches("default", "bert", "steps", *EVER) == [b"x"]
        assert store.batches("other", "anna", "steps", *EVER) == [b"x"]
        assert store.batches("other", "bert", "steps", *EVER) == []
