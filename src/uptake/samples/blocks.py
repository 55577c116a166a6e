"""Blocks: many small batches of one user and metric in one row, which each keep their identity.

The samples of a block are those of its batches one after the other, encoded as one batch. Its
directory has a row of integers for each of `DIRECTORY`, with a number for each batch; its digests
are those of its batches, one after the other. So a block can be taken to pieces: what its batches
are, when they were received, and which of their samples count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.samples.columns import (
    DIGEST_BYTES,
    NO_END,
    Columns,
    column,
    concatenated,
    digest,
    from_all_bytes,
    from_bytes,
    in_use,
    to_bytes,
    to_planes,
)
from uptake.samples.packed import HEADER_LENGTH, compressed, decompressed, from_planes
from uptake.samples.times import Int64s

DIRECTORY = ("count", "sequence", "mark", "received_at", "repeats")
"""What a block knows about each batch; see the table `sample_batches`."""

LEVEL = 9
"""The level of compression: a block is written a few times, and read for years."""


class BadBlock(ValueError):
    """The directory of a block does not match its samples."""


@dataclass(frozen=True, slots=True)
class Block:
    """Batches, in any order.

    Attributes:
        numbers: a row for each of `DIRECTORY`, a column for each batch.
        digests: a row for each batch.
        columns: the samples of all batches, one batch after the other.
    """

    numbers: Int64s
    digests: NDArray[np.uint8]
    columns: Columns

    def __len__(self) -> int:
        return len(self.digests)

    count = column(0, "The number of samples of each batch.")
    sequence = column(1, "The sequence of each batch.")
    mark = column(2, "The mark of each batch.")
    received_at = column(3, "When each batch was received.")
    repeats = column(4, "How often each batch was received again.")

    def bounds(self) -> tuple[Int64s, Int64s]:
        """The starts of the first and the last sample of each batch."""
        begins = _begins(self.count)
        start = self.columns.start
        return np.minimum.reduceat(start, begins), np.maximum.reduceat(start, begins)

    @property
    def until(self) -> int:
        """The end of the sample that ends last."""
        duration = self.columns.duration
        ends = self.columns.start + np.where(duration == NO_END, 0, duration)
        return int(ends.max())

    def take(self, which: Int64s | NDArray[np.bool_]) -> "Block":
        """Return some batches, in that order."""
        places = np.arange(len(self))[which]
        counts = self.count[places]
        shift = _begins(self.count)[places] - _begins(counts)
        samples = np.repeat(shift, counts) + np.arange(counts.sum())
        return Block(self.numbers[:, places], self.digests[places], self.columns.take(samples))

    def without(self, gone: NDArray[np.bool_]) -> "Block":
        """Return the batches without some samples; one that loses samples gets a new digest.

        Args:
            gone: whether each sample of the block is removed; at least one stays.
        """
        batch = np.repeat(np.arange(len(self)), self.count)
        numbers, digests = self.numbers.copy(), self.digests.copy()
        numbers[0] = np.bincount(batch[~gone], minlength=len(self))
        for place in np.flatnonzero((numbers[0] > 0) & (numbers[0] < self.count)).tolist():
            left = in_use(self.columns.take(~gone & (batch == place)))
            digests[place] = np.frombuffer(digest(to_bytes(left)), np.uint8)
        some = numbers[0] > 0
        return Block(numbers[:, some], digests[some], self.columns.take(~gone))

    def in_order(self) -> "Block":
        """Return the batches in order of their first sample."""
        first, _ = self.bounds()
        if (first[1:] >= first[:-1]).all():
            return self
        return self.take(np.lexsort((self.sequence, first)))

    def to_columns(self) -> bytes:
        """Encode the samples."""
        return to_bytes(in_use(self.columns), LEVEL)

    def to_directory(self) -> bytes:
        """Encode the directory."""
        return write_directory(self.numbers)


def _begins(counts: Int64s) -> Int64s:
    """The place of the first sample of each batch."""
    return np.append(0, np.cumsum(counts)[:-1])


def from_batches(digests: Sequence[bytes], rows: Sequence[Any], columns: Sequence[bytes]) -> Block:
    """Return batches as a block, in this order.

    Args:
        digests: of each batch.
        rows: the values of `DIRECTORY` of each batch.
        columns: the samples of each batch, as encoded by `columns.to_bytes`.

    Raises:
        BadBlock: a count is not the number of the samples.
        ValueError: as `columns.from_bytes`.
    """
    numbers = np.array(rows, np.int64).T
    samples, counts = from_all_bytes(columns)
    return _block(numbers, b"".join(digests), samples, matches=numbers[0].tolist() == counts)


def from_stored(digests: bytes, directory: bytes, columns: bytes) -> Block:
    """Decode a block.

    Raises:
        BadBlock: its parts do not match.
        ValueError: as `columns.from_bytes`.
    """
    table, samples = read_directory(directory), from_bytes(columns)
    return _block(table, digests, samples, matches=table[0].sum() == len(samples))


def _block(numbers: Int64s, digests: bytes, samples: Columns, *, matches: bool) -> Block:
    if not matches or len(digests) != DIGEST_BYTES * numbers.shape[1]:
        raise BadBlock("the directory of a block does not match its samples")
    rows = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)
    return Block(numbers, rows, samples)


def sequences(directory: bytes) -> Int64s:
    """Return the sequence of each sample of a block."""
    numbers = read_directory(directory)
    return np.repeat(numbers[1], numbers[0])


def read_directory(directory: bytes) -> Int64s:
    """Decode a directory: a row for each of `DIRECTORY`, a column for each batch."""
    frame = decompressed(directory)
    at = HEADER_LENGTH + int.from_bytes(frame[:HEADER_LENGTH], "little")
    count, first, *scheme = msgspec.msgpack.decode(frame[HEADER_LENGTH:at])
    numbers = np.empty((len(DIRECTORY), count), np.int64)
    from_planes(frame[at:], count, tuple(scheme), list(numbers), slice(None))
    numbers[:, 0] = first
    return np.cumsum(numbers, axis=1)


def write_directory(numbers: Int64s) -> bytes:
    """Encode a directory."""
    differences = np.diff(numbers, axis=1, prepend=numbers[:, :1])
    first = numbers[:, 0].tolist()
    scheme, planes = to_planes(differences)
    header = msgspec.msgpack.encode([numbers.shape[1], first, *scheme])
    frame = [len(header).to_bytes(HEADER_LENGTH, "little"), header, *planes]
    return compressed(b"".join(frame), LEVEL)


def joined(blocks: Sequence[Block]) -> Block:
    """Return the batches of at least one block, in order of their first sample."""
    counts = [len(block.columns) for block in blocks]
    numbers = np.concatenate([block.columns.numbers for block in blocks], axis=1)
    value = np.concatenate([block.columns.value for block in blocks])
    columns = concatenated(numbers, value, [block.columns for block in blocks], counts)
    return Block(
        np.concatenate([block.numbers for block in blocks], axis=1),
        np.concatenate([block.digests for block in blocks]),
        columns,
    ).in_order()
