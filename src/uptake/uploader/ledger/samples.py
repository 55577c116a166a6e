"""Samples in the ledger: a row for each request, and one for all that were folded together."""

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
"""Rows of a series from which on they are folded into one; fewer if they repeat samples."""

WORDS = 3
"""Words of a digest: two of identity, one of content."""

DIGEST_BYTES = 8 * WORDS

Series = tuple[str, str]
"""A user and a metric."""


class WaitingSample(msgspec.Struct, frozen=True):
    """A sample that waits until there are enough for a request; `item` is its JSON."""

    digest: bytes
    item: bytes
    file: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class KnownSamples:
    """The ledger's samples of a series.

    Attributes:
        stored: those that are acknowledged, or in flight in this run.
        rejected: those that were rejected, by `rejection_identity`.
        waiting: those that were too few for a request.
    """

    stored: Index
    rejected: Index
    waiting: list[WaitingSample]


class _Row(NamedTuple):
    state: str
    run: int
    attempts: int
    digests: bytes


def _stored_and_unknown(rows: Sequence[_Row], run: int | None) -> tuple[Index, Index]:
    """What is acknowledged, or in flight in this run; and what an earlier run left in flight."""
    stored, unknown = Index(), Index()
    for row in rows:
        identity, content = unpack(row.digests)
        if row.state == ACKNOWLEDGED or row.run == run:
            stored.add(identity, content)
            if row.state == ACKNOWLEDGED and len(unknown):
                unknown.remove(identity)
        elif row.state == SENT:
            stored.remove(identity)
            unknown.add(identity, content)
    return stored, unknown


def rejection_identity(identity: Words, content: Contents) -> Words:
    """The identity of a rejected sample: with another value it is another sample."""
    return follow(identity, content)


def pack(identity: Words, content: Contents) -> bytes:
    """Identities and contents as bytes."""
    return np.concatenate([identity, content[np.newaxis]]).astype("<u8").tobytes()


def unpack(digests: bytes) -> tuple[Words, Contents]:
    """The reverse of `pack`."""
    words = np.frombuffer(digests, "<u8").reshape(WORDS, -1)
    return words[:2], words[2]


def known(run: Run, series: Series, *, retry_rejected: bool = False) -> KnownSamples:
    """What the ledger has of a series; many rows are folded into one.

    With `retry_rejected`, rejections are ignored.
    """
    rows = _rows(run, series)
    stored, unknown = _stored_and_unknown(rows, run.number)
    count = sum(len(row.digests) // DIGEST_BYTES for row in rows)
    many = len(rows) >= FOLD_FROM or len(stored.merged()[1]) < count
    if many and all(row.run != run.number for row in rows):
        _fold(run, series, stored, unknown, sum(row.attempts for row in rows))
    rejected = Index() if retry_rejected else _rejected(run, series)
    waiting = run.rows(
        "SELECT digest, item, file, line FROM waiting"
        " WHERE destination = ?1 AND user_id = ?2 AND metric = ?3 ORDER BY id",
        *series,
    )
    return KnownSamples(stored, rejected, [WaitingSample(*row) for row in waiting])


def fold(run: Run, replaced: Iterable[Series] = ()) -> None:
    """After a run, fold series with many rows or with samples that were sent again or replaced."""
    unknown_of = run.rows(
        "SELECT DISTINCT user_id, metric FROM samples WHERE destination = ?1 AND state = ?2", SENT
    )
    many_of = run.rows(
        "SELECT user_id, metric FROM samples WHERE destination = ?1"
        " GROUP BY user_id, metric HAVING count(*) >= ?2",
        FOLD_FROM,
    )
    for user_id, metric in {*unknown_of, *many_of, *replaced}:
        rows = _rows(run, (user_id, metric))
        indexes = _stored_and_unknown(rows, None)
        _fold(run, (user_id, metric), *indexes, sum(row.attempts for row in rows))


def _rows(run: Run, series: Series) -> list[_Row]:
    rows = run.rows(
        "SELECT state, run, attempts, digests FROM samples"
        " WHERE destination = ?1 AND user_id = ?2 AND metric = ?3 ORDER BY id",
        *series,
    )
    return [_Row(*row) for row in rows]


def _rejected(run: Run, series: Series) -> Index:
    rows = run.rows(
        "SELECT identity, content FROM refusals"
        " WHERE destination = ?1 AND user_id = ?2 AND metric = ?3",
        *series,
    )
    rejected = Index()
    if rows:
        identity, content = (b"".join(column) for column in zip(*rows, strict=True))
        words = np.frombuffer(content, "<u8")
        rejected.add(rejection_identity(_identities(identity), words), words)
    return rejected


def _identities(packed: bytes) -> Words:
    return np.frombuffer(packed, "<u8").reshape(-1, 2).T


def set_waiting(run: Run, series: Series, samples: list[WaitingSample]) -> None:
    """Replace the samples of a series that wait."""
    with run.transaction():
        run.write(
            "DELETE FROM waiting WHERE destination = ?1 AND user_id = ?2 AND metric = ?3", *series
        )
        run.write_all(
            "INSERT INTO waiting (destination, user_id, metric, digest, item, file, line)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            [(*series, *msgspec.structs.astuple(one)) for one in samples],
        )


def remove_waiting(run: Run, series: Series, digests: Iterable[bytes]) -> None:
    """Remove these samples from those that wait, if they do."""
    run.write_all(
        "DELETE FROM waiting"
        " WHERE destination = ?1 AND user_id = ?2 AND metric = ?3 AND digest = ?4",
        [(*series, digest) for digest in digests],
    )


def set_pending(run: Run, series: Series, digests: bytes) -> int:
    """Record the samples of a request; the id of its row."""
    return _insert(run, series, _Row(PENDING, run.number, 0, digests))


def _insert(run: Run, series: Series, row: _Row) -> int:
    return run.write(
        "INSERT INTO samples (destination, user_id, metric, state, run, attempts, digests, count)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        *(*series, *row, len(row.digests) // DIGEST_BYTES),
    )


def set_sent(run: Run, row: int) -> None:
    """Record, before a request is sent, that it is."""
    run.ledger.write(
        "UPDATE samples SET state = ?1, attempts = attempts + 1 WHERE id = ?2", SENT, row
    )


def settle(run: Run, row: int, stored: bytes, rejected: Sequence[Rejection]) -> None:
    """Record the answer to a request: digests of what is stored, and what is rejected."""
    with run.transaction():
        if stored:
            run.ledger.write(
                "UPDATE samples SET state = ?1, count = ?2, digests = ?3 WHERE id = ?4",
                *(ACKNOWLEDGED, len(stored) // DIGEST_BYTES, stored, row),
            )
        else:
            run.ledger.write("DELETE FROM samples WHERE id = ?1", row)
        rejections.store(run, rejected)


def split(run: Run, series: Series, row: int, parts: Sequence[bytes]) -> list[int]:
    """Replace a request by several; the ids of their rows."""
    with run.transaction():
        run.ledger.write("DELETE FROM samples WHERE id = ?1", row)
        return [set_pending(run, series, digests) for digests in parts]


def set_stored(run: Run, series: Series, stored: Index) -> None:
    """Record that these samples of a series, and no others, are acknowledged."""
    _fold(run, series, stored, Index(), 0)


def set_corrected(run: Run, series: Series, stored: Index) -> None:
    """Record which rejected samples of a series were replaced by others that are stored."""
    rows = run.rows(
        "SELECT id, identity FROM refusals"
        " WHERE destination = ?1 AND user_id = ?2 AND metric = ?3 AND mended = 0",
        *series,
    )
    if rows:
        corrected, _ = stored.find(_identities(b"".join(identity for _, identity in rows)))
        ids = [(row[0],) for row, good in zip(rows, corrected.tolist(), strict=True) if good]
        run.ledger.write_all("UPDATE refusals SET mended = 1 WHERE id = ?1", ids)


def _fold(run: Run, series: Series, stored: Index, unknown: Index, attempts: int) -> None:
    """Make one row of all that is acknowledged, and one of all without a known outcome."""
    with run.transaction():
        run.write(
            "DELETE FROM samples WHERE destination = ?1 AND user_id = ?2 AND metric = ?3", *series
        )
        for state, index in ((ACKNOWLEDGED, stored), (SENT, unknown)):
            if len(index):
                tries = attempts if state == ACKNOWLEDGED else 0
                _insert(run, series, _Row(state, 0, tries, pack(*index.merged())))
