"""Conformance suite: documents, images and batches of samples, as part of `ItemQueries`."""

from typing import Any

import pytest

from uptake.model.items import Attributes
from uptake.store.base import Store
from uptake.store.records import DocumentRecord, WrittenDocument, WrittenImage
from uptake.store.stored import (
    DocumentFilter,
    StoredDocument,
    StoredImage,
    StoredRejection,
    VersionStock,
)
from uptake.testing.store.making import (
    EVER,
    NOON,
    OpensStore,
    batch,
    columns_of,
    contents_of,
    digest_of,
    document,
    entry,
    existing,
    image,
    put,
    rejection,
    unfolded,
    unique,
    written_by,
)

FIRST, OTHER = digest_of("first"), digest_of("other")
FIRST_STORED = StoredDocument("anna", "shared", "visit", b'{"n": 1}', NOON)


def _first() -> DocumentRecord:
    return document("anna", "shared", data=FIRST_STORED.data, digest=FIRST)


class Documents(OpensStore):
    """Documents are stored byte for byte, and once per id."""

    def test_a_document_is_returned_as_it_was(self, store: Store) -> None:
        """Byte for byte: the layout of its JSON is the sender's."""
        data = '{ "b":1.0,\n\t"a": "\u00e9\\u00e9 \U0001f600 \\u0000" }'.encode()
        put(store, document("anna", "one", data=data))
        expected = StoredDocument("anna", "one", "visit", data, NOON)
        assert store.document("default", "one") == expected

    def test_a_document_has_the_version_that_validated_it(self, store: Store) -> None:
        """With a given or a derived id, and unchanged by later documents with that id."""
        put(store, document("anna", "one", version=7))
        put(store, document("anna", "two", digest=FIRST, version=8))
        put(store, document("anna", "two", digest=FIRST, version=9))
        found = [store.document("default", name) for name in ("one", "two")]
        assert [stored.version for stored in found if stored] == [7, 8]

    def test_documents_are_counted_by_version(self, store: Store) -> None:
        """With the first and the last moment of receipt; of one type of one project."""
        for at, version in enumerate([2, 1, 2, 2]):
            put(store, document(f"user-{at}", version=version), received_at=NOON - at)
        put(store, document("anna", type="diary", version=3))
        put(store, document("anna", version=4), project="other")
        assert store.document_versions("default", "visit") == [
            VersionStock(1, 1, NOON - 1, NOON - 1),
            VersionStock(2, 3, NOON - 3, NOON),
        ]
        assert store.document_versions("default", "nothing") == []

    def test_what_is_erased_is_not_counted(self, store: Store) -> None:
        """Nothing is left of it."""
        store.commit([entry(document("anna")), entry(document("bert", version=2))])
        store.erase("default", "bert", unique("erasure"), NOON)
        assert store.document_versions("default", "visit") == [VersionStock(1, 1, NOON, NOON)]

    def test_an_unknown_id_is_none(self, store: Store) -> None:
        """Neither for an unknown id nor for one of another project."""
        put(store, document("anna", "one"), project="other")
        assert store.document("default", "one") is None
        assert store.document("default", "") is None

    def test_a_repeat_is_the_first_document(self, store: Store) -> None:
        """An id that is taken with the same digest is a repeat: nothing is written."""
        put(store, _first())
        again = entry(_first(), received_at=NOON + 9)
        assert written_by(store, [again]) == [(WrittenDocument(FIRST, new=False),)]
        assert store.document("default", "shared") == FIRST_STORED
        assert store.rejections("default", "", 10) == []
        assert existing(store.user("default", "anna")).documents == 1

    def test_the_documents_of_a_user_are_listed(self, store: Store) -> None:
        """In order of id, page by page; those of other users and projects are not."""
        for name in ("c", "a", "b"):
            put(store, document("anna", name, data=name.encode(), version=2))
        put(store, document("bert", "aa"))
        put(store, document("anna", "d"), project="other")
        stored = [
            StoredDocument("anna", name, "visit", name.encode(), NOON, 2)
            for name in ("a", "b", "c")
        ]
        everything = DocumentFilter()
        assert store.documents("default", "anna", everything, "", 10) == stored
        assert store.documents("default", "anna", everything, "", 2) == stored[:2]
        assert store.documents("default", "anna", everything, "b", 10) == stored[2:]
        assert store.documents("default", "unknown", everything, "", 10) == []
        assert store.documents("default", "an\0na", everything, "", 10) == []

    def test_listed_documents_can_be_filtered(self, store: Store) -> None:
        """By their type, and by when they were received: from `since` until before `until`."""
        for at in range(4):
            put(store, document("anna", f"{at}", type="diary"), received_at=NOON + at)
        put(store, document("anna", "9"), received_at=NOON + 2)

        def found(**members: Any) -> list[str]:
            only = DocumentFilter(**members)
            listed = store.documents("default", "anna", only, "", 10)
            return [one.upload_id for one in listed]

        assert found(type="visit") == ["9"]
        assert found(type="vis\0it") == found(type="") == []
        assert found(since=NOON + 2) == ["2", "3", "9"]
        assert found(until=NOON + 2) == ["0", "1"]
        assert found(type="diary", since=NOON + 1, until=NOON + 3) == ["1", "2"]

    @pytest.mark.parametrize("user_id", ["anna", "bert"])
    def test_another_document_under_a_taken_id_is_stored_as_rejected(
        self, store: Store, user_id: str
    ) -> None:
        """The first does not change, and the rejection of the second is stored."""
        put(store, _first())
        first = rejection("r-1", user_id=user_id, raw=b'{"n": 2}')
        second = entry(
            document(user_id, "shared", data=b'{"n": 2}', digest=OTHER, otherwise=first),
            received_at=NOON + 9,
        )
        assert written_by(store, [second]) == [(WrittenDocument(FIRST, new=False),)]
        assert store.document("default", "shared") == FIRST_STORED
        assert store.rejections("default", "", 10) == [
            StoredRejection(first, second.request_id, NOON + 9)
        ]

    def test_a_rejected_document_makes_no_user(self, store: Store) -> None:
        """A user of rejected documents only does not exist."""
        put(store, _first())
        put(store, document("bert", "shared", digest=OTHER, otherwise=rejection()))
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
        assert store.document("default", "shared") == FIRST_STORED
        assert [stored.record for stored in store.rejections("default", "", 10)] == [first]

    def test_an_id_belongs_to_its_project(self, store: Store) -> None:
        """The same id in two projects is two documents."""
        put(store, _first(), project="one")
        second = document("bert", "shared", data=b'{"n": 2}', digest=OTHER, otherwise=rejection())
        written = written_by(store, [entry(second, project="two")])
        assert written == [(WrittenDocument(OTHER, new=True),)]
        found = [store.document(project, "shared") for project in ("one", "two")]
        assert [stored.data for stored in found if stored] == [b'{"n": 1}', b'{"n": 2}']

    def test_a_large_document_is_stored_whole(self, store: Store) -> None:
        """As large as a body may be: 4 MiB."""
        data = b'"' + b"x" * (4 * 1024 * 1024 - 2) + b'"'
        put(store, document("anna", "one", data=data))
        assert existing(store.document("default", "one")).data == data


class Images(OpensStore):
    """User and bytes identify an image. Its number is unique in the project, its name globally."""

    def test_an_image_comes_back_as_it_was(self, store: Store) -> None:
        """By its user, and by its name."""
        put(store, image("anna", "x", name="one.png"))
        expected = StoredImage(
            image_id=1_000_001,
            user_id="anna",
            name="one.png",
            sha256=digest_of("clean x").hex(),
            bytes=1,
            blob=f"images/{digest_of('x').hex()}",
            media_type="image/png",
            width=640,
            height=480,
            received_at=NOON,
            uploaded_bytes=11,
        )
        assert store.images("default", "anna", 0, 10) == [expected]
        assert store.image("one.png") == expected

    def test_a_name_never_given_is_none(self, store: Store) -> None:
        """Names are compared as a whole."""
        put(store, image("anna", "x", name="one.png"))
        assert [store.image(name) for name in ("", "one", "ONE.png", "one.pn_")] == [None] * 4

    def test_the_same_bytes_again_are_the_same_image(self, store: Store) -> None:
        """For one user: its number and its name are those of the first, later and in one group."""
        first = WrittenImage(1_000_001, "one.png", new=True)
        again = WrittenImage(1_000_001, "one.png", new=False)
        group = [
            entry(image("anna", "x", name="one.png"), image("anna", "x", name="two.png")),
            entry(image("anna", "x", name="three.png")),
        ]
        assert written_by(store, group) == [(first, again), (again,)]
        assert written_by(store, [entry(image("anna", "x"), received_at=NOON + 9)]) == [(again,)]
        assert store.image("two.png") is None
        assert [i.received_at for i in store.images("default", "anna", 0, 10)] == [NOON]

    def test_the_same_bytes_for_another_user_are_another_image(self, store: Store) -> None:
        """A number does not reveal that another user has the same picture."""
        store.commit([entry(image("anna", "x")), entry(image("bert", "x"))])
        (anna,), (bert,) = (store.images("default", name, 0, 10) for name in ("anna", "bert"))
        assert (anna.image_id, bert.image_id) == (1_000_001, 1_000_002)
        assert anna.name != bert.name

    def test_every_project_numbers_its_images_from_the_first(self, store: Store) -> None:
        """The same bytes of the same user id in another project are another image."""
        for project in ("one", "two"):
            images = [image("anna", name, name=f"{project}-{name}") for name in "xy"]
            (written,) = written_by(store, [entry(*images, project=project)])
            assert written == (
                WrittenImage(1_000_001, f"{project}-x", new=True),
                WrittenImage(1_000_002, f"{project}-y", new=True),
            )
        assert [i.name for i in store.images("two", "anna", 0, 10)] == ["two-x", "two-y"]

    def test_images_page_in_order_of_number(self, store: Store) -> None:
        """After a number, at most `limit`."""
        put(store, *(image("anna", f"{i}") for i in range(7)), image("bert", "x"))
        numbers = [0]
        while page := store.images("default", "anna", numbers[-1], 3):
            assert len(page) <= 3
            numbers += [i.image_id for i in page]
        assert numbers[1:] == list(range(1_000_001, 1_000_008))
        assert store.images("default", "unknown", 0, 3) == []


YEAR_1 = -621_355_968_000_000_000
"""0001-01-01T00:00:00Z in ticks of 100 ns."""

YEAR_9999 = 2_534_023_007_999_999_999
"""9999-12-31T23:59:59.9999999Z in ticks of 100 ns."""


class BatchQueriesSuite(OpensStore):
    """A batch is stored once, found by time, and returned in the order received."""

    def test_batches_are_returned_in_the_order_received(self, store: Store) -> None:
        """Within an entry, a group, and across commits, for any times."""
        put(store, batch("anna", "1", 90, 95), batch("anna", "2", 10, 15))
        store.commit([entry(batch("anna", "3", 50, 55)), entry(batch("anna", "4", 0, 99))])
        assert columns_of(store, "anna") == [b"1", b"2", b"3", b"4"]

    def test_a_batch_received_again_is_the_last(self, store: Store) -> None:
        """It is stored once, at the place where it was received last."""
        store.commit([entry(batch("anna", "1")), entry(batch("anna", "2"))])
        put(store, batch("anna", "1"))
        assert columns_of(store, "anna") == [b"2", b"1"]

    def test_a_batch_received_again_in_one_group_is_the_last(self, store: Store) -> None:
        """Also when it was never written before."""
        store.commit(
            [
                entry(batch("anna", "1"), batch("anna", "2"), batch("anna", "1")),
                entry(batch("anna", "3"), batch("anna", "2")),
            ]
        )
        assert columns_of(store, "anna") == [b"1", b"3", b"2"]

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
        assert columns_of(store, "anna") == expected
        assert columns_of(store, "bert") == [b"0", b"1", b"2", b"3", b"4", b"again"]

    def test_both_edges_of_a_time_belong_to_it(self, store: Store) -> None:
        """A batch from 10 to 20 is found by every time that shares an instant with it."""
        put(store, batch("anna", "x", 10, 20))
        for start, end in ((10, 20), (20, 20), (20, 99), (0, 10), (10, 10), (12, 13), (0, 99)):
            found = store.batches("default", "anna", "steps", start, end)
            assert contents_of(found) == [b"x"]
        for start, end in ((0, 9), (21, 99)):
            assert store.batches("default", "anna", "steps", start, end) == []

    def test_all_years_of_the_wire_format_can_be_stored(self, store: Store) -> None:
        """From the year 1 to the year 9999, before and after the epoch."""
        put(
            store,
            batch("anna", "late", YEAR_9999 - 1, YEAR_9999),
            batch("anna", "early", YEAR_1, YEAR_1 + 1),
            batch("anna", "epoch", -1, 0),
        )

        def found(start: int, end: int) -> list[bytes]:
            stored = unfolded(store.batches("default", "anna", "steps", start, end))
            return [one.content for one in stored if one.first <= end and one.last >= start]

        assert found(YEAR_1, YEAR_1) == [b"early"]
        assert found(-1, -1) == [b"epoch"]
        assert found(YEAR_9999, YEAR_9999) == [b"late"]
        stored = unfolded(store.batches("default", "anna", "steps", *EVER))
        assert sorted(one.first for one in stored) == [YEAR_1, -1, YEAR_9999 - 1]
        spans = store.spans("default", "anna")
        assert (spans[0].first, max(span.last for span in spans)) == (YEAR_1, YEAR_9999)

    def test_spans_are_batches_without_their_samples(self, store: Store) -> None:
        """In order of metric and of the first sample. They may be folded."""
        store.commit(
            [
                entry(batch("anna", "1", 50, 60, count=7), batch("anna", "2", 10, 99)),
                entry(
                    batch("anna", "3", 70, 80, metric="bpm", count=1000), batch("bert", "4", 0, 1)
                ),
            ]
        )
        batches = [("bpm", 70, 80, 1000), ("steps", 10, 99, 2), ("steps", 50, 60, 7)]
        blocks = [("bpm", 70, 80, 1000), ("steps", 10, 99, 9)]
        spans = store.spans("default", "anna")
        assert [(s.metric, s.first, s.last, s.count) for s in spans] in (batches, blocks)
        assert store.spans("default", "unknown") == []
        assert [(s.metric, s.count) for s in store.spans("default", "anna", None, 1)] == [
            ("bpm", 1000)
        ]
        assert {s.metric for s in store.spans("default", "anna", "steps")} == {"steps"}
        assert sum(s.count for s in store.spans("default", "anna", "steps")) == 9

    def test_the_sequence_of_spans_grows_in_the_order_received(self, store: Store) -> None:
        """Also for a batch that is received again."""
        for name, first in (("1", 30), ("2", 20), ("3", 10), ("2", 20)):
            put(store, batch("anna", name, first, first))
        batches = unfolded(store.batches("default", "anna", "steps", *EVER))
        assert [one.first for one in batches] == [30, 10, 20]
        assert len({one.sequence for one in batches}) == 3
        last = max(span.sequence for span in store.spans("default", "anna"))
        assert last == batches[-1].sequence

    def test_users_metrics_and_projects_are_separate(self, store: Store) -> None:
        """The same batch of another user is another batch."""
        put(store, batch("anna", "x"), batch("anna", "x", metric="bpm"))
        store.commit([entry(batch("bert", "x")), entry(batch("anna", "x"), project="other")])
        put(store, batch("anna", "y"), received_at=NOON + 1)
        assert columns_of(store, "anna") == [b"x", b"y"]
        assert columns_of(store, "anna", metric="bpm") == [b"x"]
        assert columns_of(store, "bert") == [b"x"]
        assert columns_of(store, "anna", project="other") == [b"x"]
        assert columns_of(store, "bert", project="other") == []
