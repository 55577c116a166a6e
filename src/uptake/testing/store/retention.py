"""Conformance suite of the port `Retention`."""

from typing import Any

from uptake.store.base import Store
from uptake.store.definitions import UNKNOWN_USER, RetentionKind, RetentionRule
from uptake.store.stored import Expired
from uptake.testing.store.making import (
    NOON,
    attributes,
    batch,
    document,
    entry,
    image,
    rejection,
    shared,
)
from uptake.testing.store.opening import OpensStore


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
        """New ones take the place of those before, of their project alone."""
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
                store.commit(
                    [
                        entry(
                            document("anna", f"{project} {name}"),
                            image("anna", f"{project} {name}", name=f"{project} {name}.png"),
                            batch("anna", name, count=3),
                            attributes("anna", a=name),
                            rejections=(rejection(f"{project} {name}", raw_blob=f"raw/{name}"),),
                            project=project,
                            received_at=NOON - age,
                        )
                    ]
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
            assert (page.count, len(page.blobs)) == (count, kind == "images")
            assert store.count_expired("default", _rule(kind), NOON) == 0
        assert store.document("default", "default old") is None
        assert store.image("default old.png") is None
        assert store.rejection("default", "default old") is None
        assert [span.count for span in store.spans("default", "anna")] == [3]
        for project, names in (("default", ["new"]), ("other", ["old", "new"])):
            for name in names:
                assert store.document(project, f"{project} {name}") is not None
                assert store.image(f"{project} {name}.png") is not None
                assert store.rejection(project, f"{project} {name}") is not None
        user = store.user("default", "anna")
        assert user is not None
        assert (user.attributes, user.documents, user.images) == ({"a": "new"}, 1, 1)

    def test_a_rule_may_be_about_a_type(self, store: Store) -> None:
        """A metric, or the type of a document."""
        store.commit(
            [entry(batch("anna", "x", metric="bpm"), batch("anna", "y"), document("anna", "u-1"))]
        )
        assert store.count_expired("default", _rule("samples", "steps"), NOON + 1) == 1
        assert store.count_expired("default", _rule("documents", "diary"), NOON + 1) == 0
        assert store.count_expired("default", _rule("documents", "visit"), NOON + 1) == 1
        _expire_all(store, _rule("samples", "bpm"), NOON + 1, 10)
        assert [span.metric for span in store.spans("default", "anna")] == ["steps"]

    def test_a_rule_may_be_about_rejections_without_a_user(self, store: Store) -> None:
        """Of a rejection about several users, only the part without a known user is deleted."""
        store.commit([entry(rejections=(rejection("r-1"), rejection("r-2", user_id="anna")))])
        store.commit([entry(rejections=shared("r-3", "anna", "bert", ""))])
        rule = RetentionRule("rejections", 1, UNKNOWN_USER)
        assert store.count_expired("default", rule, NOON + 1) == 2
        assert sum(page.count for page in _expire_all(store, rule, NOON + 1, 10)) == 2
        left = [stored.user_ids for stored in store.rejections("default", "", 10)]
        assert left == [("anna",), ("anna", "bert")]

    def test_each_page_continues_after_the_one_before(self, store: Store) -> None:
        """Each has as many as were asked for, the last one fewer."""
        users = ("anna", "bert", "carl", "dora", "emil")
        store.commit([entry(*(document(user, f"u-{user}") for user in users))])
        pages = _expire_all(store, _rule("documents"), NOON + 1, 2)
        assert [page.count for page in pages] == [2, 2, 1]
        store.commit([entry(*(document(user, f"u-{user}") for user in users))])
        last: Any = store.document("default", "u-emil")
        assert last is not None

    def test_blobs_in_use_are_not_returned(self, store: Store) -> None:
        """Two rejections of the same bytes: the blob goes with the second."""
        for age, name in ((9, "r-1"), (0, "r-2")):
            first = rejection(name, raw_blob="raw/x")
            store.commit([entry(rejections=(first,), received_at=NOON - age)])
        (page,) = _expire_all(store, _rule("rejections"), NOON, 10)
        assert (page.count, page.blobs) == (1, ())
        (page,) = _expire_all(store, _rule("rejections"), NOON + 1, 10)
        assert (page.count, page.blobs) == (1, ("raw/x",))
