"""Conformance suite of the port `Commits`: groups of entries."""

import pytest

from uptake.store.base import Store
from uptake.store.records import WrittenDocument, WrittenImage
from uptake.testing.store.making import (
    attributes,
    batch,
    digest_of,
    document,
    entry,
    image,
    rejection,
    written_by,
)
from uptake.testing.store.opening import OpensStore


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
        store.commit([entry(image("anna", "x", name="taken.png"))])
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
        store.commit([entry(image("anna", "x", name="taken.png"))])
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
