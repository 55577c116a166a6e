"""What the ledger says of samples: a row for each request, and one for all that were folded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from uptake.samples.digests import Words, follow
from uptake.uploader.ledger import ACKNOWLEDGED, PENDING, SENT, rejections
from uptake.uploader.ledger.rejections import Rejection
from uptake.uploader.ledger.runs import Run
from uptake.uploader.samples.index import Contents, Index

FOLD_FROM = 8
"""From how many rows on those of one user and metric are made into one when they are read; fewer
if some samples stand in several of them."""

WORDS = 3
"""Two words of identity and one of content."""


class Waiting(msgspec.Struct, frozen=True):
    """A sample that waits until there are enough for a request; `item` is its row as JSON."""

    digest: bytes
    item: bytes
    file: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of one user's samples of one metric.

    Attributes:
        kept: those that are acknowledged, or on their way in this run.
        rejected: those that were rejected, by the identity that `rejection_of` gives.
        waiting: those that were too few.
    """

    kept: Index
    rejected: Index
    waiting: list[Waiting]


class _Row(NamedTuple):
    state: str
    run: int
    attempts: int
    digests: bytes

    @property
    def samples(self) -> int:
        return len(self.digests) // (8 * WORDS)


def _kept_and_unknown(rows: Sequence[_Row], run: int | None) -> tuple[Index, Index]:
    """What is acknowledged, or on its way in this run; and that of which nobody knows.

    What was under way when an earlier run ended may have arrived or not.
    """
    kept, unknown = Index(), Index()
    for row in rows:
        identity, content = unpack(row.digests)
        if row.state == ACKNOWLEDGED or row.run == run:
            kept.note(identity, content)
            if row.state == ACKNOWLEDGED and len(unknown):
                unknown.forget(identity)
        elif row.state == SENT:
            kept.forget(identity)
            unknown.note(identity, content)
    return kept, unknown


def rejection_of(identity: Words, content: Contents) -> Words:
    """Words for a sample with its content: another value is another matter."""
    return follow(identity, content)


def pack(identity: Words, content: Contents) -> bytes:
    """Identities and contents as bytes."""
    return np.concatenate([identity, content[np.newaxis]]).astype("<u8").tobytes()


def unpack(digests: bytes) -> tuple[Words, Contents]:
    """What `pack` was given."""
    words = np.frombuffer(digests, "<u8").reshape(WORDS, -1)
    return words[:2], words[2]


@dataclass(frozen=True, slots=True)
class SamplesLedger:
    """The samples of one destination."""

    run: Run

    def known(self, user_id: str, metric: str, *, retry_refused: bool = False) -> Known:
        """Everything about one user's samples of one metric; many rows are made into one.

        Args:
            user_id: whose samples.
            metric: of what.
            retry_refused: whether to know nothing of what was rejected.
        """
        rows = self._rows(user_id, metric)
        kept, unknown = _kept_and_unknown(rows, self.run.number)
        many = len(rows) >= FOLD_FROM or len(kept.whole()[1]) < sum(row.samples for row in rows)
        if many and all(row.run != self.run.number for row in rows):
            self._fold(user_id, metric, kept, unknown, sum(row.attempts for row in rows))
        rejected = Index() if retry_refused else self._rejected(user_id, metric)
        return Known(kept, rejected, self._waiting(user_id, metric))

    def tidy(self, replaced: Iterable[tuple[str, str]] = ()) -> None:
        """After a run, forget what later requests have settled or replaced; fold many rows.

        Args:
            replaced: users and metrics of which samples were replaced by others.
        """
        unknown_of = self.run.ledger.rows(
            "SELECT DISTINCT user_id, metric FROM samples WHERE destination = ? AND state = ?",
            self.run.destination,
            SENT,
        )
        many_of = self.run.ledger.rows(
            "SELECT user_id, metric FROM samples WHERE destination = ?"
            " GROUP BY user_id, metric HAVING count(*) >= ?",
            self.run.destination,
            FOLD_FROM,
        )
        for user_id, metric in {*unknown_of, *many_of, *replaced}:
            rows = self._rows(user_id, metric)
            kept, unknown = _kept_and_unknown(rows, None)
            self._fold(user_id, metric, kept, unknown, sum(row.attempts for row in rows))

    def _rows(self, user_id: str, metric: str) -> "list[_Row]":
        rows = self.run.ledger.rows(
            "SELECT state, run, attempts, digests FROM samples"
            " WHERE destination = ? AND user_id = ? AND metric = ? ORDER BY id",
            self.run.destination,
            user_id,
            metric,
        )
        return [_Row(*row) for row in rows]

    def _rejected(self, user_id: str, metric: str) -> Index:
        rows = self.run.ledger.rows(
            "SELECT identity, content FROM refusals"
            " WHERE destination = ? AND user_id = ? AND metric = ?",
            self.run.destination,
            user_id,
            metric,
        )
        rejected = Index()
        if rows:
            identity, content = (b"".join(column) for column in zip(*rows, strict=True))
            words = np.frombuffer(identity, "<u8").reshape(-1, 2).T
            said = np.frombuffer(content, "<u8")
            rejected.note(rejection_of(words, said), said)
        return rejected

    def _waiting(self, user_id: str, metric: str) -> list[Waiting]:
        rows = self.run.ledger.rows(
            "SELECT digest, item, file, line FROM waiting"
            " WHERE destination = ? AND user_id = ? AND metric = ? ORDER BY id",
            self.run.destination,
            user_id,
            metric,
        )
        return [Waiting(*row) for row in rows]

    def wait(self, user_id: str, metric: str, samples: list[Waiting]) -> None:
        """Note which of a user's samples wait, instead of those that did before."""
        ledger, destination = self.run.ledger, self.run.destination
        with ledger.together():
            ledger.write(
                "DELETE FROM waiting WHERE destination = ? AND user_id = ? AND metric = ?",
                destination,
                user_id,
                metric,
            )
            ledger.write_all(
                "INSERT INTO waiting (destination, user_id, metric, digest, item, file, line)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (destination, user_id, metric, one.digest, one.item, one.file, one.line)
                    for one in samples
                ],
            )

    def waited(self, user_id: str, metric: str, identity: Words, content: Contents) -> None:
        """Note that these samples wait no longer, if they did."""
        self.run.ledger.write_all(
            "DELETE FROM waiting"
            " WHERE destination = ? AND user_id = ? AND metric = ? AND digest = ?",
            [
                (
                    self.run.destination,
                    user_id,
                    metric,
                    pack(identity[:, i : i + 1], content[i : i + 1]),
                )
                for i in range(len(content))
            ],
        )

    def gathered(self, user_id: str, metric: str, digests: bytes) -> int:
        """Note a request that is to be sent; the number under which it is noted."""
        return self.run.ledger.write(
            "INSERT INTO samples"
            " (destination, user_id, metric, state, run, attempts, count, digests)"
            " VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            self.run.destination,
            user_id,
            metric,
            PENDING,
            self.run.number,
            len(digests) // (8 * WORDS),
            digests,
        )

    def sent(self, number: int) -> None:
        """Note, before it is sent, that a request is."""
        self.run.ledger.write(
            "UPDATE samples SET state = ?, attempts = attempts + 1 WHERE id = ?", SENT, number
        )

    def acknowledged(self, number: int, kept: bytes, rejected: Sequence[Rejection]) -> None:
        """Note the answer to a request: the digests of what is kept, and what is rejected."""
        ledger = self.run.ledger
        with ledger.together():
            if kept:
                ledger.write(
                    "UPDATE samples SET state = ?, count = ?, digests = ? WHERE id = ?",
                    ACKNOWLEDGED,
                    len(kept) // (8 * WORDS),
                    kept,
                    number,
                )
            else:
                ledger.write("DELETE FROM samples WHERE id = ?", number)
            rejections.note(self.run, rejected)

    def replace(self, number: int, parts: Sequence[bytes]) -> list[int]:
        """Note that a request is sent in several instead; the numbers of those."""
        ledger = self.run.ledger
        with ledger.together():
            ((user_id, metric),) = ledger.rows(
                "SELECT user_id, metric FROM samples WHERE id = ?", number
            )
            ledger.write("DELETE FROM samples WHERE id = ?", number)
            return [self.gathered(user_id, metric, digests) for digests in parts]

    def keep(self, user_id: str, metric: str, kept: Index) -> None:
        """Note that these and no others are acknowledged of a user's samples of a metric."""
        self._fold(user_id, metric, kept, Index(), 0)

    def _fold(self, user_id: str, metric: str, kept: Index, unknown: Index, attempts: int) -> None:
        """Make one row of all that is acknowledged, and one of all whose outcome is not known."""
        ledger, destination = self.run.ledger, self.run.destination
        with ledger.together():
            ledger.write(
                "DELETE FROM samples WHERE destination = ? AND user_id = ? AND metric = ?",
                destination,
                user_id,
                metric,
            )
            for state, index in ((ACKNOWLEDGED, kept), (SENT, unknown)):
                if len(index):
                    identity, content = index.whole()
                    ledger.write(
                        "INSERT INTO samples"
                        " (destination, user_id, metric, state, run, attempts, count, digests)"
                        " VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
                        destination,
                        user_id,
                        metric,
                        state,
                        attempts if state == ACKNOWLEDGED else 0,
                        len(content),
                        pack(identity, content),
                    )
