"""Conformance suites of `UserQueries` and `ChangeFeed`: pages of users, counts, changes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from uptake.model.items import Attributes
from uptake.store.base import Store
from uptake.store.records import Record
from uptake.store.stored import Profiles, SeenUser
from uptake.testing.store.concurrency import OPENED, THREADS, at_once
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
)
from uptake.testing.store.users import HARD_TEXTS

MANY = 25_000
"""Users with long ids that do not fit into a log of changes."""


def by_user(pages: Sequence[Profiles]) -> dict[str, tuple[dict[str, str], int, int]]:
    """Attributes, first and last seen of users, by id, for any grouping of entries."""
    found = {}
    for page in pages:
        values = msgspec.json.decode(page.values)
        if page.names is not None:
            values = [dict(zip(page.names, row, strict=True)) for row in values]
        ids = page.user_ids.decode().split("\0")
        first, last = map(msgspec.json.decode, (page.first_seen, page.last_seen))
        for row in zip(ids, values, first, last, strict=True):
            assert row[0] not in found
            found[row[0]] = row[1:]
    return found


def all_of(pages: Iterable[list[Profiles]]) -> list[Profiles]:
    """The entries of all pages."""
    return [one for page in pages for one in page]


def changed(store: Store, since: int | None, project: str = "default") -> tuple[set[str], int]:
    """The users that changed, and the position to continue from."""
    answer = existing(store.changes(project, since))
    return {name for change in answer.changes for name in change.users}, answer.next


class UserQueriesSuite(OpensStore):
    """Many users are returned in pages of columns, with counts of their items."""

    def test_a_project_without_users_has_no_pages(self, store: Store) -> None:
        """And unknown users are not returned."""
        assert list(store.profiles("default", "", 10, seen=True)) == []
        assert store.profiles_of("default", ["anna"]) == []
        assert store.profiles_of("default", []) == []

    def test_users_are_listed_in_order_of_code_points(self, store: Store) -> None:
        """Page by page, with when they were seen; those of other projects are not."""
        names = sorted({*HARD_TEXTS, "Zoe", "zoe", "a-b", "ab", "a b", "_", "\U0001f600"})
        put(store, *(Attributes(name, (), ()) for name in reversed(names)))
        put(store, attributes("zoe", a="1"), received_at=NOON + 5)
        put(store, attributes("other", a="1"), project="other")
        found: list[SeenUser] = []
        while page := store.users("default", "", found[-1].user_id if found else "", 4):
            found += page
        assert found == [SeenUser(name, NOON, NOON + 5 * (name == "zoe")) for name in names]

    def test_users_are_found_by_the_beginning_of_their_id(self, store: Store) -> None:
        """In upper and lower case as written; wildcards of SQL have no meaning."""
        last = "\U0010ffff"
        names = ["a", "a%", "a_", "ab", "abc", f"ab{last}", f"ab{last}{last}", "ac", "b", last]
        put(store, *(Attributes(name, (), ()) for name in names))
        for prefix in [*names, "", "A", "a\0", "c", "%", "\0"]:
            listed = [user.user_id for user in store.users("default", prefix, "", 20)]
            assert listed == [name for name in names if name.startswith(prefix)], prefix
        rest = [user.user_id for user in store.users("default", "ab", "ab", 2)]
        assert rest == ["abc", f"ab{last}"]
        assert [user.user_id for user in store.users("default", "ab", "a", 1)] == ["ab"]
        assert store.users("default", "ab", "ac", 20) == []

    def test_a_page_has_what_a_user_has(self, store: Store) -> None:
        """Whatever attribute names they have, in one request or several, or none."""
        store.commit(
            [
                entry(attributes("a", x="1", y=""), attributes("b", x="2", y="null")),
                entry(attributes("c", x="1"), batch("d", "x"), received_at=NOON + 1),
                entry(attributes("e", y="4")),
                entry(attributes("a", x="9"), project="other"),
            ]
        )
        put(store, attributes("e", x="5"), attributes("c"), received_at=NOON + 2)
        expected = {
            "a": ({"x": "1", "y": ""}, NOON, NOON),
            "b": ({"x": "2", "y": "null"}, NOON, NOON),
            "c": ({"x": "1"}, NOON + 1, NOON + 2),
            "d": ({}, NOON + 1, NOON + 1),
            "e": ({"y": "4", "x": "5"}, NOON, NOON + 2),
        }
        assert by_user(all_of(store.profiles("default", "", 10, seen=True))) == expected
        some = by_user(store.profiles_of("default", ["e", "unknown", "c"]))
        assert some == {name: expected[name] for name in ("c", "e")}
        unseen = all_of(store.profiles("default", "", 10, seen=False))
        assert sorted(name for one in unseen for name in one.user_ids.decode().split("\0")) == [
            *expected
        ]
        other = by_user(all_of(store.profiles("other", "", 10, seen=True)))
        assert other == {"a": ({"x": "9"}, NOON, NOON)}

    def test_pages_are_in_order_of_code_points(self, store: Store) -> None:
        """On every engine and in every language, so that a page follows upon another."""
        names = sorted({*HARD_TEXTS, "Zoe", "zoe", "a-b", "ab", "a b", "_", "\U0001f600"})
        store.commit([entry(Attributes(name, ("me",), [name])) for name in reversed(names)])
        for begin in (0, 1, 7, len(names)):
            found: list[str] = []
            for profiles in store.profiles("default", ["", *names][begin], 4, seen=True):
                page = by_user(profiles)
                assert 1 <= len(page) <= 4
                assert {name: value[0] for name, value in page.items()} == {
                    name: {"me": name} for name in page
                }
                found += sorted(page)
            assert found == names[begin:]

    def test_pages_are_of_one_moment(self, store: Store) -> None:
        """What is written or erased while they are read is in none of them."""
        names = [f"user {i:05d}" for i in range(2000)]
        put(store, *(attributes(name, n="before") for name in names))
        pages = store.profiles("default", "", 100, seen=True)
        found = by_user(next(pages))
        put(store, attributes(names[-1], n="after"), attributes("user 00500 a", n="after"))
        store.erase("default", names[-2], "erasure", NOON)
        for page in pages:
            found |= by_user(page)
        assert found == {name: ({"n": "before"}, NOON, NOON) for name in names}
        after = by_user(all_of(store.profiles("default", names[-3], 100, seen=True)))
        assert after == {names[-1]: ({"n": "after"}, NOON, NOON)}

    def test_a_reader_may_stop_before_the_last_page(self, store: Store) -> None:
        """And what it used can be used by others."""
        put(store, *(attributes(f"user {i:05d}", n="1") for i in range(1000)))
        for _ in range(30):
            pages = store.profiles("default", "", 10, seen=True)
            assert len(by_user(next(pages))) == 10
            pages.close()
        put(store, attributes("user 00000", n="2"))
        assert by_user(next(store.profiles("default", "", 1, seen=True))) == {
            "user 00000": ({"n": "2"}, NOON, NOON)
        }

    def test_profiles_of_many_users_are_returned(self, store: Store) -> None:
        """More than fit into one statement's parameters."""
        names = [f"user {i:05d}" for i in range(2100)]
        put(store, *(attributes(name, n=name) for name in names))
        assert sorted(by_user(store.profiles_of("default", names))) == names
        assert sorted(by_user(all_of(store.profiles("default", "", 5000, seen=True)))) == names

    def test_documents_are_counted_by_user(self, store: Store) -> None:
        """Those of another type or project or an earlier time are not."""
        other = msgspec.structs.replace(document("anna"), type="other")
        store.commit(
            [
                entry(document("anna"), document("anna"), document("bert"), other),
                entry(document("anna"), document("carl"), received_at=NOON + 5),
                entry(document("anna"), project="other"),
                entry(attributes("dora", a="1")),
            ]
        )
        counts = store.document_counts("default", "visit", 0, None)
        assert counts == {"anna": 3, "bert": 1, "carl": 1}
        assert store.document_counts("default", "visit", NOON + 5, None) == {"anna": 1, "carl": 1}
        assert store.document_counts("default", "visit", NOON + 6, None) == {}
        assert store.document_counts("default", "visit", 0, ["anna", "dora", "x"]) == {"anna": 3}
        assert store.document_counts("default", "nothing", 0, None) == {}
        many = [f"user {i}" for i in range(2100)]
        assert store.document_counts("default", "visit", 0, [*many, "bert"]) == {"bert": 1}

    def test_users_with_samples_are_returned_once(self, store: Store) -> None:
        """Of a metric and a project, however many batches there are."""
        store.commit(
            [
                entry(batch("anna", "x"), batch("anna", "y"), batch("bert", "x", metric="bpm")),
                entry(batch("carl", "x"), attributes("dora", a="1")),
                entry(batch("emil", "x"), project="other"),
            ]
        )
        assert sorted(store.users_with_samples("default", "steps")) == ["anna", "carl"]
        assert store.users_with_samples("default", "bpm") == ["bert"]
        assert store.users_with_samples("unknown", "bpm") == []


class ChangeFeedSuite(OpensStore):
    """Each commit and erasure is a change."""

    @pytest.mark.parametrize(
        "record",
        [
            attributes("anna", a="1"),
            document("anna"),
            document("anna", "keyed", digest=digest_of("x")),
            image("anna", "x"),
            batch("anna", "x"),
        ],
        ids=["attributes", "document", "keyed document", "image", "samples"],
    )
    def test_a_record_of_any_kind_is_a_change(self, store: Store, record: Record) -> None:
        """Of its user alone, in its project alone; sent again it may be one again."""
        _, start = changed(store, None)
        _, other = changed(store, None, "other")
        put(store, record)
        users, following = changed(store, start)
        assert users == {"anna"}
        put(store, record)
        assert changed(store, following)[0] <= {"anna"}
        assert changed(store, other, "other")[0] == set()

    def test_a_rejection_is_no_change(self, store: Store) -> None:
        """Neither one that intake rejected, nor a document under an upload id that is taken."""
        put(store, document("bert", "shared", digest=b"1" * 32))
        _, start = changed(store, None)
        put(store, rejections=(rejection(user_id="anna"),))
        taken = document("anna", "shared", digest=b"2" * 32, otherwise=rejection(user_id="anna"))
        put(store, taken)
        assert changed(store, start)[0] == set()

    def test_a_group_is_one_change_for_each_project(self, store: Store) -> None:
        """With all users that it has data of."""
        _, start = changed(store, None)
        _, other = changed(store, None, "other")
        store.commit(
            [
                entry(attributes("anna", a="1"), batch("bert", "x")),
                entry(attributes("anna", a="2"), attributes("carl", a="1"), project="other"),
                entry(document("dora \U0001f600")),
            ]
        )
        assert changed(store, start)[0] == {"anna", "bert", "dora \U0001f600"}
        assert changed(store, other, "other")[0] == {"anna", "carl"}
        assert [
            sorted(change.users) for change in existing(store.changes("default", start)).changes
        ] == [["anna", "bert", "dora \U0001f600"]]

    def test_a_change_is_known_by_its_id(self, store: Store) -> None:
        """So a repeated change can be skipped."""
        _, start = changed(store, None)
        for i in range(5):
            put(store, attributes("anna", a=f"{i}"))
        answers = [store.changes("default", start) for _ in range(2)]
        change_ids = [{change.change_id for change in one.changes} for one in answers if one]
        assert len(change_ids[0]) == 5
        assert change_ids[0] == change_ids[1]

    def test_nothing_that_was_committed_is_missed(self, store: Store, tmp_path: Path) -> None:
        """Many write while one reads; what was acknowledged is in the next result."""
        others = [self.open_store(tmp_path) for _ in range(OPENED)]
        _, start = changed(store, None)

        def send(number: int) -> None:
            if number == 0:
                return follow()
            for i in range(10):
                name = f"{number}-{i}"
                put(others[number % OPENED], attributes(name, a="1"))
                acknowledged.add(name)
            return None

        acknowledged: set[str] = set()
        seen: set[str] = set()

        def follow() -> None:
            since = start
            while len(seen) < 10 * (THREADS - 1):
                expected = set(acknowledged)
                users, since = changed(store, since)
                seen.update(users)
                assert expected <= seen

        at_once(send)
        for other in others:
            other.close()
        assert seen == {f"{number}-{i}" for number in range(1, THREADS) for i in range(10)}

    def test_a_position_that_is_no_longer_in_the_log_is_none(self, store: Store) -> None:
        """It has an end; but it never leaves something out without a word."""
        _, start = changed(store, None)
        put(store, attributes("first", a="1"))
        for page in range(8):
            names = [f"{page} {i:05d} ".ljust(256, "x") for i in range(MANY)]
            put(store, *(Attributes(name, (), ()) for name in names))
        answer = store.changes("default", start)
        if answer is not None:
            assert len({name for c in answer.changes for name in c.users}) == 8 * MANY + 1
        _, following = changed(store, None)
        put(store, attributes("last", a="1"))
        assert "last" in changed(store, following)[0]
