"""Conformance suite of the port `Commits`: groups of entries, and many rows."""

import time

import pytest

from uptake.model.items import MAX_ATTRIBUTES
from uptake.model.submission import Resolved
from uptake.store.base import Store
from uptake.store.records import WrittenDocument, WrittenImage
from uptake.testing.store.folding import everything
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    contents_of,
    digest_of,
    document,
    entry,
    image,
    put,
    rejection,
    written_by,
)
from uptake.time_units import TICKS_PER_HOUR


class CommitsSuite(OpensStore):
    """A group is written whole, in order, or not at all."""

    def test_an_empty_commit_succeeds(self, store: Store) -> None:
        """Without entries, and with empty entries, nothing happens and no error is raised."""
        assert written_by(store, []) == []
        assert written_by(store, [entry(), entry()]) == [(), ()]

    def test_the_result_has_an_outcome_for_every_record(self, store: Store) -> None:
        """What is stored now for documents and images; None for the others."""
        keyed = digest_of("x")
        written = written_by(
            store,
            [
                entry(attributes("anna", a="1"), image("anna", "x", name="one.png")),
                entry(batch("bert", "x"), document("bert"), image("bert", "x", name="two.png")),
                entry(rejections=(rejection(),)),
                entry(document("anna", "keyed", digest=keyed), batch("anna", "y")),
            ],
        )
        assert written == [
            (None, WrittenImage(1_000_001, "one.png", new=True)),
            (
                None,
                WrittenDocument(None, new=True),
                WrittenImage(1_000_002, "two.png", new=True),
            ),
            (),
            (WrittenDocument(keyed, new=True), None),
        ]

    def test_a_commit_that_fails_stores_nothing(self, store: Store) -> None:
        """Neither the entry that could not be written nor the other entries of the group."""
        put(store, image("anna", "x", name="taken.png"))
        before = store.user("default", "anna")
        group = [
            entry(attributes("bert", a="1"), document("bert", "plain"), batch("bert", "x")),
            entry(document("anna", "keyed", digest=digest_of("x")), image("anna", "y")),
            entry(image("anna", "z", name="taken.png"), rejections=(rejection(),)),
        ]
        with pytest.raises(Exception, match="name"):
            store.commit(group)
        assert store.user("default", "anna") == before
        assert store.user("default", "bert") is None
        assert store.document("default", "plain") is None
        assert store.document("default", "keyed") is None
        assert store.spans("default", "bert") == []
        assert store.rejections("default", "", 10) == []
        assert [i.name for i in store.images("default", "anna", 0, 10)] == ["taken.png"]

    def test_what_failed_with_a_group_can_be_written_without_it(self, store: Store) -> None:
        """A failed commit claims no ids, no names and no numbers."""
        put(store, image("anna", "x", name="taken.png"))
        good = entry(
            document("bert", "keyed", digest=digest_of("x")), image("bert", "y", name="free.png")
        )
        with pytest.raises(Exception, match="name"):
            store.commit([good, entry(image("anna", "z", name="taken.png"))])
        assert written_by(store, [good]) == [
            (
                WrittenDocument(digest_of("x"), new=True),
                WrittenImage(1_000_002, "free.png", new=True),
            )
        ]

    def test_a_rehearsal_has_the_outcome_of_the_commit(self, store: Store) -> None:
        """And stores nothing: neither data nor receipts, numbers or resolved rejections."""
        keyed, other = digest_of("x"), rejection("r-2", user_id="anna")
        many = {f"name {number}": "1" for number in range(MAX_ATTRIBUTES)}
        put(store, attributes("anna", a="1"), batch("anna", "x"), rejections=(rejection("r-1"),))
        put(store, document("anna", "keyed", digest=keyed), image("anna", "x", name="one.png"))
        put(store, document("bert", "gone"))
        store.erase("default", "bert", "erasure", NOON)
        resolves = Resolved("r-1", ("",))
        for rehearsed in (
            entry(attributes("anna", a="1"), batch("anna", "x"), resolves=resolves),
            entry(attributes("anna", b="2"), batch("anna", "y"), rejections=(rejection("r-3"),)),
            entry(attributes("carl", a="1"), image("carl", "z", name="two.png")),
            entry(document("anna", "keyed", digest=keyed), image("anna", "x", name="3.png")),
            entry(document("anna", "keyed", digest=digest_of("y"), otherwise=other)),
            entry(document("dora", "new", digest=digest_of("z")), document("dora")),
            entry(attributes("anna", **many)),
            entry(document("bert"), attributes("anna", a="2")),
        ):
            before = _all_of(store)
            outcome = store.rehearse(rehearsed)
            assert _all_of(store) == before
            assert store.receipts("default", rehearsed.request_id) == []
            assert store.commit([rehearsed]) == [outcome]
            stored = [] if outcome.receipt is None else [outcome.receipt]
            assert store.receipts("default", rehearsed.request_id) == stored


def _all_of(store: Store) -> tuple[object, ...]:
    """What is stored of the users of a test."""
    users = ("anna", "bert", "carl", "dora")
    return (
        [store.user("default", one) for one in users],
        everything(store),
        [store.images("default", one, 0, 10) for one in users],
        store.rejections("default", "", 10),
    )


ROWS = 20_000
"""Batches of one user, documents of all users: too many to compare each with all others."""

USERS = 1000
GROUP = 250
"""Entries in a commit, as under load."""

WRITE_SECONDS = 60.0
READ_SECONDS = 5.0
"""Generous on purpose: quadratic time would take hours, not minutes."""


class Volume(OpensStore):
    """Many rows take longer than few, but not much longer each."""

    def test_many_rows_are_written_and_found_in_bounded_time(self, store: Store) -> None:
        """Of one user, of many users, and rejected ones."""
        began = time.perf_counter()
        for start in range(0, ROWS, GROUP):
            store.commit(
                [
                    entry(
                        batch("anna", f"{i}", i * TICKS_PER_HOUR, (i + 1) * TICKS_PER_HOUR - 1),
                        document(f"user {i % USERS}", f"{i}"),
                        attributes(f"user {i % USERS}", a=f"{i}"),
                        rejections=(rejection(f"{i:06d}"),) if i % 10 == 0 else (),
                    )
                    for i in range(start, start + GROUP)
                ]
            )
            put(store, image("anna", f"{start}"))
        written = time.perf_counter()
        middle = ROWS // 2 * TICKS_PER_HOUR
        found = store.batches("default", "anna", "steps", middle, middle + 24 * TICKS_PER_HOUR - 1)
        spans = store.spans("default", "anna")
        user = store.user("default", "user 7")
        stored = store.document("default", f"{ROWS - 1}")
        rejected = store.rejections("default", f"{ROWS // 2:06d}", 100)
        images = store.images("default", "anna", 1_000_010, 5)
        read = time.perf_counter()
        expected = [f"{ROWS // 2 + i}".encode() for i in range(24)]
        assert [one for one in contents_of(found) if one in set(expected)] == expected
        assert sum(span.count for span in spans) == 2 * ROWS
        assert (spans[0].first, spans[-1].last) == (0, ROWS * TICKS_PER_HOUR - 1)
        assert user is not None
        assert (user.documents, user.attributes) == (ROWS // USERS, {"a": f"{ROWS - USERS + 7}"})
        assert stored is not None
        assert stored.user_id == f"user {USERS - 1}"
        assert [one.record.rejection_id for one in rejected] == [
            f"{ROWS // 2 + 10 * i:06d}" for i in range(1, 101)
        ]
        assert [i.image_id for i in images] == [1_000_011 + i for i in range(5)]
        assert written - began < WRITE_SECONDS
        assert read - written < READ_SECONDS
