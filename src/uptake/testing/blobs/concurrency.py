"""What holds when many use a blob store at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.testing.blobs.opening import OpensBlobs

THREADS = 8


class Concurrency(OpensBlobs):
    """No caller sees half of what another one does."""

    def test_one_name_from_all_sides_is_never_seen_in_part(self, blobs: Blobs) -> None:
        """Many write and read one name at once: what is read was written by one of them."""
        contents = [bytes([number]) * 100_000 for number in range(THREADS)]
        ready = threading.Barrier(THREADS)

        def put_and_get(number: int) -> list[bytes | None]:
            ready.wait()
            seen = []
            for _ in range(5):
                blobs.put("some/name", contents[number])
                seen.append(blobs.get("some/name"))
            return seen

        with ThreadPoolExecutor(THREADS) as pool:
            seen = {content for part in pool.map(put_and_get, range(THREADS)) for content in part}
        assert seen <= set(contents)
        assert blobs.get("some/name") in contents

    def test_many_names_from_all_sides_are_all_stored(self, blobs: Blobs) -> None:
        """Folders that several need at once are made by whoever comes first."""
        names = [f"{number % 3}/{number % 7}/{number}" for number in range(100)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda name: blobs.put(name, name.encode()), names))
        assert [blobs.get(name) for name in names] == [name.encode() for name in names]

    def test_one_name_put_and_deleted_from_all_sides_is_there_or_not(self, blobs: Blobs) -> None:
        """Folders go with their last blob and come back; deleting one blob deletes no other.

        A blob that is deleted while it is being put may raise `BlobsUnavailable`.
        """
        ready = threading.Barrier(THREADS)

        def put_and_delete(number: int) -> set[bytes | None]:
            ready.wait()
            seen: set[bytes | None] = set()
            for _ in range(5):
                blobs.put(f"some/deep/{number}", b"own")
                with suppress(BlobsUnavailable):
                    blobs.put("some/deep/name", b"shared")
                seen.add(blobs.get("some/deep/name"))
                assert blobs.get(f"some/deep/{number}") == b"own"
                blobs.delete(["some/deep/name", f"some/deep/{number}"])
            return seen

        with ThreadPoolExecutor(THREADS) as pool:
            seen = set.union(*pool.map(put_and_delete, range(THREADS)))
        assert seen <= {b"shared", None}
        assert list(blobs.names("")) == []
