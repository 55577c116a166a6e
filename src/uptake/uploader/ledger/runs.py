"""Whom items go to, with which keys, and what came of each attempt to send them all."""

import hashlib

import msgspec

from uptake.model import clock
from uptake.uploader.ledger import PENDING, Ledger

KEY_DIGITS = 16
"""Hexadecimal digits of a key's digest: enough to tell keys apart, too few to find one."""


class Run(msgspec.Struct, frozen=True):
    """One attempt to send everything to one destination.

    Attributes:
        ledger: where it is noted.
        destination: its number in the ledger.
        number: its own.
        other_key: whether the ledger knows the destination with other keys only.
    """

    ledger: Ledger
    destination: int
    number: int
    other_key: bool = False

    def end(self, summary: object) -> None:
        """Note what came of it."""
        self.ledger.write(
            "UPDATE runs SET ended = ?, summary = ? WHERE id = ?",
            clock.now(),
            msgspec.json.encode(summary),
            self.number,
        )


def key_digest(key: str) -> str:
    """By what a key is known again in a ledger."""
    return hashlib.sha256(key.encode()).hexdigest()[:KEY_DIGITS]


def find(ledger: Ledger, url: str, wire: str) -> Run:
    """What is known of a destination, without beginning anything."""
    rows = ledger.rows("SELECT id FROM destinations WHERE url = ? AND wire = ?", url, wire)
    return Run(ledger, rows[0][0] if rows else 0, -1)


def begin(ledger: Ledger, url: str, wire: str, key: str | None) -> Run:
    """Begin a run; what an earlier one had gathered and not sent is gathered anew."""
    with ledger.together():
        ledger.write("INSERT OR IGNORE INTO destinations (url, wire) VALUES (?, ?)", url, wire)
        ((destination,),) = ledger.rows(
            "SELECT id FROM destinations WHERE url = ? AND wire = ?", url, wire
        )
        known = {
            row[0]
            for row in ledger.rows("SELECT digest FROM keys WHERE destination = ?", destination)
        }
        other_key = False
        if key is not None and key_digest(key) not in known:
            other_key = bool(known)
            ledger.write("INSERT INTO keys VALUES (?, ?)", destination, key_digest(key))
        ledger.write(
            "DELETE FROM samples WHERE destination = ? AND state = ?", destination, PENDING
        )
        ledger.write("DELETE FROM items WHERE destination = ? AND state = ?", destination, PENDING)
        number = ledger.write(
            "INSERT INTO runs (destination, started) VALUES (?, ?)", destination, clock.now()
        )
    return Run(ledger, destination, number, other_key)
