"""Which request is sent next: in order for each user, as many at a time as the receiver bears."""

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from itertools import count
from time import monotonic
from typing import Protocol

from uptake.uploader.sending.connection import Request

FIRST_AT_ONCE = 4
"""Requests in flight at first. A success adds a part of one, a sign of overload halves (AIMD)."""

HALVE_SECONDS = 1.0
"""Several signs of overload within this time count as one."""


class Stopped(Exception):
    """Nothing more is to be sent."""


class Halt(Exception):
    """Sending cannot continue; the message is one line for a person."""


class Job(Protocol):
    """Items that are sent in one request."""

    @property
    def lanes(self) -> Sequence[str]:
        """The queues it is in: of two jobs in one queue, the first must end first."""

    @property
    def weight(self) -> int:
        """Bytes of memory."""

    @property
    def group(self) -> object:
        """The same object for all jobs that one was split into."""

    def request(self) -> Request:
        """The request."""

    def sent(self) -> None:
        """Record, before the request is sent, that it is."""

    def answered(self, status: int, body: bytes) -> "Sequence[Job]":
        """Record the outcome of each item, and return what is to be sent instead.

        Raises:
            Unclear: the answer is not one of this endpoint's; nothing is recorded.
            Halt: no such request will be accepted.
        """

    def parts(self) -> "Sequence[Job]":
        """The items in smaller requests, after this one was too large; none if there are none."""

    def reject(self, reason: str) -> None:
        """Record that all items are rejected."""


class Schedule:
    """Queued jobs, in the order in which they may be taken; for several threads."""

    def __init__(self, at_most: int, max_bytes: int) -> None:
        """Start empty.

        Args:
            at_most: maximum number of requests in flight.
            max_bytes: bytes of jobs from which on `put` waits.
        """
        self.at_most = at_most
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._lanes: dict[str, deque[Job]] = {}
        self._ready: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._order = count()
        self._weight = 0
        self._open = 0
        self._in_flight = 0
        self._limit = float(min(at_most, FIRST_AT_ONCE))
        self._halved = 0.0
        self._paused = 0.0
        self._closed = False
        self._stopped = False

    @property
    def at_once(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def pause(self) -> float:
        """Seconds for which nothing is sent, because the receiver asked for that."""
        return max(0.0, self._paused - monotonic())

    def put(self, job: Job) -> None:
        """Add a job; wait while there are too many bytes.

        Raises:
            Stopped: nothing more is to be sent.
        """
        with self._changed:
            while self._weight >= self._max_bytes and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise Stopped
            self._admit(job)
            for lane in job.lanes:
                self._lanes.setdefault(lane, deque()).append(job)
            self._free([job])

    def take(self) -> Job | None:
        """Wait for the next job and return it; None when all are done or sending stopped."""
        with self._changed:
            while not self._stopped:
                now = monotonic()
                while self._later and self._later[0][0] <= now:
                    self._ready.append(heapq.heappop(self._later)[2])
                if self._ready and self._in_flight < self.at_once and now >= self._paused:
                    self._in_flight += 1
                    return self._ready.popleft()
                if self._closed and not self._open:
                    return None
                self._changed.wait(self._seconds(now))
            return None

    def _seconds(self, now: float) -> float | None:
        """Seconds until a delayed job is due or a pause ends; None if there is neither."""
        moments = [self._later[0][0]] if self._later else []
        if self._ready and self._paused > now:
            moments.append(self._paused)
        return max(0.0, min(moments) - now) if moments else None

    def done(self, job: Job, instead: Sequence[Job] = ()) -> None:
        """End a job that was taken; others replace it, behind the rest of its group.

        Their lanes are among those of the job.
        """
        with self._changed:
            self._in_flight -= 1
            for other in instead:
                self._admit(other)
            freed = list(instead)
            for lane in job.lanes:
                queue = self._lanes[lane]
                queue.popleft()
                place = 0
                while place < len(queue) and queue[place].group is job.group:
                    place += 1
                for other in reversed(instead):
                    if lane in other.lanes:
                        queue.insert(place, other)
                if queue:
                    freed.append(queue[0])
                else:
                    del self._lanes[lane]
            self._open -= 1
            self._weight -= job.weight
            self._free(freed)
            self._changed.notify_all()

    def delay(self, job: Job, seconds: float, *, pause: float = 0.0) -> None:
        """Delay a job that was taken, and everything else for `pause` seconds."""
        with self._changed:
            self._in_flight -= 1
            now = monotonic()
            heapq.heappush(self._later, (now + seconds, next(self._order), job))
            self._paused = max(self._paused, now + pause)
            self._changed.notify_all()

    def add_success(self) -> None:
        """Allow a little more in flight."""
        with self._changed:
            self._limit = min(self.at_most, self._limit + 1 / self._limit)

    def add_overload(self) -> None:
        """Allow only half in flight."""
        with self._changed:
            now = monotonic()
            if now - self._halved >= HALVE_SECONDS:
                self._halved = now
                self._limit = max(1.0, self._limit / 2)

    def close(self) -> None:
        """Announce that no more jobs will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no more jobs be taken."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _admit(self, job: Job) -> None:
        self._open += 1
        self._weight += job.weight

    def _free(self, jobs: Sequence[Job]) -> None:
        """Make those of these jobs ready that are first in all their queues."""
        for job in {id(job): job for job in jobs}.values():
            if all(self._lanes[lane][0] is job for lane in job.lanes):
                self._ready.append(job)
        self._changed.notify_all()
