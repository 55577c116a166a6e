"""What a store that outlives its process must do besides."""

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
"""Commits that a process is told of before it is killed."""

EVER = (-(1 << 62), 1 << 62)


class Durability(OpensStore):
    """What was acknowledged is there after whatever happened to those who wrote it."""

    def unwritable(self, store: Store, place: Path) -> AbstractContextManager[None]:
        """While the block runs the store can be read, but not take anything in."""
        raise NotImplementedError

    def test_what_was_kept_is_there_when_opened_again(self, store: Store, tmp_path: Path) -> None:
        """All of it, while the first is still open and after it was closed."""
        fill(store)
        before = everything(store)
        for _ in range(2):
            with closing(self.open_store(tmp_path)) as again:
                assert everything(again) == before
            store.close()

    def test_order_and_numbers_go_on_when_opened_again(self, tmp_path: Path) -> None:
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
        """A process is killed between any two instructions; what it was told is there, in order."""
        context = multiprocessing.get_context("spawn")
        told, tells = context.Pipe(duplex=False)
        process = context.Process(target=_write_on, args=(type(self), tmp_path, tells))
        process.start()
        tells.close()
        acknowledged = [told.recv() for _ in range(KILLED_AFTER)]
        process.kill()
        process.join()
        try:
            while True:
                acknowledged.append(told.recv())
        except EOFError:
            told.close()
        with closing(self.open_store(tmp_path)) as store:
            kept = store.batches("default", "anna", "steps", *EVER)
            user = store.user("default", "anna")
        names = [columns.decode() for columns in kept]
        assert names[: len(acknowledged)] == acknowledged
        # What was being written may be there or not, but not in part.
        assert user is not None
        assert user.attributes == {"last": names[-1]}

    @pytest.mark.parametrize("name", WRITING)
    def test_a_store_that_cannot_write_says_so(
        self, store: Store, tmp_path: Path, name: str
    ) -> None:
        """Nothing of the call is kept, all can be read meanwhile, and later it works again."""
        fill(store)
        before = everything(store)
        with self.unwritable(store, tmp_path):
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    CALLS[name](store)
            assert everything(store) == before
        assert everything(store) == before
        CALLS[name](store)
        if name != "spend":
            assert everything(store) != before

    def test_reading_needs_no_room(self, store: Store, tmp_path: Path) -> None:
        """A store that takes nothing in can still be asked everything."""
        fill(store)
        with self.unwritable(store, tmp_path):
            for name in READING:
                CALLS[name](store)


def _write_on(suite: type[OpensStore], place: Path, tells: Connection) -> None:
    """Write until killed, and tell of each commit that is done."""
    store = suite().open_store(place)
    number = 0
    while True:
        name = f"{number}"
        store.commit([entry(batch("anna", name)), entry(attributes("anna", last=name))])
        tells.send(name)
        number += 1
