"""The samples of sources, put aside on disk user by user, and what should be held of each."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from uptake.samples.digests import Words, follow
from uptake.samples.times import Int64s
from uptake.time_units import TICKS_PER_DAY
from uptake.uploader.samples.index import Index, groups_of
from uptake.uploader.samples.rows import Rows

COLUMNS = 9
"""Two words of identity, two of the digest, one of content; start, line, file, device."""

Key = tuple[str, str]
"""User and metric."""


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Samples of one user and one metric that a server should hold, each once.

    Attributes:
        identity: two words each.
        digest: two words each, of the value too.
        content: as in the ledger.
        start: ticks.
        line, file, device: where they stand, and by which device; numbers of names.
    """

    identity: Words
    digest: Words
    content: NDArray[np.uint64]
    start: Int64s
    line: Int64s
    file: Int64s
    device: Int64s

    def __len__(self) -> int:
        return len(self.content)

    @property
    def day(self) -> Int64s:
        """Days since 1970-01-01, UTC."""
        return self.start // TICKS_PER_DAY

    def take(self, which: NDArray[np.bool_] | Int64s) -> "Expected":
        """Some of them."""
        return Expected(
            self.identity[:, which],
            self.digest[:, which],
            self.content[which],
            self.start[which],
            self.line[which],
            self.file[which],
            self.device[which],
        )


class Aside:
    """A file without a name that takes samples in any order and gives them back by user.

    Attributes:
        files, devices: names, by number.
    """

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self._parts: dict[Key, list[tuple[int, int]]] = {}
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

    def put(self, key: Key, rows: Rows, places: Int64s, file: str) -> None:
        """Put aside samples of one user and one metric, in order."""
        device = rows.names["device_name"]
        numbers = [self.devices.setdefault(name or "", len(self.devices)) for name in device.names]
        table = np.empty((COLUMNS, len(places)), np.uint64)
        table[:2] = rows.identity[:, places]
        table[2:4] = follow(rows.identity[:, places], rows.value[places].view(np.uint64))
        table[4] = rows.content[places]
        table[5] = rows.ticks[0][places].view(np.uint64)
        table[6] = rows.line[places].astype(np.uint64)
        table[7] = self.files.setdefault(file, len(self.files))
        table[8] = np.array(numbers, np.uint64)[device.places[places]]
        self._parts.setdefault(key, []).append((self._file.tell(), len(places)))
        self._file.write(table.tobytes())

    def groups(self) -> Iterator[tuple[Key, Expected]]:
        """Each user and metric with all that was put aside, in order."""
        for key in sorted(self._parts):
            tables = [self._get(*part) for part in self._parts[key]]
            words = np.concatenate(tables, axis=1)
            numbers = words.view(np.int64)
            yield key, Expected(words[:2], words[2:4], words[4], *numbers[5:])

    def _get(self, at: int, count: int) -> Any:
        self._file.seek(at)
        packed = self._file.read(8 * COLUMNS * count)
        return np.frombuffer(packed, np.uint64).reshape(COLUMNS, count)


def without_rejected(samples: Expected, rejected: NDArray[np.bool_]) -> Expected:
    """Those that were not rejected, and of those that are the same the last."""
    samples = samples.take(~rejected)
    if not len(samples):
        return samples
    number, _ = groups_of(samples.identity)
    last = np.zeros(int(number.max()) + 1, np.int64)
    np.maximum.at(last, number, np.arange(len(samples)))
    return samples.take(np.sort(last))


def compare(samples: Expected, held: Index) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples are not held, and which are held with another value.

    Args:
        samples: what should be held.
        held: identities and the second words of digests of what is.
    """
    known, digest = held.find(samples.identity)
    return ~known, known & (digest != samples.digest[1])
