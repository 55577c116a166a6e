"""What the ledger says of attributes, documents and images: a row for each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from uptake.uploader.ledger import ACKNOWLEDGED, PENDING, SENT, rejections
from uptake.uploader.ledger.rejections import Rejection
from uptake.uploader.ledger.runs import Run

IDENTITY_BYTES = 16
CONTENT_BYTES = 8
AT_ONCE = 1000
"""Items asked for in one statement; SQLite takes 32,766 values."""

Note = tuple[bytes, bytes]
"""An identity and a content."""


def identity(*parts: str | bytes) -> bytes:
    """A digest of what makes an item the same."""
    return _digest(parts, IDENTITY_BYTES)


def content(*parts: str | bytes) -> bytes:
    """A digest of what an item says."""
    return _digest(parts, CONTENT_BYTES)


def _digest(parts: Sequence[str | bytes], size: int) -> bytes:
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        told = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(told).to_bytes(8, "little"))
        digest.update(told)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class ItemsLedger:
    """The attributes, documents or images of one destination."""

    run: Run

    def known(self, identities: Sequence[bytes]) -> dict[bytes, bytes]:
        """Contents of those that are acknowledged, or on their way in this run."""
        found: dict[bytes, bytes] = {}
        for at in range(0, len(identities), AT_ONCE):
            some = identities[at : at + AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self.run.ledger.rows(
                "SELECT identity, content FROM items WHERE destination = ?"  # noqa: S608
                f" AND (state = ? OR run = ?) AND identity IN ({marks})",
                self.run.destination,
                ACKNOWLEDGED,
                self.run.number,
                *some,
            )
            found.update(rows)
        return found

    def is_of_this_run(self, identity: bytes) -> bool:
        """Whether an item came up in this run before."""
        return bool(
            self.run.ledger.rows(
                "SELECT 1 FROM items WHERE destination = ? AND identity = ? AND run = ?",
                self.run.destination,
                identity,
                self.run.number,
            )
        )

    def gathered(self, notes: Sequence[Note]) -> None:
        """Note what is to be sent."""
        destination, run = self.run.destination, self.run.number
        with self.run.ledger.together():
            self.run.ledger.write_all(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET"
                " content = excluded.content, state = excluded.state, run = excluded.run",
                [(destination, one, said, PENDING, run) for one, said in notes],
            )

    def sent(self, notes: Sequence[Note]) -> None:
        """Note, before they are sent, that items are."""
        with self.run.ledger.together():
            self.run.ledger.write_all(
                "UPDATE items SET state = ?, attempts = attempts + 1"
                " WHERE destination = ? AND identity = ? AND content = ?",
                [(SENT, self.run.destination, one, said) for one, said in notes],
            )

    def settled(
        self, kept: Sequence[Note], lost: Sequence[Note], rejected: Sequence[Rejection]
    ) -> None:
        """Note the answer to a request: what is kept, what is not, and why."""
        ledger, destination = self.run.ledger, self.run.destination
        with ledger.together():
            ledger.write_all(
                "UPDATE items SET state = ? WHERE destination = ? AND identity = ? AND content = ?",
                [(ACKNOWLEDGED, destination, one, said) for one, said in kept],
            )
            ledger.write_all(
                "DELETE FROM items WHERE destination = ? AND identity = ? AND content = ?",
                [(destination, one, said) for one, said in lost],
            )
            rejections.note(self.run, rejected)

    def mended(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Note that what was rejected of these users and identities is now kept."""
        self.run.ledger.write_all(
            "UPDATE refusals SET mended = 1"
            " WHERE destination = ? AND user_id = ? AND metric = '' AND identity = ?",
            [(self.run.destination, user_id, one) for user_id, one in keys],
        )

    def any_rejected(self) -> bool:
        """Whether anything was ever rejected."""
        return bool(
            self.run.ledger.rows(
                "SELECT 1 FROM refusals WHERE destination = ? LIMIT 1", self.run.destination
            )
        )
