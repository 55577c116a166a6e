"""Samples ready to be sent: their JSON, their digests, and where they were read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uptake.samples.digests import Words
from uptake.samples.times import Int64s
from uptake.uploader.ledger.samples import pack
from uptake.uploader.samples.index import Contents


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Some samples of one user and one metric.

    Attributes:
        text: a JSON object for each, followed by a comma; "" if they are not sent.
        offsets: where each begins in `text`, and where the last one ends.
        identity, content: as in `Rows`.
        file: the number of each sample's file.
        line: the place of each sample in its file.
    """

    text: bytes
    offsets: Int64s
    identity: Words
    content: Contents
    file: Int64s
    line: Int64s

    def __len__(self) -> int:
        return len(self.content)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return len(self.text) + 48 * len(self)

    @property
    def digests(self) -> bytes:
        """Identities and contents, as the ledger has them."""
        return pack(self.identity, self.content)

    def digest(self, i: int) -> tuple[bytes, bytes]:
        """Identity and content of one, as the ledger has them."""
        words = self.identity[:, i].astype("<u8"), self.content[i : i + 1].astype("<u8")
        return words[0].tobytes(), words[1].tobytes()

    def item(self, i: int) -> bytes:
        """The JSON of one."""
        return self.text[self.offsets[i] : self.offsets[i + 1] - 1]

    def slice(self, begin: int, end: int) -> "Packed":
        """Those from one place up to another."""
        if (begin, end) == (0, len(self)):
            return self
        offsets = self.offsets[begin : end + 1]
        return Packed(
            self.text[offsets[0] : offsets[-1]],
            offsets - offsets[0],
            self.identity[:, begin:end],
            self.content[begin:end],
            self.file[begin:end],
            self.line[begin:end],
        )

    def take(self, which: NDArray[np.bool_]) -> "Packed":
        """Those that are marked."""
        if which.all():
            return self
        places = np.flatnonzero(which)
        texts = [self.text[self.offsets[i] : self.offsets[i + 1]] for i in places.tolist()]
        lengths = np.array([0, *map(len, texts)], np.int64)
        return Packed(
            b"".join(texts),
            np.cumsum(lengths),
            self.identity[:, which],
            self.content[which],
            self.file[which],
            self.line[which],
        )


NONE = Packed(
    b"",
    np.zeros(1, np.int64),
    np.zeros((2, 0), np.uint64),
    np.zeros(0, np.uint64),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
)


def join(parts: Sequence[Packed]) -> Packed:
    """All of them, in order."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else NONE
    begins = np.cumsum([0, *(len(part.text) for part in parts[:-1])])
    offsets = [part.offsets[:-1] + begin for part, begin in zip(parts, begins, strict=True)]
    total = sum(len(part.text) for part in parts)
    return Packed(
        b"".join(part.text for part in parts),
        np.append(np.concatenate(offsets), total),
        np.concatenate([part.identity for part in parts], axis=1),
        np.concatenate([part.content for part in parts]),
        np.concatenate([part.file for part in parts]),
        np.concatenate([part.line for part in parts]),
    )
