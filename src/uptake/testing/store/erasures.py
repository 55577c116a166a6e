"""Conformance suite of the port `Erasures`."""

import hashlib

from uptake.model import ids
from uptake.store.base import Store
from uptake.store.records import Erased
from uptake.store.stored import Erasure, ReceiptItem
from uptake.testing.store.making import (
    NOON,
    attributes,
    batch,
    document,
    entry,
    image,
    key,
    rejection,
    shared,
    written_by,
)
from uptake.testing.store.opening import OpensStore


def _fill(store: Store, user_id: str, project: str = "default") -> None:
    store.commit(
        [
            entry(
                document(user_id, f"{project} {user_id}"),
                image(user_id, "x", name=f"{project} {user_id}.png"),
                batch(user_id, "y", count=3),
                rejections=(rejection(f"{project} {user_id}", user_id=user_id),),
                project=project,
            ),
            entry(attributes(user_id, a="1"), project=project),
        ]
    )
    store.add_key(key(f"{project} {user_id}", project=project, user=user_id))


class ErasuresSuite(OpensStore):
    """Nothing of an erased user is left, and nothing new is stored."""

    def test_nothing_is_left_of_an_erased_user(self, store: Store) -> None:
        """Of any kind, by whatever name it is asked for; others keep theirs."""
        for user_id, project in (("anna", "default"), ("bert", "default"), ("anna", "other")):
            _fill(store, user_id, project)
        erasure = store.erase("default", "anna", "e-1", NOON)
        counts = {"users": 1, "samples": 3, "documents": 1, "images": 1, "rejections": 1}
        counts |= {"receipts": 1, "keys": 1}
        assert erasure == Erasure("e-1", store.user_hash("anna"), NOON, counts)
        assert store.user("default", "anna") is None
        assert store.spans("default", "anna") == []
        assert store.images("default", "anna", 0, 10) == []
        assert store.document("default", "default anna") is None
        assert store.image("default anna.png") is None
        assert store.rejection("default", "default anna") is None
        keys = store.keys()
        assert [stored.id for stored in keys] == ["default bert", "other anna"]
        for project, user_id in (("default", "bert"), ("other", "anna")):
            user = store.user(project, user_id)
            assert user is not None
            assert (user.documents, user.images, user.attributes) == (1, 1, {"a": "1"})
            assert store.image(f"{project} {user_id}.png") is not None

    def test_a_rejection_about_several_users_loses_one_of_them(self, store: Store) -> None:
        """The others keep their shares of it."""
        store.commit([entry(rejections=shared("r-1", "anna", "bert", ""))])
        erasure = store.erase("default", "anna", "e-1", NOON)
        assert erasure.counts["rejections"] == 1
        stored = store.rejection("default", "r-1")
        assert stored is not None
        assert sorted(record.user_id for record in stored.records) == ["", "bert"]

    def test_a_rejection_that_cannot_be_divided_goes_whole(self, store: Store) -> None:
        """Whichever of its users is erased; other rejections of the others stay."""
        tied = shared("r-1", "anna", "bert", tied=True)
        other = rejection("r-2", user_id="bert")
        elsewhere = entry(rejections=shared("r-1", "anna", "bert", tied=True), project="other")
        store.commit([entry(rejections=(*tied, other)), elsewhere])
        assert store.erase("default", "anna", "e-1", NOON).counts["rejections"] == 1
        assert store.rejection("default", "r-1") is None
        assert store.rejection("default", "r-2") is not None
        assert store.rejection("other", "r-1") is not None

    def test_parts_about_erased_users_are_not_stored(self, store: Store) -> None:
        """What comes later keeps the others' shares, or nothing where it cannot be divided."""
        store.erase("default", "anna", "e-1", NOON)
        late = entry(
            rejections=(
                *shared("r-1", "anna", "bert"),
                *shared("r-2", "anna", "bert", tied=True),
            )
        )
        store.commit([late])
        stored = store.rejection("default", "r-1")
        assert stored is not None
        assert stored.user_ids == ("bert",)
        assert store.rejection("default", "r-2") is None
        (receipt,) = store.receipts("default", late.request_id)
        assert (receipt.user_id, receipt.rejected) == ("bert", ("r-1", "r-1"))

    def test_users_are_hashed_with_a_secret(self, store: Store) -> None:
        """The same user always alike, and never as anybody could hash the id."""
        assert store.user_hash("42") == store.user_hash("42") != store.user_hash("43")
        assert store.user_hash("42") != hashlib.sha256(b"42").hexdigest()
        assert store.user_hash("42") == ids.user_hash(store.secrets().user_hash, "42")

    def test_attribute_names_without_users_are_deleted(self, store: Store) -> None:
        """Attributes are named by their senders, who may name them after a user."""
        store.commit([entry(attributes("anna", a="1", b="2"), attributes("bert", a="1"))])
        store.commit([entry(attributes("anna", a="1"))])
        store.erase("default", "anna", "e-1", NOON)
        store.commit([entry(attributes("carl", a="3", b="4"))])
        found = {name: store.user("default", name) for name in ("bert", "carl")}
        assert [user and user.attributes for user in found.values()] == [
            {"a": "1"},
            {"a": "3", "b": "4"},
        ]

    def test_later_data_of_an_erased_user_is_not_stored(self, store: Store) -> None:
        """Of any kind; what came with it about others is."""
        store.erase("default", "anna", "e-1", NOON)
        late = entry(
            attributes("anna", a="2"),
            attributes("bert", a="2"),
            document("anna", "u-1"),
            image("anna", "x"),
            batch("anna", "y", count=3),
            rejections=(rejection("r-1", user_id="anna"), rejection("r-2", user_id="bert")),
        )
        (written,) = written_by(store, [late])
        assert written == (Erased(), None, Erased(), Erased(), Erased())
        assert store.user("default", "anna") is None
        assert store.document("default", "u-1") is None
        assert store.rejection("default", "r-1") is None
        assert store.rejection("default", "r-2") is not None
        assert store.user("default", "bert") is not None
        (receipt,) = store.receipts("default", late.request_id)
        assert receipt.items == (ReceiptItem("erased", 7), ReceiptItem("attributes", 1))

    def test_a_receipt_about_an_erased_user_does_not_name_it(self, store: Store) -> None:
        """It has only the fact that something was not stored."""
        store.erase("default", "anna", "e-1", NOON)
        late = entry(document("anna"), rejections=(rejection("r-1", user_id="anna"),))
        store.commit([late])
        (receipt,) = store.receipts("default", late.request_id)
        assert (receipt.user_id, receipt.rejected) == ("", None)

    def test_an_erasure_holds_for_its_project_alone(self, store: Store) -> None:
        """A user of the same name elsewhere is another."""
        store.erase("default", "anna", "e-1", NOON)
        store.commit([entry(attributes("anna", a="1"), project="other")])
        assert store.user("other", "anna") is not None

    def test_a_readmitted_user_is_a_new_user(self, store: Store) -> None:
        """Nothing of what was before comes back."""
        _fill(store, "anna")
        store.erase("default", "anna", "e-1", NOON)
        assert store.readmit("default", "anna")
        assert not store.readmit("default", "anna")
        store.commit([entry(attributes("anna", b="2"))])
        user = store.user("default", "anna")
        assert user is not None
        assert (user.attributes, user.documents) == ({"b": "2"}, 0)
        store.erase("default", "anna", "e-2", NOON)
        store.commit([entry(attributes("anna", c="3"))])
        assert store.user("default", "anna") is None

    def test_an_unknown_user_can_be_erased(self, store: Store) -> None:
        """So data that arrives later is not stored either."""
        erasure = store.erase("default", "unknown", "e-1", NOON)
        assert set(erasure.counts.values()) == {0}
        store.commit([entry(attributes("unknown", a="1"))])
        assert store.user("default", "unknown") is None

    def test_erasures_are_listed(self, store: Store) -> None:
        """One by one, page after page, and those that have left bytes behind."""
        made = [store.erase("default", f"user {i}", f"e-{i}", NOON + i) for i in range(3)]
        store.erase("other", "anna", "e-3", NOON)
        assert store.erasure("default", "e-1") == made[1]
        assert store.erasure("default", "e-3") is None
        assert store.erasures("default", "e-0", 1) == [made[1]]
        store.finish_erasure("default", "e-1", NOON + 9)
        finished = store.erasure("default", "e-1")
        assert finished is not None
        assert finished.finished_at == NOON + 9
        left = [(project, stored.erasure_id) for project, stored in store.unfinished_erasures()]
        assert left == [("default", "e-0"), ("default", "e-2"), ("other", "e-3")]
