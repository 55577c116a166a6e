"""Keeps callers from waiting one after the other for a store that is out of reach."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from uptake.blobs.base import BlobsUnavailable

LONG_SECONDS = 1.0
"""A failure that takes longer has kept others waiting, who are then to be told all at once."""

REST_SECONDS = 1.0
"""How long after such a failure nobody tries: what clients are asked to wait."""


class Gate:
    """Open while the store answers. After a failure one caller at a time may try; others fail.

    A store that does not answer takes seconds to say so. Without this every caller would spend
    them, and a thread each.
    """

    def __init__(self) -> None:
        self._closed = False
        self._rest_until = 0.0
        self._trial = threading.Lock()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Use the store; a `BlobsUnavailable` raised inside closes the gate, a success opens it.

        Raises:
            BlobsUnavailable: the gate is closed, and it is not for this caller to try.
        """
        trying = self._closed
        began = monotonic()
        if trying and (began < self._rest_until or not self._trial.acquire(blocking=False)):
            raise BlobsUnavailable("it did not answer a moment ago")
        try:
            yield
        except BlobsUnavailable:
            self._closed = True
            ended = monotonic()
            if ended - began > LONG_SECONDS:
                self._rest_until = ended + REST_SECONDS
            raise
        else:
            self._closed = False
        finally:
            if trying:
                self._trial.release()
