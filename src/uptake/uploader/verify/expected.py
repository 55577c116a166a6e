"""The samples of sources, spooled to disk and read again user by user."""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from uptake.samples.digests import Words, follow
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_DAY
from uptake.uploader.ledger.samples import Series
from uptake.uploader.samples.index import Index, last_of_each
from uptake.uploader.samples.rows import Rows

EXPECTED = np.dtype(
    [
        ("identity", np.uint64, 2),
        ("digest", np.uint64, 2),
        ("content", np.uint64),
        ("start", np.int64),
        ("line", np.int64),
        ("file", np.int64),
        ("device", np.int64),
    ]
)
"""A sample that a server should have: `identity` and `content` as in the ledger, `digest` with the
value too, `start` in ticks, `file` and `device` as numbers of names."""

Expected = NDArray[Any]
"""Samples of one user and one metric, of type `EXPECTED`."""


def words(samples: Expected, name: str) -> Words:
    """The identities or digests of samples."""
    return np.ascontiguousarray(samples[name].T)


def days(samples: Expected) -> Int64s:
    """The days of samples since 1970-01-01, UTC."""
    return np.asarray(samples["start"] // TICKS_PER_DAY, np.int64)


class Spool:
    """A temporary file of samples in any order, which are read again by user and metric.

    Attributes:
        files, devices: names and their numbers.
    """

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self._parts: dict[Series, list[tuple[int, int]]] = {}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, series: Series, rows: Rows, places: Int64s, file: str) -> None:
        """Add samples of one user and one metric."""
        device = rows.names["device_name"]
        numbers = [self.devices.setdefault(name or "", len(self.devices)) for name in device.names]
        identity, value = rows.identity[:, places], rows.value[places]
        samples = np.empty(len(places), EXPECTED)
        samples["identity"] = identity.T
        samples["digest"] = follow(identity, value.view(np.uint64)).T
        samples["content"] = rows.content[places]
        samples["start"] = rows.ticks[0][places]
        samples["line"] = rows.line[places]
        samples["file"] = self.files.setdefault(file, len(self.files))
        samples["device"] = np.array(numbers, np.int64)[device.places[places]]
        self._parts.setdefault(series, []).append((self._file.tell(), len(places)))
        self._file.write(samples.tobytes())

    def groups(self) -> Iterator[tuple[Series, Expected]]:
        """The samples of each user and metric, in the order in which they were added."""
        for series in sorted(self._parts):
            yield series, np.concatenate([self._read(*part) for part in self._parts[series]])

    def _read(self, at: int, count: int) -> Expected:
        self._file.seek(at)
        return np.frombuffer(self._file.read(EXPECTED.itemsize * count), EXPECTED)


def last_only(samples: Expected) -> Expected:
    """The last sample of each identity."""
    _, last = last_of_each(words(samples, "identity"))
    return samples[np.sort(last)]


def compare(samples: Expected, found: Index) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples the server does not have, and which it has with another value.

    Args:
        samples: what it should have.
        found: identities and second words of digests of what it has.
    """
    known, digest = found.find(words(samples, "identity"))
    return ~known, known & (digest != samples["digest"][:, 1])
