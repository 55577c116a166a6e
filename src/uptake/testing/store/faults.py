"""Conformance suites: a store that cannot be reached, and one that outlives its process."""

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from uptake.store.base import Store, StoreUnavailable
from uptake.store.definitions import Rate, TypeVersion
from uptake.testing.store.folding import fold, spans
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
)

CALLS: dict[str, Callable[[Store], object]] = {
    "commit": lambda store: put(store, attributes("anna", a="2"), batch("anna", "y")),
    "user": lambda store: store.user("default", "anna"),
    "spans": lambda store: store.spans("default", "anna"),
    "batches": lambda store: store.batches("default", "anna", "steps", 0, 9),
    "document": lambda store: store.document("default", "one"),
    "images": lambda store: store.images("default", "anna", 0, 9),
    "image": lambda store: store.image("one.png"),
    "rejections": lambda store: store.rejections("default", "", 9),
    "add_project": lambda store: store.add_project("other", NOON),
    "projects": lambda store: store.projects(),
    "add_key": lambda store: store.add_key(key("k-2")),
    "key": lambda store: store.key(digest_of("k-1").hex()),
    "keys": lambda store: store.keys(),
    "revoke_key": lambda store: store.revoke_key("k-1", NOON),
    "add_type_version": lambda store: store.add_type_version(
        "default", "visit", TypeVersion(2, "{}", NOON)
    ),
    "document_type": lambda store: store.document_type("default", "visit"),
    "document_types": lambda store: store.document_types("default"),
    "type_versions": lambda store: store.type_versions("default", "visit", 0, 9),
    "document_versions": lambda store: store.document_versions("default", "visit"),
    "key_with_id": lambda store: store.key_with_id("k-1"),
    "keys_after": lambda store: store.keys_after(None, "", 9),
    "rotate_key": lambda store: store.rotate_key(key("k-1"), digest_of("k-3").hex(), NOON, NOON),
    "record_uses": lambda store: store.record_uses({"k-1": NOON}),
    "count_use": lambda store: store.count_use("k-1", [Rate(1, 60)], NOON),
    "ping": lambda store: store.ping(),
}
"""One call of each method."""

WRITING = (
    "commit",
    "add_project",
    "add_key",
    "rotate_key",
    "revoke_key",
    "record_uses",
    "add_type_version",
    "count_use",
)
READING = tuple(name for name in CALLS if name not in WRITING)


def fill(store: Store) -> None:
    """Store data of every kind."""
    put(
        store,
        attributes("anna", a="1"),
        document("anna", "one"),
        image("anna", "x", name="one.png"),
        batch("anna", "x"),
        rejections=(rejection("r-1"),),
    )
    store.add_key(key("k-1"))
    store.add_type_version("default", "visit", TypeVersion(1, None, NOON))


def everything(store: Store) -> dict[str, object]:
    """Return the results of all methods that read."""
    return {name: CALLS[name](store) for name in READING}


def _fails_twice(store: Store, name: str) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            CALLS[name](store)


class Faults(OpensStore):
    """A store out of reach raises, and has all its data when it is back."""

    @pytest.mark.parametrize("name", CALLS)
    def test_every_method_raises_while_the_store_is_out_of_reach(
        self, store: Store, tmp_path: Path, name: str
    ) -> None:
        """Every method raises `StoreUnavailable`, and works again when the store is back."""
        fill(store)
        before = everything(store)
        with self.out_of_reach(store, tmp_path):
            _fails_twice(store, name)
        assert everything(store) == before
        CALLS[name](store)

    def test_a_store_can_be_out_of_reach_more_than_once(self, store: Store, tmp_path: Path) -> None:
        """What is written in between is stored."""
        for i in range(3):
            with self.out_of_reach(store, tmp_path), pytest.raises(StoreUnavailable):
                put(store, batch("anna", f"lost {i}"))
            put(store, batch("anna", f"stored {i}"))
        stored = columns_of(store, "anna")
        assert stored == [b"stored 0", b"stored 1", b"stored 2"]


KILLED_AFTER = 20
"""Commits that are acknowledged before the process is killed."""


class Durability(OpensStore):
    """Acknowledged data is stored, also if a writer is killed."""

    def unwritable(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """Make the store read-only while the block runs."""
        raise NotImplementedError("the test class of a store must define unwritable")

    def test_a_store_opened_again_has_all_data(self, store: Store, tmp_path: Path) -> None:
        """While the first is still open, and after it was closed."""
        fill(store)
        before = everything(store)
        for _ in range(2):
            with closing(self.open_store(tmp_path)) as again:
                assert everything(again) == before
            store.close()

    def test_order_and_numbers_continue_when_opened_again(self, tmp_path: Path) -> None:
        """A batch is received after all that were received before, an image has the next number."""
        for i in range(3):
            with closing(self.open_store(tmp_path)) as store:
                put(store, batch("anna", f"{i}"), batch("anna", "again"))
                put(store, image("anna", f"{i}", name=f"{i}.png"))
        with closing(self.open_store(tmp_path)) as store:
            assert columns_of(store, "anna") == [b"0", b"1", b"2", b"again"]
            numbers = [found.image_id for found in store.images("default", "anna", 0, 9)]
        assert numbers == [1_000_001, 1_000_002, 1_000_003]

    def test_what_was_acknowledged_survives_a_kill(self, tmp_path: Path) -> None:
        """A process is killed between any two instructions; its commits are stored in order."""
        context = multiprocessing.get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_write_on, args=(type(self), tmp_path, writer))
        process.start()
        writer.close()
        acknowledged = [reader.recv() for _ in range(KILLED_AFTER)]
        process.kill()
        process.join()
        try:
            while True:
                acknowledged.append(reader.recv())
        except EOFError:
            reader.close()
        with closing(self.open_store(tmp_path)) as store:
            stored = columns_of(store, "anna")
            user = existing(store.user("default", "anna"))
        names = [columns.decode() for columns in stored]
        assert names[: len(acknowledged)] == acknowledged
        # What was being written may be there or not, but not in part.
        assert user.attributes == {"last": names[-1]}

    @pytest.mark.parametrize("name", WRITING)
    def test_a_store_that_cannot_write_raises(
        self, store: Store, tmp_path: Path, name: str
    ) -> None:
        """Nothing of the call is stored, reading still works, and later writing works again."""
        fill(store)
        before = everything(store)
        with self.unwritable(store, tmp_path):
            _fails_twice(store, name)
            assert everything(store) == before
        assert everything(store) == before
        CALLS[name](store)
        if name != "count_use":
            assert everything(store) != before

    def test_a_fold_that_cannot_write_changes_nothing(self, store: Store, tmp_path: Path) -> None:
        """All batches are there once, and are folded when the store can be written again."""
        names = [f"{number}" for number in range(4)]
        put(store, *(batch("anna", name, at) for at, name in enumerate(names)))
        with self.unwritable(store, tmp_path):
            if spans(store) > 1:
                with pytest.raises(StoreUnavailable):
                    fold(store)
            assert [content.decode() for content in columns_of(store, "anna")] == names
        fold(store)
        assert spans(store) == 1
        assert [content.decode() for content in columns_of(store, "anna")] == names

    def test_a_read_only_store_can_be_read(self, store: Store, tmp_path: Path) -> None:
        """All queries work while nothing can be written."""
        fill(store)
        with self.unwritable(store, tmp_path):
            for name in READING:
                CALLS[name](store)


def _write_on(suite: type[OpensStore], place: Path, writer: Connection) -> None:
    """Write until killed, and send the name of each commit."""
    store = suite().open_store(place)
    number = 0
    while True:
        name = f"{number}"
        store.commit([entry(batch("anna", name)), entry(attributes("anna", last=name))])
        writer.send(name)
        number += 1
