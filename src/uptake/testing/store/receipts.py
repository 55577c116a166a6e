"""What a store must do about receipts that are folded."""

from collections.abc import Iterable

from msgspec.structs import replace

from uptake.model.problems import Kinds
from uptake.store.base import MAX_RECEIPTS, Store
from uptake.store.definitions import RetentionRule
from uptake.store.records import Entry, RequestError
from uptake.store.stored import StoredReceipt
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    document,
    entry,
    image,
    put,
    rejection,
)
from uptake.time_units import MICROSECONDS_PER_DAY

TOMORROW = NOON + MICROSECONDS_PER_DAY
MOMENT = NOON // 1000
"""Milliseconds of `NOON`."""

MAX_CALLS = 50
"""Calls in which a store folds the few receipts of a test."""


def fold(store: Store, now: int = TOMORROW, project: str = "default") -> int:
    """Fold what is due; returns the number of receipts."""
    folded = [store.fold_receipts(project, now) for _ in range(MAX_CALLS)]
    assert folded[-1] == 0
    return sum(folded)


def receipts_of(store: Store, entries: Iterable[Entry]) -> list[list[StoredReceipt]]:
    """Return the receipts with the ids of these entries."""
    return [store.receipts(one.project, one.request_id) for one in entries]


def time_ordered(number: int, milliseconds: int = MOMENT) -> str:
    """Return a request id as servers make them: a UUID of version 7."""
    digits = f"{milliseconds:012x}7abc9{number:015x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class FoldedReceipts(OpensStore):
    """Receipts are the same after they are folded."""

    def test_folded_receipts_are_returned_as_they_were(self, store: Store) -> None:
        """Whatever they have, whoever chose their ids, and in the project of their request."""
        error = RequestError(413, "payload_too_large", "bert")
        made = [
            entry(
                document("anna", "u-1"),
                image("anna", "x"),
                batch("anna", "y", count=3),
                rejections=(rejection("r-2", user_id="anna"), rejection("r-1", user_id="anna")),
            ),
            entry(batch("anna", "y", count=3), received_at=NOON + 1),
            entry(attributes("anna", a="1"), attributes("bert", a="1"), received_at=NOON + 999),
            replace(entry(), error=error, format="gerosense-v1.1", key_id="key-2"),
            replace(entry(batch("anna", "z")), request_id=time_ordered(1)),
            replace(entry(batch("anna", "a")), request_id=time_ordered(2, MOMENT - 99_000_000)),
            replace(entry(batch("bert", "b")), request_id=time_ordered(3, MOMENT + 900)),
            replace(entry(batch("bert", "b")), request_id=time_ordered(4).upper()),
            replace(entry(batch("bert", "b")), request_id="x" * 64),
            entry(batch("anna", "c"), project="other"),
        ]
        store.commit(made)
        before = receipts_of(store, made)
        assert [len(found) for found in before] == [1] * len(made)
        assert fold(store) == len(made) - 1
        assert receipts_of(store, made) == before
        assert fold(store, project="other") == 1
        assert receipts_of(store, made) == before
        for unknown in (time_ordered(5), "x" * 63, "y", time_ordered(1, MOMENT + 1)):
            assert store.receipts("default", unknown) == []

    def test_few_receipts_wait_for_the_end_of_their_day(self, store: Store) -> None:
        """So that a block has many of them."""
        made = put(store, batch("anna", "y"))
        assert fold(store, NOON + 1) == 0
        assert fold(store, TOMORROW) == 1
        assert len(store.receipts("default", made.request_id)) == 1

    def test_many_receipts_are_folded_on_their_day(self, store: Store) -> None:
        """More than fit into a block, of one user and of many, in any order of writing."""
        made = [
            replace(
                entry(received_at=NOON + number * 7919 % 5000),
                request_id=time_ordered(number),
                error=RequestError(429, "rate", f"user {number % 300}" if number % 7 == 0 else ""),
            )
            for number in range(6000)
        ]
        for at in range(0, len(made), 3000):
            store.commit(made[at : at + 3000])
            assert fold(store, NOON + 1) > 0
        fold(store)
        some = made[::199]
        assert receipts_of(store, some) == [
            [
                StoredReceipt(
                    one.request_id,
                    one.received_at,
                    "samples",
                    "key-1",
                    one.error.user_id if one.error else "",
                    (),
                    None,
                    status=429,
                    code="rate",
                )
            ]
            for one in some
        ]
        assert store.count_expired("default", RetentionRule("receipts", 1), TOMORROW) == len(made)

    def test_the_latest_of_a_shared_id_are_returned_wherever_they_are(self, store: Store) -> None:
        """In blocks of several days, and not yet in any."""
        first = entry()
        made = [
            replace(entry(batch(f"user {n}", "y"), received_at=moment), request_id=first.request_id)
            for n in range(MAX_RECEIPTS)
            for moment in (NOON + n, TOMORROW + n)
        ]
        for at in range(0, len(made), 8):
            store.commit(made[at : at + 8])
            fold(store, TOMORROW + 9)
        expected = [(TOMORROW + n, f"user {n}") for n in range(MAX_RECEIPTS)]
        found = store.receipts("default", first.request_id)
        assert [(one.received_at, one.user_id) for one in found] == expected

    def test_nothing_folded_is_left_of_an_erased_user(self, store: Store) -> None:
        """Receipts of the user are counted and deleted; those of others are unchanged."""
        anna = [put(store, batch("anna", f"{n}"), received_at=NOON + n) for n in range(3)]
        bert = put(store, batch("bert", "y"))
        both = put(store, batch("anna", "x"), batch("bert", "x"))
        assert fold(store) == 5
        anna.append(put(store, batch("anna", "z")))
        assert store.erase("default", "anna", "e-1", NOON).counts["receipts"] == 4
        fold(store)
        assert receipts_of(store, anna) == [[]] * 4
        assert [one.user_id for (one,) in receipts_of(store, [bert, both])] == ["bert", ""]

    def test_folded_receipts_expire_with_their_day(self, store: Store) -> None:
        """Once all of it is over, and not those of the next day or of another project."""
        midnight = TOMORROW - TOMORROW % MICROSECONDS_PER_DAY
        moments = (NOON, midnight - 1, midnight)
        made = [put(store, batch("anna", f"{moment}"), received_at=moment) for moment in moments]
        other = put(store, batch("anna", "y"), project="other")
        fold(store, TOMORROW + MICROSECONDS_PER_DAY)
        fold(store, project="other")
        rule = RetentionRule("receipts", 1)
        for before, due in ((midnight - 1, 0), (midnight, 2), (midnight + 1, 0)):
            assert store.count_expired("default", rule, before) == due
            pages = [store.expire("default", rule, before, (), 1)]
            while pages[-1].next:
                pages.append(store.expire("default", rule, before, pages[-1].next, 1))
            assert sum(page.count for page in pages) == due
        assert [len(found) for found in receipts_of(store, [*made, other])] == [0, 0, 1, 1]

    def test_receipts_without_a_valid_key_still_expire_earlier(self, store: Store) -> None:
        """By a rule about their code."""
        code = Kinds.UNAUTHORIZED.value.code
        made = replace(entry(), error=RequestError(401, code, ""))
        store.commit([made])
        other = put(store, batch("anna", "y"))
        fold(store)
        assert (
            store.expire("default", RetentionRule("receipts", 3, code), TOMORROW, (), 9).count == 1
        )
        assert [len(found) for found in receipts_of(store, [made, other])] == [0, 1]
