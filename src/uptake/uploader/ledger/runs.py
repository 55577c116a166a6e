"""Destinations, the keys used with them, and the runs that sent to them."""

import hashlib
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from uptake.model import clock
from uptake.uploader.ledger import ACKNOWLEDGED, PENDING, SENT, Ledger

KEY_DIGITS = 16
"""Hexadecimal digits of a key's digest: enough to distinguish keys, too few to find one."""


class Run(msgspec.Struct, frozen=True):
    """One run that sends to one destination.

    In the statements that it executes, `?1` is the destination; the values follow.

    Attributes:
        ledger: the open ledger.
        destination: the destination's id in the ledger.
        number: the run's id.
    """

    ledger: Ledger
    destination: int
    number: int

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; the rows it returns."""
        return self.ledger.rows(statement, self.destination, *values)

    def write(self, statement: str, *values: Any) -> int:
        """Run a statement; the id of the row it inserted last."""
        return self.ledger.write(statement, self.destination, *values)

    def write_all(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""
        self.ledger.write_all(statement, [(self.destination, *row) for row in rows])

    def transaction(self) -> AbstractContextManager[None]:
        """Commit the writes of the block together, or none of them."""
        return self.ledger.transaction()

    def end(self, summary: object) -> None:
        """Store the run's summary."""
        self.write(
            "UPDATE runs SET ended = ?2, summary = ?3 WHERE destination = ?1 AND id = ?4",
            clock.now(),
            msgspec.json.encode(summary),
            self.number,
        )

    def server(self) -> tuple[str, str] | None:
        """The instance and the project that the destination had when they were last known."""
        rows = self.rows(
            "SELECT instance, project FROM servers"
            " WHERE url = (SELECT url FROM destinations WHERE id = ?1)"
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def set_server(self, instance: str, project: str) -> None:
        """Record the instance and the project of the destination."""
        self.write(
            "INSERT OR REPLACE INTO servers SELECT url, ?2, ?3 FROM destinations WHERE id = ?1",
            *(instance, project),
        )

    def count_waiting(self) -> int:
        """How many samples wait until there are enough for a request."""
        ((waiting,),) = self.rows("SELECT count(*) FROM waiting WHERE destination = ?1")
        return int(waiting)


def key_digest(key: str) -> str:
    """What the ledger has of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:KEY_DIGITS]


def find(ledger: Ledger, url: str, wire: str) -> Run:
    """A destination to look at, without starting a run."""
    rows = ledger.rows("SELECT id FROM destinations WHERE url = ?1 AND wire = ?2", url, wire)
    return Run(ledger, rows[0][0] if rows else 0, -1)


def begin(ledger: Ledger, url: str, wire: str) -> Run:
    """Start a run; items that an earlier run assigned to requests and did not send are removed."""
    with ledger.transaction():
        ledger.write("INSERT OR IGNORE INTO destinations (url, wire) VALUES (?1, ?2)", url, wire)
        run = find(ledger, url, wire)
        run.write("DELETE FROM samples WHERE destination = ?1 AND state = ?2", PENDING)
        run.write("DELETE FROM items WHERE destination = ?1 AND state = ?2", PENDING)
        number = run.write("INSERT INTO runs (destination, started) VALUES (?1, ?2)", clock.now())
    return Run(ledger, run.destination, number)


class LedgerStatus(msgspec.Struct, frozen=True):
    """The state of everything that was ever sent to one endpoint.

    Attributes:
        url, wire: the endpoint.
        acknowledged: items that the receiver stores: samples, attributes, documents or images.
        sent: items of requests without a known outcome; the next run sends them again.
        pending: items that were assigned to requests and not sent; the next run does.
        waiting: samples that are too few for a request.
        refused: rejected items that have not been corrected.
        attempts: requests sent, repeats included.
        runs: how many runs there were.
        last_run: when the last one started.
    """

    url: str
    wire: str
    acknowledged: int
    sent: int
    pending: int
    waiting: int
    refused: int
    attempts: int
    runs: int
    last_run: str | None


def statuses(ledger: Ledger) -> list[LedgerStatus]:
    """The status of each endpoint, in the order of their first runs."""
    return [
        _status(Run(ledger, number, -1), url, wire)
        for number, url, wire in ledger.rows("SELECT id, url, wire FROM destinations ORDER BY id")
    ]


def _status(run: Run, url: str, wire: str) -> LedgerStatus:
    states = dict.fromkeys((ACKNOWLEDGED, SENT, PENDING), 0)
    attempts = 0
    for state, items, tries in run.rows(
        "SELECT state, sum(count), sum(attempts) FROM samples WHERE destination = ?1 GROUP BY state"
        " UNION ALL"
        " SELECT state, count(*), sum(attempts) FROM items WHERE destination = ?1 GROUP BY state"
    ):
        states[state] += items
        attempts += tries
    ((rejected, runs, last),) = run.rows(
        "SELECT (SELECT count(*) FROM refusals WHERE destination = ?1 AND mended = 0),"
        " count(*), max(started) FROM runs WHERE destination = ?1"
    )
    return LedgerStatus(
        url,
        wire,
        **states,
        waiting=run.count_waiting(),
        refused=rejected,
        attempts=attempts,
        runs=runs,
        last_run=None if last is None else clock.iso(last),
    )
