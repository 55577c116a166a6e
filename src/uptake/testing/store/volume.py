"""What a store must do with many rows."""

import time

from uptake.store.base import Store
from uptake.testing.store.making import (
    attributes,
    batch,
    document,
    entry,
    image,
    rejection,
)
from uptake.testing.store.opening import OpensStore
from uptake.time_units import TICKS_PER_HOUR

ROWS = 20_000
"""Batches of one user, documents of all users: more than fit where one looks at each."""

USERS = 1000
GROUP = 250
"""Entries in a commit, as under load."""

WRITE_SECONDS = 60.0
READ_SECONDS = 5.0
"""Generous on purpose: what grows with the square of the rows takes hours, not minutes."""

"""Ticks."""


class Volume(OpensStore):
    """Many rows take longer than few, but not much longer each."""

    def test_many_rows_are_written_and_found_in_bounded_time(self, store: Store) -> None:
        """Of one user, of many users, and rejected ones."""
        began = time.perf_counter()
        for start in range(0, ROWS, GROUP):
            store.commit(
                [
                    entry(
                        batch("anna", f"{i}", i * TICKS_PER_HOUR, (i + 1) * TICKS_PER_HOUR - 1),
                        document(f"user {i % USERS}", f"{i}"),
                        attributes(f"user {i % USERS}", a=f"{i}"),
                        rejections=(rejection(f"{i:06d}"),) if i % 10 == 0 else (),
                    )
                    for i in range(start, start + GROUP)
                ]
            )
            store.commit([entry(image("anna", f"{start}"))])
        written = time.perf_counter()
        middle = ROWS // 2 * TICKS_PER_HOUR
        found = store.batches("default", "anna", "steps", middle, middle + 24 * TICKS_PER_HOUR - 1)
        spans = store.spans("default", "anna")
        user = store.user("default", "user 7")
        stored = store.document("default", f"{ROWS - 1}")
        rejected = store.rejections("default", f"{ROWS // 2:06d}", 100)
        images = store.images("default", "anna", 1_000_010, 5)
        read = time.perf_counter()
        assert found == [f"{ROWS // 2 + i}".encode() for i in range(24)]
        assert [span.first for span in spans] == [i * TICKS_PER_HOUR for i in range(ROWS)]
        assert user is not None
        assert (user.documents, user.attributes) == (ROWS // USERS, {"a": f"{ROWS - USERS + 7}"})
        assert stored is not None
        assert stored.user_id == f"user {USERS - 1}"
        assert [one.record.rejection_id for one in rejected] == [
            f"{ROWS // 2 + 10 * i:06d}" for i in range(1, 101)
        ]
        assert [i.image_id for i in images] == [1_000_011 + i for i in range(5)]
        assert written - began < WRITE_SECONDS
        assert read - written < READ_SECONDS
