"""Conformance suite: documents, and the ids that repeats share."""

import pytest

from uptake.model.items import Attributes
from uptake.store.base import Store
from uptake.store.records import DocumentRecord, WrittenDocument
from uptake.store.stored import StoredDocument, StoredRejection, VersionStock
from uptake.testing.store.making import (
    NOON,
    digest_of,
    document,
    entry,
    rejection,
    unique,
    written_by,
)
from uptake.testing.store.opening import OpensStore

FIRST, OTHER = digest_of("first"), digest_of("other")


def _first() -> DocumentRecord:
    return document("anna", "shared", data=b'{"n": 1}', digest=FIRST)


class Documents(OpensStore):
    """Documents are stored byte for byte, and once per id."""

    def test_a_document_is_returned_as_it_was(self, store: Store) -> None:
        """Byte for byte: the layout of its JSON is the sender's."""
        data = '{ "b":1.0,\n\t"a": "\u00e9\\u00e9 \U0001f600 \\u0000" }'.encode()
        store.commit([entry(document("anna", "one", data=data))])
        expected = StoredDocument("anna", "one", "visit", data, NOON)
        assert store.document("default", "one") == expected

    def test_a_document_has_the_version_that_validated_it(self, store: Store) -> None:
        """Whether its id was given or is derived, and whatever comes under that id later."""
        store.commit([entry(document("anna", "one", version=7))])
        store.commit([entry(document("anna", "two", digest=FIRST, version=8))])
        store.commit([entry(document("anna", "two", digest=FIRST, version=9))])
        found = [store.document("default", name) for name in ("one", "two")]
        assert [stored.version for stored in found if stored] == [7, 8]

    def test_documents_are_counted_by_version(self, store: Store) -> None:
        """With the first and the last moment of receipt; of one type of one project."""
        for at, version in enumerate([2, 1, 2, 2]):
            record = document(f"user-{at}", version=version)
            store.commit([entry(record, received_at=NOON - at)])
        store.commit([entry(document("anna", type="diary", version=3))])
        store.commit([entry(document("anna", version=4), project="other")])
        assert store.document_versions("default", "visit") == [
            VersionStock(1, 1, NOON - 1, NOON - 1),
            VersionStock(2, 3, NOON - 3, NOON),
        ]
        assert store.document_versions("default", "nothing") == []

    def test_what_is_erased_is_not_counted(self, store: Store) -> None:
        """Nothing is left of it."""
        store.commit([entry(document("anna")), entry(document("bert", version=2))])
        store.erase("default", "bert", unique("erasure"), NOON)
        found = store.document_versions("default", "visit")
        assert found == [VersionStock(1, 1, NOON, NOON)]

    def test_an_unknown_id_is_none(self, store: Store) -> None:
        """Neither an unknown id nor one of another project finds anything."""
        store.commit([entry(document("anna", "one"), project="other")])
        assert store.document("default", "one") is None
        assert store.document("default", "") is None

    def test_a_repeat_is_the_first_document(self, store: Store) -> None:
        """An id that is taken with the same digest is a repeat: nothing is written."""
        store.commit([entry(_first())])
        again = entry(_first(), received_at=NOON + 9)
        assert written_by(store, [again]) == [(WrittenDocument(FIRST, new=False),)]
        expected = StoredDocument("anna", "shared", "visit", b'{"n": 1}', NOON)
        assert store.document("default", "shared") == expected
        assert store.rejections("default", "", 10) == []
        user = store.user("default", "anna")
        assert user is not None
        assert user.documents == 1

    @pytest.mark.parametrize("user_id", ["anna", "bert"])
    def test_another_document_under_a_taken_id_is_stored_as_rejected(
        self, store: Store, user_id: str
    ) -> None:
        """The first does not change, and the rejection of the second is stored."""
        store.commit([entry(_first())])
        first = rejection("r-1", user_id=user_id, raw=b'{"n": 2}')
        second = entry(
            document(user_id, "shared", data=b'{"n": 2}', digest=OTHER, otherwise=first),
            received_at=NOON + 9,
        )
        assert written_by(store, [second]) == [(WrittenDocument(FIRST, new=False),)]
        stored = store.document("default", "shared")
        assert stored == StoredDocument("anna", "shared", "visit", b'{"n": 1}', NOON)
        assert store.rejections("default", "", 10) == [
            StoredRejection(first, second.request_id, NOON + 9)
        ]

    def test_a_rejected_document_makes_no_user(self, store: Store) -> None:
        """A user of rejected documents only does not exist."""
        store.commit([entry(_first())])
        store.commit([entry(document("bert", "shared", digest=OTHER, otherwise=rejection()))])
        assert store.user("default", "bert") is None

    def test_repeats_in_one_group_are_recognized(self, store: Store) -> None:
        """First, the same, and another of one id, in one transaction."""
        first = rejection("r-1")
        written = written_by(
            store,
            [
                entry(_first(), document("anna", "shared", data=b"{}", digest=FIRST)),
                entry(document("bert", "shared", digest=OTHER, otherwise=first)),
                entry(_first(), Attributes("anna", ("a",), ["1"])),
            ],
        )
        assert written == [
            (WrittenDocument(FIRST, new=True), WrittenDocument(FIRST, new=False)),
            (WrittenDocument(FIRST, new=False),),
            (WrittenDocument(FIRST, new=False), None),
        ]
        stored = store.document("default", "shared")
        assert stored == StoredDocument("anna", "shared", "visit", b'{"n": 1}', NOON)
        assert [stored.record for stored in store.rejections("default", "", 10)] == [first]

    def test_an_id_belongs_to_its_project(self, store: Store) -> None:
        """The same id in two projects is two documents."""
        store.commit([entry(_first(), project="one")])
        second = document("bert", "shared", data=b'{"n": 2}', digest=OTHER, otherwise=rejection())
        assert written_by(store, [entry(second, project="two")]) == [
            (WrittenDocument(OTHER, new=True),)
        ]
        found = [store.document(project, "shared") for project in ("one", "two")]
        assert [stored.data for stored in found if stored] == [b'{"n": 1}', b'{"n": 2}']

    def test_a_large_document_is_stored_whole(self, store: Store) -> None:
        """As large as a body may be: 4 MiB."""
        data = b'"' + b"x" * (4 * 1024 * 1024 - 2) + b'"'
        store.commit([entry(document("anna", "one", data=data))])
        stored = store.document("default", "one")
        assert stored is not None
        assert stored.data == data
