"""What a ledger says as a whole."""

import msgspec

from uptake.model import clock
from uptake.uploader.ledger import ACKNOWLEDGED, PENDING, SENT, Ledger
from uptake.uploader.ledger.runs import Run


class Standing(msgspec.Struct, frozen=True):
    """What became of everything that was ever sent to one endpoint.

    Attributes:
        url, wire: the endpoint.
        acknowledged: items that the receiver keeps: samples, attributes, documents or images.
        sent: items of requests whose outcome is not known; they are sent again.
        pending: items that were gathered into requests and not sent; they are gathered again.
        waiting: samples that are too few for a request.
        refused: items that were rejected and have not been mended.
        attempts: requests that were sent, again and again included.
        runs: how often sending was begun.
        last_run: when for the last time.
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


def standings(ledger: Ledger) -> list[Standing]:
    """One for each endpoint, in the order in which they were first sent to."""
    return [
        _standing(ledger, number, url, wire)
        for number, url, wire in ledger.rows("SELECT id, url, wire FROM destinations ORDER BY id")
    ]


def _standing(ledger: Ledger, number: int, url: str, wire: str) -> Standing:
    states = dict.fromkeys((ACKNOWLEDGED, SENT, PENDING), 0)
    attempts = 0
    for state, items, tries in ledger.rows(
        "SELECT state, sum(count), sum(attempts) FROM samples WHERE destination = ?1 GROUP BY state"
        " UNION ALL"
        " SELECT state, count(*), sum(attempts) FROM items WHERE destination = ?1 GROUP BY state",
        number,
    ):
        states[state] += items
        attempts += tries
    ((waiting,),) = ledger.rows("SELECT count(*) FROM waiting WHERE destination = ?", number)
    ((rejected,),) = ledger.rows(
        "SELECT count(*) FROM refusals WHERE destination = ? AND mended = 0", number
    )
    ((runs, last),) = ledger.rows(
        "SELECT count(*), max(started) FROM runs WHERE destination = ?", number
    )
    return Standing(
        url,
        wire,
        acknowledged=states[ACKNOWLEDGED],
        sent=states[SENT],
        pending=states[PENDING],
        waiting=waiting,
        refused=rejected,
        attempts=attempts,
        runs=runs,
        last_run=None if last is None else clock.iso(last),
    )


def count_waiting(run: Run) -> int:
    """Samples that wait, of this run's endpoint."""
    ((waiting,),) = run.ledger.rows(
        "SELECT count(*) FROM waiting WHERE destination = ?", run.destination
    )
    return int(waiting)
