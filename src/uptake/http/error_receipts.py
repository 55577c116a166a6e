"""Receipts of uploads that fail before their items are validated.

They have no body. Receipts of requests without a valid API key are bounded in rate, and deleted
after days (`intake.upkeep`), so that a flood of them fills no disk and delays no upload. An error
beyond the bounds has no receipt, and is counted in `uptake_error_receipts_dropped`.
"""

import asyncio
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any

import prometheus_client

from uptake.http.quota import Quota
from uptake.intake.commit import MAX_WAITING, GroupCommit
from uptake.model.problems import Kinds, Problem
from uptake.store.definitions import DEFAULT_PROJECT, Key
from uptake.store.records import Entry, RequestError

WINDOW_SECONDS = 60.0

UNKNOWN_PER_WINDOW = 120
"""Receipts a minute, in a process, of all requests without a valid API key: enough to examine
mistakes. Over the three days for which they are stored, about 60 MB."""

KEY_PER_WINDOW = 600
"""Receipts a minute, in a process, of the errors of one valid API key: a client that ignores 429
must not write a row for each attempt."""

MAX_KEYS = 10_000
"""API keys counted in a window; errors of further keys have no receipts until it ends."""

MAX_DEPTH = MAX_WAITING // 4
"""Submissions that may wait for the commit; the rest of its queue is left to uploads."""

WAIT_SECONDS = 1.0
"""How long an answer waits for its receipt, so that the receipt can usually be read at once."""

DROPPED = prometheus_client.Counter(
    "uptake_error_receipts_dropped", "Errors of uploads that have no receipt"
)


@dataclass
class Sender:
    """The source of an upload, as far as it is known.

    Attributes:
        format, request_id, received_at: of the request.
        key: of the request; it may be invalid.
        quota: of a key with rates, when the request was counted.
    """

    format: str
    request_id: str
    received_at: int
    key: Key | None = None
    quota: Quota | None = None


class ErrorReceipts:
    """Stores receipts of errors.

    Args:
        commit: writes them.
    """

    def __init__(self, commit: GroupCommit) -> None:
        self._commit = commit
        self._window_ends = 0.0
        self._counts: Counter[str] = Counter()

    async def record(self, sender: Sender, problem: Problem) -> None:
        """Store the receipt of an upload that is answered with a problem, within the bounds."""
        if problem.kind is Kinds.ERASED:
            return  # its items were validated, so it has a receipt
        future = self._submitted(sender, problem)
        if future is None:
            DROPPED.inc()
        elif problem.kind is not Kinds.UNAVAILABLE:
            waiter = asyncio.wrap_future(future)
            waiter.add_done_callback(_take_result)
            await asyncio.wait({waiter}, timeout=WAIT_SECONDS)

    def _submitted(self, sender: Sender, problem: Problem) -> Future[Any] | None:
        key = sender.key
        known = key if problem.kind is not Kinds.UNAUTHORIZED else None
        if self._commit.depth > MAX_DEPTH or not self._has_room(known):
            return None
        error = RequestError(problem.status, problem.code, (key and key.user) or "")
        entry = Entry(
            key.project if key else DEFAULT_PROJECT,
            sender.request_id,
            sender.received_at,
            format=sender.format,
            key_id=key.id if key else "",
            error=error,
        )
        try:
            return self._commit.submit(entry)
        except Problem:
            return None

    def _has_room(self, key: Key | None) -> bool:
        now = monotonic()
        if now >= self._window_ends:
            self._window_ends = now + WINDOW_SECONDS
            self._counts.clear()
        name, limit = ("", UNKNOWN_PER_WINDOW) if key is None else (key.id, KEY_PER_WINDOW)
        if self._counts[name] >= limit or len(self._counts) > MAX_KEYS:
            return False
        self._counts[name] += 1
        return True


def _take_result(waiter: "asyncio.Future[Any]") -> None:
    """Retrieve a result that no request waits for; the commit logs failures."""
    if not waiter.cancelled():
        waiter.exception()
