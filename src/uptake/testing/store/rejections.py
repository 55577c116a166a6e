"""What a store must do about rejections."""

from collections.abc import Iterable

from msgspec.structs import replace

from uptake.model.submission import Resolved
from uptake.store.base import MAX_RECEIPTS, Store
from uptake.store.stored import ReceiptItem, RejectionFilter, StoredReceipt, StoredRejection
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    digest_of,
    document,
    entry,
    existing,
    image,
    put,
    rejection,
    shared,
)


def ids_of(rejections: Iterable[StoredRejection]) -> list[str]:
    """Return the ids of rejections."""
    return [stored.record.rejection_id for stored in rejections]


class RejectionQueriesSuite(OpensStore):
    """Rejections and receipts are returned as they were stored."""

    def test_a_rejection_is_returned_as_it_was(self, store: Store) -> None:
        """With every fault, its place, and any bytes at all."""
        first = rejection("r-1", user_id="\u00e5sa", raw=bytes(range(256)), position=999)
        received = put(store, rejections=(first,))
        expected = StoredRejection(first, received.request_id, NOON)
        assert store.rejections("default", "", 10) == [expected]

    def test_a_rejection_may_be_of_a_whole_request(self, store: Store) -> None:
        """Then it has no position, perhaps no user and perhaps no bytes of its own."""
        rejections = (rejection("r-1", raw=b""), rejection("r-2", raw=b"", raw_blob="rejected/x"))
        put(store, rejections=rejections)
        stored = [stored.record for stored in store.rejections("default", "", 10)]
        assert stored == list(rejections)
        assert [record.position for record in stored] == [None, None]

    def test_rejections_page_in_order_of_id(self, store: Store) -> None:
        """After an id, at most `limit`, for all users and in any order of writing."""
        for group in (("07", "02"), ("09", "00", "05"), ("01",), ("08", "03")):
            store.commit(
                [entry(rejections=(rejection(name, user_id=f"u{name}"),)) for name in group]
            )
        paged = [[""]]
        while page := store.rejections("default", paged[-1][-1], 3):
            paged.append(ids_of(page))
        assert paged[1:] == [["00", "01", "02"], ["03", "05", "07"], ["08", "09"]]

    def test_rejections_belong_to_their_project(self, store: Store) -> None:
        """A project has only its own."""
        put(store, rejections=(rejection("r-1"),), project="one")
        put(store, rejections=(rejection("r-2"),), project="two")
        found = [ids_of(store.rejections(name, "", 10)) for name in ("one", "two", "default")]
        assert found == [["r-1"], ["r-2"], []]

    def test_rejections_are_filtered(self, store: Store) -> None:
        """By every field; a field without a filter matches all."""
        one = entry(rejections=(rejection("r-1", user_id="anna"), rejection("r-2")))
        two = entry(rejections=(rejection("r-3", user_id="anna"),), received_at=NOON + 5)
        store.commit([one, two])

        def found(**wanted: object) -> list[str]:
            only = RejectionFilter(**wanted)  # type: ignore[arg-type]
            return ids_of(store.rejections("default", "", 10, only))

        assert found(user_id="anna") == ["r-1", "r-3"]
        assert found(user_id="anna", request_id=one.request_id) == ["r-1"]
        assert found(format="samples", key_id="key-1", code="blank") == ["r-1", "r-2", "r-3"]
        assert found(code="blan") == found(format="image") == found(key_id="key-2") == []
        assert (found(since=NOON + 1), found(until=NOON + 5)) == (["r-3"], ["r-1", "r-2"])

    def test_a_rejection_is_found_by_its_id(self, store: Store) -> None:
        """In its project alone."""
        first = rejection("r-1", user_id="anna")
        received = put(store, rejections=(first,))
        stored = StoredRejection(first, received.request_id, NOON)
        assert store.rejection("default", "r-1") == stored
        assert store.rejection("other", "r-1") is None
        assert store.rejection("default", "r-2") is None

    def test_a_replay_resolves_its_rejection(self, store: Store) -> None:
        """In the transaction that keeps its items; it stays what it was otherwise."""
        first = rejection("r-1", user_id="anna")
        put(store, rejections=(first, rejection("r-2", user_id="anna")))
        replay = put(store, document("anna"), resolves=Resolved("r-1", ("anna",)))
        stored = existing(store.rejection("default", "r-1"))
        assert (stored.record, stored.resolved_by) == (first, replay.request_id)
        open_ones = store.rejections("default", "", 10, RejectionFilter(resolved=False))
        assert ids_of(open_ones) == ["r-2"]

    def test_every_entry_stores_a_receipt(self, store: Store) -> None:
        """What became of each record, and between which ids its rejections lie."""
        mixed = entry(
            document("anna", "u-1"),
            image("anna", "x"),
            image("anna", "x"),
            batch("anna", "y", count=3),
            rejections=(rejection("r-2", user_id="anna"), rejection("r-1", user_id="anna")),
        )
        profiles = entry(attributes("anna", a="1"), attributes("bert", a="1"))
        store.commit([mixed, profiles])
        (receipt,) = store.receipts("default", mixed.request_id)
        number = receipt.items[1].reference
        expected = StoredReceipt(
            mixed.request_id,
            NOON,
            "samples",
            "key-1",
            "anna",
            (
                ReceiptItem("document", 1, "u-1"),
                ReceiptItem("image", 1, number),
                ReceiptItem("image", 1, number, repeated=True),
                ReceiptItem("samples", 4),
            ),
            ("r-1", "r-2"),
            duplicates=2,
            rejected_items=2,
            fault="missing",
        )
        assert receipt == expected
        (table,) = store.receipts("default", profiles.request_id)
        assert (table.user_id, table.items) == ("", (ReceiptItem("attributes", 2),))
        assert store.receipts("other", mixed.request_id) == []

    def test_a_conflict_is_in_the_receipt(self, store: Store) -> None:
        """The rejection that takes a document's place is among those of its entry."""
        digest = digest_of("one")
        put(store, document("anna", "u-1", digest=digest))
        other = document(
            "anna", "u-1", digest=digest_of("two"), otherwise=rejection("r-1", user_id="anna")
        )
        again = document("anna", "u-1", digest=digest)
        second, third = entry(other), entry(again)
        store.commit([second, third])
        (conflict,) = store.receipts("default", second.request_id)
        assert (conflict.items, conflict.rejected) == ((), ("r-1", "r-1"))
        (repeat,) = store.receipts("default", third.request_id)
        assert repeat.items == (ReceiptItem("document", 1, "u-1", repeated=True),)

    def test_requests_may_share_an_id(self, store: Store) -> None:
        """Their sender gave it; in the order in which they were received."""
        one, two = entry(document("anna")), entry(document("bert"), received_at=NOON + 1)
        two = replace(two, request_id=one.request_id)
        three = replace(entry(document("carl")), request_id=one.request_id)
        store.commit([two, one, three])
        receipts = store.receipts("default", one.request_id)
        assert [receipt.user_id for receipt in receipts] == ["anna", "carl", "bert"]

    def test_the_latest_receipts_of_a_shared_id_are_returned(self, store: Store) -> None:
        """A client that uses one id for everything cannot make an answer of any length."""
        first = entry(document("user 0"))
        entries = [
            replace(entry(document(f"user {n}"), received_at=NOON + n), request_id=first.request_id)
            for n in range(MAX_RECEIPTS + 5)
        ]
        store.commit(entries)
        receipts = store.receipts("default", first.request_id)
        assert [receipt.user_id for receipt in receipts] == [
            f"user {n}" for n in range(5, MAX_RECEIPTS + 5)
        ]

    def test_a_rejection_about_several_users_is_one(self, store: Store) -> None:
        """It is listed once, under each of its users with that share, and found by its id."""
        shares = shared("r-1", "anna", "bert", "")
        put(store, rejections=(*shares, rejection("r-2", user_id="anna")))
        first, second = store.rejections("default", "", 10)
        assert first.records == (shares[2], *shares[:2])
        assert first.user_ids == ("anna", "bert")
        assert second.user_ids == ("anna",)
        assert store.rejections("default", "", 1) == [first]
        assert store.rejections("default", "r-1", 10) == [second]
        only = RejectionFilter(user_id="bert")
        (of_bert,) = store.rejections("default", "", 10, only)
        assert of_bert.records == (shares[1],)
        assert store.rejection("default", "r-1") == first

    def test_a_replay_resolves_all_of_a_rejection(self, store: Store) -> None:
        """Under every user it is stored under."""
        put(store, rejections=shared("r-1", "anna", "bert"))
        put(store, document("anna"), resolves=Resolved("r-1", ("anna", "bert")))
        for user_id in ("anna", "bert", None):
            only = RejectionFilter(user_id=user_id, resolved=True)
            assert len(store.rejections("default", "", 10, only)) == 1


class RejectionSummariesSuite(OpensStore):
    """The faults of the latest rejections are returned, the newest first."""

    def test_summaries_are_of_the_latest_rejections(self, store: Store) -> None:
        """With the faults, filtered, and at most `limit`; other projects are not seen."""
        put(store, rejections=(rejection("r-1"), rejection("r-2", user_id="anna")))
        store.commit([entry(rejections=(rejection("r-3"),), received_at=NOON + 5)])
        put(store, rejections=(rejection("r-4"),), project="other")
        store.commit([entry(document("anna", "x"), resolves=Resolved("r-1", ("",)))])
        found = store.rejection_summaries("default", RejectionFilter(), 10)
        assert [(one.rejection_id, one.received_at, one.is_resolved) for one in found] == [
            ("r-3", NOON + 5, False),
            ("r-2", NOON, False),
            ("r-1", NOON, True),
        ]
        assert {(one.format, one.faults) for one in found} == {("samples", rejection("r-1").faults)}
        for only, limit, ids in (
            (RejectionFilter(), 2, ["r-3", "r-2"]),
            (RejectionFilter(user_id="anna"), 10, ["r-2"]),
            (RejectionFilter(resolved=False), 1, ["r-3"]),
            (RejectionFilter(code="other"), 10, []),
        ):
            some = store.rejection_summaries("default", only, limit)
            assert [one.rejection_id for one in some] == ids
