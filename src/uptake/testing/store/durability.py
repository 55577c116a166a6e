"""Conformance suite of stores that outlive their process."""

import multiprocessing
from contextlib import AbstractContextManager, closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from uptake.store.base import Store, StoreUnavailable
from uptake.testing.store.faults import CALLS, READING, WRITING, everything, fill
from uptake.testing.store.making import attributes, batch, entry, image
from uptake.testing.store.opening import OpensStore

KILLED_AFTER = 20
"""Commits that are acknowledged before the process is killed."""

EVER = (-(1 << 62), 1 << 62)


class Durability(OpensStore):
    """What was acknowledged is stored, whatever happens to the writers."""

    def unwritable(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """Make the store read-only while the block runs."""
        raise NotImplementedError

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
                store.commit([entry(batch("anna", f"{i}"), batch("anna", "again"))])
                store.commit([entry(image("anna", f"{i}", name=f"{i}.png"))])
        with closing(self.open_store(tmp_path)) as store:
            assert store.batches("default", "anna", "steps", *EVER) == [b"0", b"1", b"2", b"again"]
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
            stored = store.batches("default", "anna", "steps", *EVER)
            user = store.user("default", "anna")
        names = [columns.decode() for columns in stored]
        assert names[: len(acknowledged)] == acknowledged
        # What was being written may be there or not, but not in part.
        assert user is not None
        assert user.attributes == {"last": names[-1]}

    @pytest.mark.parametrize("name", WRITING)
    def test_a_store_that_cannot_write_raises(
        self, store: Store, tmp_path: Path, name: str
    ) -> None:
        """Nothing of the call is stored, reading still works, and later writing works again."""
        fill(store)
        before = everything(store)
        with self.unwritable(store, tmp_path):
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    CALLS[name](store)
            assert everything(store) == before
        assert everything(store) == before
        CALLS[name](store)
        if name != "count_use":
            assert everything(store) != before

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
