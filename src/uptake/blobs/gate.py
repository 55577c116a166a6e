"""Keeps callers from waiting one after the other for a store that is out of reach."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uptake.blobs.base import BlobsUnavailable


class Gate:
    """Open while the store answers. After a failure one caller at a time may try; others fail.

    A store that does not answer takes seconds to say so. Without this every caller would spend
    them, and a thread each.
    """

    def __init__(self) -> None:
        self._closed = False
        self._trial = threading.Lock()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Use the store; a `BlobsUnavailable` raised inside closes the gate, a success opens it.

        Raises:
            BlobsUnavailable: the gate is closed and somebody is trying already.
        """
        trying = self._closed
        if trying and not self._trial.acquire(blocking=False):
            raise BlobsUnavailable("the store did not answer a moment ago")
        try:
            yield
        except BlobsUnavailable:
            self._closed = True
            raise
        else:
            self._closed = False
        finally:
            if trying:
                self._trial.release()
