"""What a store must do to be exported: one state of it, and what came since an earlier one."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from uptake.model.submission import Resolved
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import Entry
from uptake.store.snapshot_ports import Snapshot
from uptake.store.stored import EVERYTHING, Selection, StoredUser
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    contents_of,
    document,
    entry,
    put,
    rejection,
    unfolded,
    unique,
)
from uptake.testing.store.rejections import ids_of

WRITERS = 4
WRITES = 15
"""Commits of each writer, while another thread reads."""

MANY_USERS = 1200
"""More than any store names in one query."""


def commit_sequence_of(store: Store) -> dict[int, int]:
    """What has been received so far."""
    with store.snapshot(DEFAULT_PROJECT) as snapshot:
        return snapshot.commit_sequence


def contents(snapshot: Snapshot, only: Selection) -> list[bytes]:
    """The contents of the batches that are asked for, as a snapshot gives them."""
    return contents_of(snapshot.batches(("steps", "bpm"), only))


def stored(store: Store, only: Selection = EVERYTHING) -> dict[str, list[object]]:
    """Names of all that is asked for, by kind, as given."""
    with store.snapshot(DEFAULT_PROJECT) as snapshot:
        return {
            "batches": [*sorted(contents(snapshot, only))],
            "users": [user.user_id for user in snapshot.users(only)],
            "documents": [found.upload_id for found in snapshot.documents(None, only)],
            "rejections": [*ids_of(snapshot.rejections(only))],
        }


def of_everything(name: str, received_at: int = NOON) -> Entry:
    """A batch, a document and a rejection of a user, all of them with this name."""
    return entry(
        batch(name, name),
        document(name, f"d-{name}"),
        received_at=received_at,
        rejections=(rejection(f"r-{name}", user_id=name),),
    )


def names_of(*names: str) -> dict[str, list[object]]:
    """The result of `stored` when those entries are committed."""
    return {
        "batches": [name.encode() for name in names],
        "users": list(names),
        "documents": [f"d-{name}" for name in names],
        "rejections": [f"r-{name}" for name in names],
    }


class SnapshotsSuite(OpensStore):
    """A snapshot has everything of a project at one moment, and increments miss nothing."""

    def test_a_snapshot_has_everything_in_order(self, store: Store) -> None:
        """By user, in any order of arrival; of one project only."""
        store.commit([of_everything("bert"), of_everything("\u00e5sa")])
        store.commit([of_everything("anna"), entry(batch("carl", "x"), project="other")])
        assert stored(store) == names_of("anna", "bert", "\u00e5sa")

    def test_documents_of_a_type_continue_after_one_of_them(self, store: Store) -> None:
        """By user, then by id, both in order of code points."""
        names = [("Anna", "b"), ("anna", "a"), ("anna", "b"), ("bert", "A"), ("\u00e5sa", "0")]
        for user_id, upload_id in reversed(names):
            put(store, document(user_id, upload_id + user_id))
        put(store, document("anna", "ab", type="diary"))
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            for at in range(len(names) + 1):
                after = (names[at - 1][0], "".join(names[at - 1][::-1])) if at else ("", "")
                found = [
                    (one.user_id, one.upload_id[0])
                    for one in snapshot.documents("visit", EVERYTHING, after)
                ]
                assert found == names[at:]

    def test_data_received_later_is_not_in_a_snapshot(self, store: Store) -> None:
        """Not even what is asked of it for the first time afterwards."""
        store.commit([of_everything("anna")])
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            store.commit([of_everything("bert"), entry(attributes("anna", a="1"))])
            assert contents(snapshot, EVERYTHING) == [b"anna"]
            assert list(snapshot.users(EVERYTHING)) == [StoredUser("anna", {}, NOON, NOON)]
            assert len(list(snapshot.documents(None, EVERYTHING))) == 1
            assert len(list(snapshot.rejections(EVERYTHING))) == 1
        assert stored(store) == names_of("anna", "bert")

    def test_an_increment_has_what_was_received_since(self, store: Store) -> None:
        """Each item is in one increment, for any time of receipt."""
        marks = [commit_sequence_of(store)]
        for name in ("anna", "bert", "carl"):
            store.commit([of_everything(name, NOON - len(marks))])
            marks.append(commit_sequence_of(store))
        found = [stored(store, Selection(since=since)) for since in marks]
        assert found == [
            names_of("anna", "bert", "carl"),
            names_of("bert", "carl"),
            names_of("carl"),
            names_of(),
        ]

    def test_an_increment_has_a_batch_received_again(self, store: Store) -> None:
        """It wins over what was received before it, so an increment must contain it."""
        store.commit([entry(batch("anna", "1")), entry(batch("anna", "2"))])
        since = commit_sequence_of(store)
        put(store, batch("anna", "1"))
        assert stored(store, Selection(since=since))["batches"] == [b"1"]

    def test_sequences_of_an_increment_are_above_those_before(self, store: Store) -> None:
        """So that the sample received last wins over all increments."""
        top = -1
        since = commit_sequence_of(store)
        for name in ("1", "2", "1", "3"):
            put(store, batch("anna", name), document("anna"), batch("anna", "x" + name))
            with store.snapshot(DEFAULT_PROJECT) as snapshot:
                found = unfolded(snapshot.batches(("steps",), Selection(since=since)))
                since = snapshot.commit_sequence
            assert {one.content for one in found} == {name.encode(), b"x" + name.encode()}
            assert min(one.sequence for one in found) > top
            top = max(one.sequence for one in found)

    def test_increments_have_users_that_are_new_or_have_new_attributes(self, store: Store) -> None:
        """Not when they are only seen again."""
        put(store, attributes("anna", a="1"), attributes("bert", a="1"), batch("carl", "1"))
        since = commit_sequence_of(store)
        put(store, batch("anna", "2"), attributes("bert", b="2"), document("dora"))
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            found = list(snapshot.users(Selection(since=since)))
            names = snapshot.attribute_names(Selection(since=since))
        assert [user.user_id for user in found] == ["bert", "dora"]
        assert found[0].attributes == {"a": "1", "b": "2"}
        assert names == ["a", "b"]

    def test_an_increment_has_rejections_that_were_replayed(self, store: Store) -> None:
        """Its reader learns that the rejection is resolved."""
        put(store, rejections=(rejection("r-1", user_id="anna"), rejection("r-2")))
        since = commit_sequence_of(store)
        replayed = replace(entry(batch("anna", "1")), resolves=Resolved("r-1", ("anna",)))
        store.commit([replayed])
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            (found,) = snapshot.rejections(Selection(since=since))
        assert (found.record.rejection_id, found.resolved_by) == ("r-1", replayed.request_id)

    def test_attribute_names_are_those_of_the_users_asked_for(self, store: Store) -> None:
        """However their attributes were sent; names without users are not among them."""
        put(store, attributes("anna", b="1", a=""), attributes("bert", c="1"))
        put(store, attributes("bert", d="2"), attributes("carl"))
        expected = {None: ["a", "b", "c", "d"], "anna": ["a", "b"], "bert": ["c", "d"], "carl": []}
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            for user_id, names in expected.items():
                only = Selection(users=None if user_id is None else [user_id])
                assert snapshot.attribute_names(only) == names

    def test_a_selection_by_time(self, store: Store) -> None:
        """The first moment belongs to it, the last does not; batches may reach into it."""
        store.commit(
            [
                *(of_everything(f"u{i}", NOON + i) for i in range(4)),
                entry(batch("anna", "before", 0, 9), batch("anna", "into", 5, 10)),
                entry(batch("anna", "from", 19, 30), batch("anna", "after", 20, 30)),
            ]
        )
        found = stored(store, Selection(start=NOON + 1, end=NOON + 3))
        assert [found[kind] for kind in ("users", "documents", "rejections")] == [
            ["u1", "u2"],
            ["d-u1", "d-u2"],
            ["r-u1", "r-u2"],
        ]
        assert stored(store, Selection(start=10, end=20))["batches"] == [b"from", b"into"]

    def test_a_selection_of_many_users(self, store: Store) -> None:
        """In order, also where they are more than one query takes; unknown ones are not missed."""
        store.commit([of_everything(f"u{i:04}") for i in range(3, MANY_USERS, 3)])
        wanted = [f"u{i:04}" for i in range(MANY_USERS) if i % 2]
        expected = names_of(*(f"u{i:04}" for i in range(3, MANY_USERS, 6)))
        assert stored(store, Selection(users=wanted)) == expected
        assert stored(store, Selection(users=wanted, since={})) == expected
        assert stored(store, Selection(users=[])) == names_of()

    def test_a_selection_by_metric_and_by_type(self, store: Store) -> None:
        """Only those."""
        put(store, batch("anna", "s"), batch("anna", "b", metric="bpm"), document("anna"))
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            found = contents_of(snapshot.batches(("bpm",), EVERYTHING))
            visits = len(list(snapshot.documents("visit", EVERYTHING)))
            others = len(list(snapshot.documents("Visit", EVERYTHING)))
        assert (found, visits, others) == ([b"b"], 1, 0)

    def test_increments_miss_nothing_while_many_write(self, store: Store, tmp_path: Path) -> None:
        """Two stores over one database, several writing threads, and one that reads increments."""
        done = threading.Event()
        with closing(self.open_store(tmp_path)) as other, ThreadPoolExecutor(WRITERS) as pool:
            found = pool.submit(_follow, store, done)
            written = [pool.submit(_write, one) for one in (store, other, other)]
            expected = sorted(name for future in written for name in future.result())
            done.set()
            assert sorted(found.result()) == expected


def _write(store: Store) -> list[bytes]:
    names = []
    for _ in range(WRITES):
        made = [unique("batch") for _ in range(3)]
        group = [entry(batch(f"u{i}", name)) for i, name in enumerate(made)]
        store.commit(group)
        names += [name.encode() for name in made]
    return names


def _follow(store: Store, done: threading.Event) -> Sequence[bytes]:
    found: list[bytes] = []
    marks: dict[int, int] = {}
    last = False
    while not last:
        last = done.is_set()
        with store.snapshot(DEFAULT_PROJECT) as snapshot:
            found += contents(snapshot, Selection(since=marks))
            marks = snapshot.commit_sequence
    return found
