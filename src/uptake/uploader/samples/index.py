"""Digests of the samples of one user and one metric, in memory."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uptake.samples.digests import Words
from uptake.samples.times import Int64s

Contents = NDArray[np.uint64]

GROWTH = 2
"""Each sorted run has at least so many times the samples of the next: so there are few of them to
search, and each sample is merged a few times, however many are added."""


@dataclass(eq=False)
class Index:
    """The latest content of each identity.

    A lookup is a binary search by the first word of the identity. Two samples with the same first
    word by chance would be taken for unknown, and sent once more than needed.

    Attributes:
        runs: identities and contents, sorted by first word, each identity once; later runs count.
    """

    runs: list[tuple[Words, Contents]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(content) for _, content in self.runs)

    def find(self, identity: Words) -> tuple[NDArray[np.bool_], Contents]:
        """Which identities are known, and their contents."""
        known = np.zeros(identity.shape[1], np.bool_)
        content = np.zeros(identity.shape[1], np.uint64)
        for keys, contents in self.runs:
            place = np.searchsorted(keys[0], identity[0])
            place[place == len(contents)] = 0
            same = (keys[0, place] == identity[0]) & (keys[1, place] == identity[1])
            known |= same
            content[same] = contents[place[same]]
        return known, content

    def add(self, identity: Words, content: Contents) -> None:
        """Add identities with their contents; of one that is repeated, the last content counts."""
        if not len(content):
            return
        self.runs.append(_sorted(identity, content))
        while len(self.runs) > 1 and len(self.runs[-2][1]) < GROWTH * len(self.runs[-1][1]):
            self.runs[-2:] = [Index(self.runs[-2:]).merged()]

    def remove(self, identity: Words) -> None:
        """Remove identities."""
        keys, contents = self.merged()
        gone, _ = Index([_sorted(identity, np.zeros(identity.shape[1], np.uint64))]).find(keys)
        self.runs = [(keys[:, ~gone], contents[~gone])] if not gone.all() else []

    def merged(self) -> tuple[Words, Contents]:
        """All identities, sorted by first word, and their contents."""
        if len(self.runs) == 1:
            return self.runs[0]
        if not self.runs:
            return np.zeros((2, 0), np.uint64), np.zeros(0, np.uint64)
        return _sorted(
            np.concatenate([identity for identity, _ in self.runs], axis=1),
            np.concatenate([content for _, content in self.runs]),
        )


def _sorted(identity: Words, content: Contents) -> tuple[Words, Contents]:
    order = np.argsort(identity[0], kind="stable")
    identity, content = identity[:, order], content[order]
    last = np.append((identity[:, 1:] != identity[:, :-1]).any(axis=0), True)
    return (identity, content) if last.all() else (identity[:, last], content[last])


def groups_of(identity: Words) -> tuple[Int64s, Int64s]:
    """A number for each identity, and the places of the first of each, in order of number."""
    order = np.lexsort((identity[1], identity[0]))
    ordered = identity[:, order]
    begins = np.append(True, (ordered[:, 1:] != ordered[:, :-1]).any(axis=0))
    number = np.empty(identity.shape[1], np.int64)
    number[order] = np.cumsum(begins) - 1
    return number, order[begins]


def last_of_each(identity: Words) -> tuple[Int64s, Int64s]:
    """A number for each identity, and the places of the last of each, in order of number."""
    number, _ = groups_of(identity)
    last = np.zeros(int(number.max(initial=-1)) + 1, np.int64)
    np.maximum.at(last, number, np.arange(identity.shape[1]))
    return number, last
