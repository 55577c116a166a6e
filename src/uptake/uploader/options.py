"""How an upload is sent."""

from dataclasses import dataclass, field
from pathlib import Path

from uptake.uploader.sending.connection import Destination

START = 15.0
"""Seconds after which a request to a receiver that has never answered is given up."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed request is sent again.

    Attributes:
        first, longest: seconds after the first failed attempt, doubled after each up to `longest`;
            a random half is left out.
        patience: seconds after which a request that never succeeded is given up.
        start: the same while the receiver has never answered: it may be starting.
    """

    first: float = 0.25
    longest: float = 30.0
    patience: float = 300.0
    start: float = START


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How to send.

    Attributes:
        to: the receiver.
        key: the API key; "" in a dry run.
        ledger: the file of the ledger.
        parallel: maximum number of requests in flight.
        refused_file: file for rejected items; None for none.
        compressed: whether to compress requests; None to do so if the receiver announces that it
            accepts this and is not on this machine.
        seconds: time limit of an answer.
        retry: when to try again.
        dry_run: read, compare and count, but send nothing and do not change the ledger.
        retry_refused: send again what an earlier run was rejected for.
    """

    to: Destination
    key: str = field(repr=False)
    ledger: Path
    parallel: int = 8
    refused_file: Path | None = None
    compressed: bool | None = None
    seconds: float = 60.0
    retry: Retry = field(default_factory=Retry)
    dry_run: bool = False
    retry_refused: bool = False
