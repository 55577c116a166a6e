"""What a store must do when many write at once."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import pytest

from uptake.model.acting import Act, acting
from uptake.reading.audit import check
from uptake.store.base import AlreadyExists, Store
from uptake.store.definitions import Rate, RetentionRule, TypeVersion
from uptake.store.records import Entry, Record, Written, WrittenDocument, WrittenImage
from uptake.testing.store.making import (
    EVER,
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
    put,
    rejection,
    unfolded,
    written_by,
)
from uptake.time_units import MICROSECONDS_PER_DAY

THREADS = 16
OPENED = 2
"""How many times the store is opened, as by so many processes."""

Result = TypeVar("Result")


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """The result of each thread; all start at the same time.

    Raises:
        Exception: the first exception of a thread.
    """
    ready = threading.Barrier(THREADS)

    def start(number: int) -> Result:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


def _mixture(chosen: random.Random, users: Sequence[str], name: str, project: str) -> Entry:
    """Records of every kind of random users, in random order."""
    shared = chosen.sample(users, 3)
    records: list[Record] = [
        attributes(chosen.choice(users), **{name: "x"}),
        batch(chosen.choice(users), name),
        image(chosen.choice(users), name),
        *(document(user, user, digest=digest_of(user)) for user in shared),
        attributes(chosen.choice(users), b=name),
    ]
    chosen.shuffle(records)
    return entry(*records, project=project)


class Concurrency(OpensStore):
    """Whatever is sent in parallel is stored once, without an error."""

    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[Sequence[Store]]:
        """The same new store, opened more than once."""
        with ExitStack() as opened:
            yield [opened.enter_context(closing(self.open_store(tmp_path))) for _ in range(OPENED)]

    def test_parallel_changes_of_rules_leave_one_set(self, stores: Sequence[Store]) -> None:
        """Whole; whoever puts them."""
        sets = [
            [RetentionRule("documents", 10 + number, ""), RetentionRule("samples", 10 + number, "")]
            for number in range(THREADS)
        ]
        for _ in range(10):
            at_once(lambda n: stores[n % OPENED].put_retention("default", sets[n]))
            assert stores[0].retention("default") in sets

    def test_one_batch_from_all_sides_is_stored_once(self, stores: Sequence[Store]) -> None:
        """Also every batch that only some of them send."""

        def send(number: int) -> None:
            for i in range(5):
                shared, some, own = batch("anna", f"{i}"), f"{number % 4}/{i}", f"{number}-{i}"
                store = stores[number % OPENED]
                store.commit([entry(shared, batch("anna", some)), entry(batch("anna", own))])

        at_once(send)
        stored = columns_of(stores[0], "anna")
        expected = {f"{i}" for i in range(5)}
        expected |= {f"{number}/{i}" for number in range(4) for i in range(5)}
        expected |= {f"{number}-{i}" for number in range(THREADS) for i in range(5)}
        assert sorted(expected) == sorted(columns.decode() for columns in stored)
        batches = unfolded(stores[0].batches("default", "anna", "steps", *EVER))
        sequences = [one.sequence for one in batches]
        assert len(set(sequences)) == len(expected)

    def test_each_sender_finds_its_own_order(self, stores: Sequence[Store]) -> None:
        """What is sent after an acknowledgement is received after it."""

        def send(number: int) -> None:
            for i in range(6):
                put(stores[number % OPENED], batch("anna", f"{number}:{i}"))

        at_once(send)
        stored = [c.decode() for c in columns_of(stores[0], "anna")]
        for number in range(THREADS):
            mine = [name for name in stored if name.startswith(f"{number}:")]
            assert mine == [f"{number}:{i}" for i in range(6)]

    def test_one_image_from_all_sides_is_one_image(self, stores: Sequence[Store]) -> None:
        """Each result has the same number and name, and one of them is new."""

        def send(number: int) -> list[tuple[Written, ...]]:
            record = image("anna", "x", name=f"{number}.png")
            return written_by(stores[number % OPENED], [entry(record)])

        results = [written for [[written]] in at_once(send) if isinstance(written, WrittenImage)]
        stored = stores[0].images("default", "anna", 0, 10)
        assert [i.image_id for i in stored] == [1_000_001]
        assert {(one.image_id, one.name) for one in results} == {(1_000_001, stored[0].name)}
        assert sorted(one.new for one in results) == [False] * (THREADS - 1) + [True]

    def test_images_of_many_users_are_numbered_without_gaps(self, stores: Sequence[Store]) -> None:
        """No number is given twice."""

        def send(number: int) -> None:
            for i in range(4):
                record = image(f"user {number}", f"{i}", name=f"{number}-{i}.png")
                put(stores[number % OPENED], record)

        at_once(send)
        numbers = [
            found.image_id
            for number in range(THREADS)
            for found in stores[0].images("default", f"user {number}", 0, 10)
        ]
        assert sorted(numbers) == list(range(1_000_001, 1_000_001 + 4 * THREADS))

    def test_one_upload_id_from_all_sides_is_one_document(self, stores: Sequence[Store]) -> None:
        """Half of the senders have another body: all agree on which was first."""

        def send(number: int) -> list[tuple[Written, ...]]:
            body = f'{{"n": {number % 2}}}'
            record = document(
                f"user {number}",
                "shared",
                data=body.encode(),
                digest=digest_of(body),
                otherwise=rejection(f"r-{number:02d}", raw=body.encode()),
            )
            return written_by(stores[number % OPENED], [entry(record)])

        results = [written for [[written]] in at_once(send) if isinstance(written, WrittenDocument)]
        stored = existing(stores[0].document("default", "shared"))
        assert {one.digest for one in results} == {digest_of(stored.data.decode())}
        assert sorted(one.new for one in results) == [False] * (THREADS - 1) + [True]
        rejected = stores[0].rejections("default", "", 100)
        other = {b'{"n": 0}', b'{"n": 1}'} - {stored.data}
        assert Counter(one.record.raw for one in rejected) == dict.fromkeys(other, THREADS // 2)

    def test_attributes_of_one_user_from_all_sides_are_all_set(
        self, stores: Sequence[Store]
    ) -> None:
        """No sender's attribute is lost to another's."""

        def send(number: int) -> None:
            for i in range(4):
                group = [
                    entry(attributes("anna", **{f"{number}/{i}": "x", f"{number}": f"{i}"})),
                    entry(attributes(f"user {number}", a=f"{i}"), attributes("bert", a="1")),
                ]
                stores[number % OPENED].commit(group if number % 2 else group[::-1])

        at_once(send)
        assert existing(stores[0].user("default", "anna")).attributes == {
            **{f"{number}/{i}": "x" for number in range(THREADS) for i in range(4)},
            **{f"{number}": "3" for number in range(THREADS)},
        }

    def test_groups_of_any_mixture_get_past_each_other(self, stores: Sequence[Store]) -> None:
        """All kinds of records of the same users, in every order: each group is written once."""
        users = [f"user {i}" for i in range(6)]

        def send(number: int) -> None:
            chosen = random.Random(number)  # noqa: S311
            for i in range(6):
                projects = chosen.sample(["default", "other"], 2)
                group = [_mixture(chosen, users, f"{number}:{i}", project) for project in projects]
                stores[number % OPENED].commit(group)

        at_once(send)
        for project in ("default", "other"):
            stored = [c for u in users for c in columns_of(stores[0], u, project=project)]
            assert sorted(stored) == sorted(
                f"{number}:{i}".encode() for number in range(THREADS) for i in range(6)
            )
            images = [i.image_id for u in users for i in stores[0].images(project, u, 0, 1000)]
            assert sorted(images) == list(range(1_000_001, 1_000_001 + 6 * THREADS))
            found = [stores[0].document(project, user) for user in users]
            assert [one.user_id for one in found if one] == users

    def test_a_user_erased_while_others_write_stays_away(self, stores: Sequence[Store]) -> None:
        """Also by the first erasure: everything that a group wrote before is deleted."""

        def work(number: int) -> None:
            store = stores[number % OPENED]
            if number == 0:
                store.erase("default", "anna", "e-1", NOON)
                return
            for i in range(10):
                name = f"{number}:{i}"
                put(store, batch("anna", name), image("anna", name), batch("bert", name))

        at_once(work)
        assert stores[0].user("default", "anna") is None
        assert columns_of(stores[0], "anna") == []
        assert stores[0].images("default", "anna", 0, 1000) == []
        assert len(columns_of(stores[0], "bert")) == 10 * (THREADS - 1)

    def test_receipts_are_folded_while_others_write_and_erase(
        self, stores: Sequence[Store]
    ) -> None:
        """By several processes: each is there once, and none of a user who was erased."""
        later = NOON + MICROSECONDS_PER_DAY

        def work(number: int) -> list[Entry]:
            store = stores[number % OPENED]
            if number == 0:
                store.erase("default", "anna", "e-1", NOON)
            if number < 4:
                for _ in range(20):
                    store.fold_receipts("default", later)
                return []
            users = ("anna", "bert", "carl")
            return [
                put(store, batch(user, f"{number} {i}"), received_at=NOON + i)
                for i in range(10)
                for user in users
            ]

        made = [one for some in at_once(work) for one in some]
        while stores[0].fold_receipts("default", later):
            pass
        for one in made:
            user = one.records[0].user_id
            receipts = stores[1].receipts("default", one.request_id)
            # Those that came after the erasure name no user.
            found = [(receipt.user_id, receipt.items[0].kind) for receipt in receipts]
            assert found in ([[], [("", "erased")]] if user == "anna" else [[(user, "samples")]])

    def test_every_use_of_a_key_is_counted(self, stores: Sequence[Store]) -> None:
        """No two uses get the same count."""

        def spend(number: int) -> list[int]:
            store, rates = stores[number % OPENED], [Rate(5 * THREADS, 60)]
            return [store.count_use("k-1", rates, NOON)[0] for _ in range(5)]

        counts = [count for counts in at_once(spend) for count in counts]
        assert sorted(counts) == list(range(1, 5 * THREADS + 1))

    def test_entries_of_the_audit_log_are_one_chain(self, stores: Sequence[Store]) -> None:
        """None is lost, and no two have the same number."""

        def act(number: int) -> None:
            with acting(Act(f"k-{number}")):
                for _ in range(5):
                    stores[number % OPENED].record_act("default", "export")

        at_once(act)
        checked = check(stores[0])
        assert (checked.entries, checked.faults) == (5 * THREADS, [])

    def test_a_project_is_made_once(self, stores: Sequence[Store]) -> None:
        """All but one learn that it exists."""

        def make(number: int) -> bool:
            try:
                stores[number % OPENED].add_project("one", NOON)
            except AlreadyExists:
                return False
            return True

        assert sorted(at_once(make)) == [False] * (THREADS - 1) + [True]
        assert stores[0].projects() == ["default", "one"]

    def test_readers_see_whole_groups_while_others_write(self, stores: Sequence[Store]) -> None:
        """A group is there or it is not; what was there stays."""

        def work(number: int) -> list[int]:
            store = stores[number % OPENED]
            if number < 4:
                for i in range(10):
                    group = [entry(batch("anna", f"{number} {i} {part}")) for part in range(3)]
                    store.commit(group)
                return []
            return [len(columns_of(store, "anna")) for _ in range(20)]

        for seen in at_once(work):
            assert seen == sorted(seen)
            assert [count % 3 for count in seen] == [0] * len(seen)
        assert len(columns_of(stores[0], "anna")) == 120

    def test_a_version_of_a_type_is_stored_by_one_caller(self, stores: Sequence[Store]) -> None:
        """The others get None; the version that is stored has the schema of the one."""

        def add(number: int) -> list[bool]:
            store = stores[number % OPENED]
            versions = [TypeVersion(one, f"{number}", NOON) for one in range(1, 5)]
            return [store.add_type_version("default", "visit", one) is not None for one in versions]

        added = at_once(add)
        stored = stores[0].type_versions("default", "visit", 0, 9)
        assert [one.version for one in stored] == [1, 2, 3, 4]
        for place, one in enumerate(stored):
            assert [str(number) for number, own in enumerate(added) if own[place]] == [one.schema]
        current = existing(stores[0].document_type("default", "visit"))
        assert (current.version, current.schema) == (4, stored[-1].schema)
