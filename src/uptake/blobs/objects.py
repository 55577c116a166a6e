"""Blobs in anything that obstore speaks to: object stores, and the files of a folder."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import ObjectStore

from uptake.blobs.base import BlobsUnavailable
from uptake.blobs.reasons import is_about_the_place, reason
from uptake.circuit_breaker import CircuitBreaker

CHECKED = b"uptake"

NETWORK_PARALLEL = 8
"""Calls at once over a network. Each may hold an image twice: as it came, and cleaned."""


class ObjectBlobs:
    """The port `Blobs` over a bucket, or a part of it."""

    parallel = NETWORK_PARALLEL

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._circuit = CircuitBreaker(BlobsUnavailable)

    def check(self) -> None:
        """Put, read, list and delete a blob of a name that nobody else uses."""
        name = f"checks/{secrets.token_hex(16)}"
        self.put(name, CHECKED)
        if self.get(name) != CHECKED:
            raise BlobsUnavailable("what is written cannot be read back")
        for _ in self.names(name):
            pass
        self.delete([name])

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob, in one request whatever its size.

        It is sent even if it is there: to ask first would cost every new blob a round trip, and
        the answer could be outdated by a deletion before the row that needs the blob is written.
        """
        with self._speaking():
            obstore.put(self._store, name, content, use_multipart=False)

    def get(self, name: str) -> bytes | None:
        """A blob, or None when there is none of that name."""
        with self._speaking():
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError as error:
                return _missing(error)

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """The bytes of a blob from `start` up to `end`, by a request of its own."""
        with self._speaking():
            try:
                return bytes(obstore.get_range(self._store, name, start=start, end=end))
            except FileNotFoundError as error:
                return _missing(error)
            except GenericError as error:
                if "range" in str(error).lower() and self._size(name) <= start:
                    return b""
                raise

    def _size(self, name: str) -> int:
        return obstore.head(self._store, name)["size"]

    def delete(self, names: Sequence[str]) -> None:
        """Remove blobs, a thousand in a request where the store can."""
        with self._speaking():
            try:
                obstore.delete(self._store, names)
            except FileNotFoundError:
                # Some stores say so, and may have stopped there.
                for name in names:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._store, name)

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with these characters, fetched a page at a time."""
        folder = prefix.rpartition("/")[0]
        with self._speaking():
            pages = obstore.list(self._store, folder or None)
        while True:
            with self._speaking():
                page = next(pages, None)
            if page is None:
                return
            yield from (found["path"] for found in page if found["path"].startswith(prefix))

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        with self._circuit.guard():
            try:
                yield
            except (BaseError, OSError) as error:
                raise BlobsUnavailable(reason(error)) from error


def _missing(error: FileNotFoundError) -> bytes | None:
    if is_about_the_place(error):
        raise BlobsUnavailable(reason(error)) from error
    return None
