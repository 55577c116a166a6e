"""Blobs in anything that obstore supports: object stores, and the files of a folder."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import ObjectStore, S3Store

from uptake.blobs.base import BlobsUnavailable
from uptake.blobs.reasons import is_missing_bucket, reason
from uptake.circuit_breaker import CircuitBreaker

CHECKED = b"uptake"

EPOCH = datetime.fromtimestamp(0, UTC)

NETWORK_PARALLEL = 8
"""Concurrent calls over a network. Each may hold an image twice: as uploaded, and cleaned."""


class ObjectBlobs:
    """The port `Blobs` on a bucket, or a part of it."""

    parallel = NETWORK_PARALLEL

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._circuit = CircuitBreaker(BlobsUnavailable)

    def check(self) -> None:
        """See `Blobs.check`; the name of the blob is random."""
        name = f"checks/{secrets.token_hex(16)}"
        self.put(name, CHECKED)
        if self.get(name) != CHECKED:
            raise BlobsUnavailable("what is written cannot be read back")
        for _ in self.names(name):
            pass
        self.delete([name])

    def put(self, name: str, content: bytes) -> None:
        """Store a blob in one request, whatever its size.

        An existing blob is sent again: a check would cost each new blob a round trip, and the blob
        could be deleted before the row that refers to it is written.
        """
        with self._calling():
            obstore.put(self._store, name, content, use_multipart=False)

    def get(self, name: str) -> bytes | None:
        """See `Blobs.get`."""
        with self._calling():
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError as error:
                return _missing(error)

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """See `Blobs.read`; each call is a request."""
        with self._calling():
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
        """Delete blobs: a thousand in a request of S3, one at a time elsewhere.

        Of several, other stores delete some at once. If one is missing, obstore raises while others
        are still being deleted, and a blob that is stored again in the next moment would be lost.
        """
        with self._calling():
            if isinstance(self._store, S3Store):
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, names)
                    return
            # Also for a store like S3 that raises this, and may have stopped there.
            for name in names:
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, name)

    def names(self, prefix: str, before: int | None = None) -> Iterator[str]:
        """See `Blobs.names`; fetched a page at a time."""
        folder = prefix.rpartition("/")[0]
        end = None if before is None else EPOCH + timedelta(microseconds=before)
        with self._calling():
            pages = obstore.list(self._store, folder or None)
        while True:
            with self._calling():
                page = next(pages, None)
            if page is None:
                return
            for found in page:
                in_time = end is None or found["last_modified"] < end
                if in_time and found["path"].startswith(prefix):
                    yield found["path"]

    @contextmanager
    def _calling(self) -> Iterator[None]:
        with self._circuit.guard():
            try:
                yield
            except (BaseError, OSError) as error:
                raise BlobsUnavailable(reason(error)) from error


def _missing(error: FileNotFoundError) -> bytes | None:
    if is_missing_bucket(error):
        raise BlobsUnavailable(reason(error)) from error
    return None
