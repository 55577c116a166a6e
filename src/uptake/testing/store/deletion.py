"""Conformance suites of the ports `Erasures` and `Retention`."""

import hashlib

from uptake.model import ids
from uptake.store.base import Store
from uptake.store.definitions import UNKNOWN_USER, RetentionKind, RetentionRule
from uptake.store.records import Erased
from uptake.store.stored import Erasure, Expired, ReceiptItem
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    columns_of,
    digest_of,
    document,
    entry,
    existing,
    image,
    key,
    put,
    rejection,
    shared,
    written_by,
)


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
        """Of any kind, by any query; the data of other users is unchanged."""
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
            user = existing(store.user(project, user_id))
            assert (user.documents, user.images, user.attributes) == (1, 1, {"a": "1"})
            assert store.image(f"{project} {user_id}.png") is not None

    def test_a_rejection_about_several_users_loses_one_of_them(self, store: Store) -> None:
        """The parts of the other users are unchanged."""
        put(store, rejections=shared("r-1", "anna", "bert", ""))
        erasure = store.erase("default", "anna", "e-1", NOON)
        assert erasure.counts["rejections"] == 1
        stored = existing(store.rejection("default", "r-1"))
        assert sorted(record.user_id for record in stored.records) == ["", "bert"]

    def test_a_rejection_that_cannot_be_divided_goes_whole(self, store: Store) -> None:
        """For any of its users; other rejections of the others are unchanged."""
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
        tied = shared("r-2", "anna", "bert", tied=True)
        late = put(store, rejections=(*shared("r-1", "anna", "bert"), *tied))
        assert existing(store.rejection("default", "r-1")).user_ids == ("bert",)
        assert store.rejection("default", "r-2") is None
        (receipt,) = store.receipts("default", late.request_id)
        assert (receipt.user_id, receipt.rejected) == ("bert", ("r-1", "r-1"))

    def test_the_secrets_of_bound_keys_are_deleted(self, store: Store) -> None:
        """Also those that were replaced."""
        bound = key("k-1", user="anna")
        store.add_key(bound)
        store.rotate_key(bound, digest_of("second").hex(), NOON, NOON + 9)
        assert store.erase("default", "anna", "e-1", NOON).counts["keys"] == 1
        assert store.key(bound.digest) is None
        assert store.key(digest_of("second").hex()) is None

    def test_users_are_hashed_with_a_secret(self, store: Store) -> None:
        """The same for the same user, and not a plain hash of the id."""
        assert store.user_hash("42") == store.user_hash("42") != store.user_hash("43")
        assert store.user_hash("42") != hashlib.sha256(b"42").hexdigest()
        assert store.user_hash("42") == ids.user_hash(store.secrets().user_hash, "42")

    def test_attribute_names_without_users_are_deleted(self, store: Store) -> None:
        """Attributes are named by their senders, who may name them after a user."""
        put(store, attributes("anna", a="1", b="2"), attributes("bert", a="1"))
        put(store, attributes("anna", a="1"))
        store.erase("default", "anna", "e-1", NOON)
        put(store, attributes("carl", a="3", b="4"))
        bert, carl = (existing(store.user("default", name)) for name in ("bert", "carl"))
        assert (bert.attributes, carl.attributes) == ({"a": "1"}, {"a": "3", "b": "4"})

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
        late = put(store, document("anna"), rejections=(rejection("r-1", user_id="anna"),))
        (receipt,) = store.receipts("default", late.request_id)
        assert (receipt.user_id, receipt.rejected) == ("", None)

    def test_an_erasure_holds_for_its_project_alone(self, store: Store) -> None:
        """A user of the same name in another project is another user."""
        store.erase("default", "anna", "e-1", NOON)
        put(store, attributes("anna", a="1"), project="other")
        assert store.user("other", "anna") is not None

    def test_a_readmitted_user_is_a_new_user(self, store: Store) -> None:
        """Erased data does not come back."""
        _fill(store, "anna")
        store.erase("default", "anna", "e-1", NOON)
        assert store.readmit("default", "anna")
        assert not store.readmit("default", "anna")
        put(store, attributes("anna", b="2"))
        user = existing(store.user("default", "anna"))
        assert (user.attributes, user.documents) == ({"b": "2"}, 0)
        store.erase("default", "anna", "e-2", NOON)
        put(store, attributes("anna", c="3"))
        assert store.user("default", "anna") is None

    def test_an_unknown_user_can_be_erased(self, store: Store) -> None:
        """So data that arrives later is not stored either."""
        erasure = store.erase("default", "unknown", "e-1", NOON)
        assert set(erasure.counts.values()) == {0}
        put(store, attributes("unknown", a="1"))
        assert store.user("default", "unknown") is None

    def test_erasures_are_listed(self, store: Store) -> None:
        """One by one, page after page, and those that have left bytes behind."""
        made = [store.erase("default", f"user {i}", f"e-{i}", NOON + i) for i in range(3)]
        store.erase("other", "anna", "e-3", NOON)
        assert store.erasure("default", "e-1") == made[1]
        assert store.erasure("default", "e-3") is None
        assert store.erasures("default", "e-0", 1) == [made[1]]
        store.finish_erasure("default", "e-1", NOON + 9)
        assert existing(store.erasure("default", "e-1")).finished_at == NOON + 9
        left = [(project, stored.erasure_id) for project, stored in store.unfinished_erasures()]
        assert left == [("default", "e-0"), ("default", "e-2"), ("other", "e-3")]


def _rule(kind: RetentionKind, type_: str = "") -> RetentionRule:
    return RetentionRule(kind, 30, type_)


def _expire_all(store: Store, rule: RetentionRule, before: int, limit: int) -> list[Expired]:
    pages, after = [], ()
    while True:
        page = store.expire("default", rule, before, after, limit)
        pages.append(page)
        if not page.next:
            return pages
        after = page.next


class RetentionSuite(OpensStore):
    """What is older than a rule permits is deleted, and nothing else."""

    def test_rules_are_sorted(self, store: Store) -> None:
        """New rules replace the earlier ones of their project."""
        rules = [_rule("samples", "steps"), _rule("documents", "visit"), _rule("samples", "bpm")]
        store.put_retention("default", [_rule("images")])
        store.put_retention("default", rules)
        store.put_retention("other", [_rule("images")])
        assert store.retention("default") == [rules[1], rules[2], rules[0]]
        store.put_retention("default", [])
        assert store.retention("default") == []
        assert store.retention("other") == [_rule("images")]

    def test_expired_data_is_deleted_and_the_rest_stays(self, store: Store) -> None:
        """Of every kind, counted before as it is taken; other projects are not touched."""
        for age, name in ((9, "old"), (0, "new")):
            for project in ("default", "other"):
                put(
                    store,
                    document("anna", f"{project} {name}"),
                    image("anna", f"{project} {name}", name=f"{project} {name}.png"),
                    batch("anna", name, count=3),
                    attributes("anna", a=name),
                    rejections=(rejection(f"{project} {name}", raw_blob=f"{project}/{name}"),),
                    project=project,
                    received_at=NOON - age,
                )
        counts: dict[RetentionKind, int] = {
            "samples": 3,
            "documents": 1,
            "images": 1,
            "rejections": 1,
            "receipts": 1,
        }
        for kind, count in counts.items():
            assert store.count_expired("default", _rule(kind), NOON) == count
            (page,) = _expire_all(store, _rule(kind), NOON, 10)
            assert (page.count, len(page.blobs)) == (count, kind in {"images", "rejections"})
            assert store.count_expired("default", _rule(kind), NOON) == 0
        assert store.document("default", "default old") is None
        assert store.image("default old.png") is None
        assert store.rejection("default", "default old") is None
        assert columns_of(store, "anna") == [b"new"]
        for project, names in (("default", ["new"]), ("other", ["old", "new"])):
            for name in names:
                assert store.document(project, f"{project} {name}") is not None
                assert store.image(f"{project} {name}.png") is not None
                assert store.rejection(project, f"{project} {name}") is not None
        user = existing(store.user("default", "anna"))
        assert (user.attributes, user.documents, user.images) == ({"a": "new"}, 1, 1)

    def test_a_rule_may_be_about_a_type(self, store: Store) -> None:
        """A metric, or the type of a document."""
        put(store, batch("anna", "x", metric="bpm"), batch("anna", "y"), document("anna", "u-1"))
        assert store.count_expired("default", _rule("samples", "steps"), NOON + 1) == 1
        assert store.count_expired("default", _rule("documents", "diary"), NOON + 1) == 0
        assert store.count_expired("default", _rule("documents", "visit"), NOON + 1) == 1
        _expire_all(store, _rule("samples", "bpm"), NOON + 1, 10)
        assert [span.metric for span in store.spans("default", "anna")] == ["steps"]

    def test_a_rule_may_be_about_rejections_without_a_user(self, store: Store) -> None:
        """Of a rejection about several users, only the part without a known user is deleted."""
        put(store, rejections=(rejection("r-1"), rejection("r-2", user_id="anna")))
        put(store, rejections=shared("r-3", "anna", "bert", ""))
        rule = RetentionRule("rejections", 1, UNKNOWN_USER)
        assert store.count_expired("default", rule, NOON + 1) == 2
        assert sum(page.count for page in _expire_all(store, rule, NOON + 1, 10)) == 2
        left = [stored.user_ids for stored in store.rejections("default", "", 10)]
        assert left == [("anna",), ("anna", "bert")]

    def test_each_page_continues_after_the_one_before(self, store: Store) -> None:
        """Each has as many as were asked for, the last one fewer."""
        users = ("anna", "bert", "carl", "dora", "emil")
        put(store, *(document(user, f"u-{user}") for user in users))
        pages = _expire_all(store, _rule("documents"), NOON + 1, 2)
        assert [page.count for page in pages] == [2, 2, 1]
        put(store, *(document(user, f"u-{user}") for user in users))
        assert store.document("default", "u-emil") is not None

    def test_blobs_in_use_are_not_returned(self, store: Store) -> None:
        """Two rejections of an earlier version with the same bytes: they go with the second."""
        for age, name in ((9, "r-1"), (0, "r-2")):
            first = rejection(name, raw_blob="raw/x")
            put(store, rejections=(first,), received_at=NOON - age)
        assert store.expired_blobs("default", _rule("rejections"), NOON, (), 10) == ()
        assert store.expired_blobs("default", _rule("rejections"), NOON + 1, (), 1) == ()
        assert store.expired_blobs("default", _rule("rejections"), NOON + 1, (), 2) == ("raw/x",)
        (page,) = _expire_all(store, _rule("rejections"), NOON, 10)
        assert (page.count, page.blobs) == (1, ())
        assert store.expired_blobs("default", _rule("rejections"), NOON + 1, (), 1) == ("raw/x",)
        (page,) = _expire_all(store, _rule("rejections"), NOON + 1, 10)
        assert (page.count, page.blobs) == (1, ("raw/x",))
        assert store.expired_blobs("default", _rule("documents"), NOON + 1, (), 1) == ()
