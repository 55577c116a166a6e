"""Sends the requests of a relay: what follows from the answers of its receiver."""

import threading
from collections.abc import Callable
from random import uniform
from typing import Any

from msgspec import Struct

from uptake.blobs import BlobsUnavailable
from uptake.delivery.jobs import RelayJob
from uptake.formats.base import Credential
from uptake.model import clock
from uptake.store.base import StoreUnavailable
from uptake.store.relay_ports import Outbox, Postponed, Relay
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from uptake.uploader.sending.answers import Answer, first_line, retry_after
from uptake.uploader.sending.attempts import RequestSender, redirect_reason
from uptake.uploader.sending.connection import Destination
from uptake.uploader.sending.schedule import Halt, Schedule

REQUEST_SECONDS = 30.0
"""Time limit of an answer. A receiver that needs longer is overloaded."""

LONGEST_PAUSE = 5.0
"""Seconds of `Retry-After` that a turn waits. For a longer time the turn ends."""

FAILURES = 5
"""Failed attempts in a row after which the turn ends: the receiver, not an item, is the cause."""

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""Time until the second attempt, and the longest time between two; each is twice the one before. A
random half is left out, so that not all attempts come at once."""

GIVE_UP_DAYS = 3
"""How long an item is tried that fails although others succeed: a long weekend."""


def backoff(failures: int) -> float:
    """Seconds until the next attempt."""
    step = min(FIRST_SECONDS * float(1 << min(failures, 16)), LONGEST_SECONDS)
    return step * uniform(0.5, 1.0)  # noqa: S311 - no secret


class RelayReceiver(Struct, frozen=True):
    """See `Receiver`."""

    to: Destination
    key: str
    compressed: bool | None = None
    seconds: float = REQUEST_SECONDS

    def __repr__(self) -> str:
        return f"RelayReceiver(to={self.to!r})"


class RelaySender(RequestSender):
    """Never gives up a receiver: what is not sent stays in the outbox.

    A request that fails ends the turn of its users. Later turns begin with it, so that the order of
    each user's items stays.

    Attributes:
        rejected_key: why the relay must be paused; "" if it need not.
        wait: seconds that the receiver asks to wait; None if it did not fail as a whole.
        sent: requests with an outcome.
    """

    def __init__(
        self,
        relay: Relay,
        receiver: RelayReceiver,
        credential: Credential,
        schedule: Schedule,
        outbox: Outbox,
    ) -> None:
        super().__init__(receiver, credential, schedule)
        self.rejected_key = ""
        self.wait: float | None = None
        self.sent = 0
        self._relay = relay
        self._outbox = outbox
        self._url = receiver.to.url
        self._lock = threading.Lock()
        self._failures = 0
        self._blocked: set[str] = set()
        self._postponed: list[Postponed] = []

    def begin(self, job: Any) -> bool:
        """See `RequestSender.begin`. Entries of a user who was erased in between are not sent."""
        return self._has_content(job, lambda: self._is_current(job) and job.make())

    def _is_current(self, job: RelayJob) -> bool:
        return self._blocked.isdisjoint(job.lanes) and all(
            self._outbox.still_in_outbox(self._relay, bundle.user_id, bundle.sequences)
            for bundle in job.bundles
        )

    def _has_content(self, job: RelayJob, prepare: Callable[[], bool]) -> bool:
        try:
            if prepare():
                return True
        except (StoreUnavailable, BlobsUnavailable) as error:
            self.fail(job, f"the item cannot be read: {error}")
            return False
        self._schedule.done(job)
        return False

    def settled(self, job: Any) -> None:  # noqa: ARG002
        """See `RequestSender.settled`."""
        with self._lock:
            self._failures = 0
            self.sent += 1

    def check(self, answer: Answer) -> None:
        """See `RequestSender.check`."""
        status = answer.status
        if status in {401, 403}:
            self.rejected_key = f"{self._url} rejects the key ({status}): {first_line(answer.body)}"
        elif status == 405:
            self.rejected_key = f"{self._url} has no such endpoint (405): {first_line(answer.body)}"
        elif status < 200 or 300 <= status < 400:
            self.rejected_key = redirect_reason(self._url, answer)
        if self.rejected_key:
            raise Halt(self.rejected_key)

    def fail(self, job: Any, reason: str, answer: Answer | None = None) -> None:
        """See `RequestSender.fail`."""
        asked = 0.0 if answer is None else retry_after(answer)
        self._schedule.add_overload()
        if 0.0 < asked <= LONGEST_PAUSE:
            self._schedule.delay(job, asked, pause=asked)
            return
        with self._lock:
            self._failures += 1
            is_broken = asked > 0.0 or self._failures >= FAILURES
            self._blocked.update(job.lanes)
        self._postpone(job, reason)
        self._schedule.done(job)
        if is_broken:
            self.wait = asked
            raise Halt(reason)

    def _postpone(self, job: RelayJob, reason: str) -> None:
        now = clock.now()
        oldest = min((one.failed_at or now for one in job.bundles), default=now)
        if now - oldest > GIVE_UP_DAYS * MICROSECONDS_PER_DAY:
            job.reject(f"given up after {GIVE_UP_DAYS} days: {reason}")
            return
        for one in job.bundles:
            due = now + int(backoff(one.attempts) * MICROSECONDS_PER_SECOND)
            failed = Postponed(one.user_id, one.sequences[0], 1, due, now, reason)
            with self._lock:
                self._postponed.append(failed)

    def take_postponed(self) -> list[Postponed]:
        """Return the failed attempts that are not recorded yet."""
        with self._lock:
            postponed, self._postponed = self._postponed, []
        return postponed
