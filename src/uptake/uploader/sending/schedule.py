"""Which request goes next: in order for each user, as many at a time as the other side bears."""

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from itertools import count
from time import monotonic

from uptake.uploader.sending.job import Job

FIRST_AT_ONCE = 4
"""Requests under way at first; each success adds a part of one, each sign of too much halves."""

HALVE_SECONDS = 1.0
"""A burst of signs within this time is one sign."""


class Stopped(Exception):
    """Nothing more is to be sent."""


class Schedule:
    """Jobs that wait, in the order in which they may be taken; for several threads.

    Attributes:
        at_most: requests under way at a time, whatever happens.
        room: bytes of jobs from which on `put` waits.
    """

    def __init__(self, at_most: int, room: int) -> None:
        self.at_most = at_most
        self.room = room
        self._changed = threading.Condition()
        self._lanes: dict[str, deque[Job]] = {}
        self._ready: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._order = count()
        self._weight = 0
        self._open = 0
        self._under_way = 0
        self._limit = float(min(at_most, FIRST_AT_ONCE))
        self._halved = 0.0
        self._paused = 0.0
        self._closed = False
        self._stopped = False

    @property
    def at_once(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    @property
    def pause(self) -> float:
        """Seconds for which nothing will be sent, because the other side has asked for it."""
        return max(0.0, self._paused - monotonic())

    def put(self, job: Job) -> None:
        """Add a job; waits while there is no room.

        Raises:
            Stopped: nothing more is to be sent.
        """
        with self._changed:
            while self._weight >= self.room and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise Stopped
            self._admit(job)
            for lane in job.lanes:
                self._lanes.setdefault(lane, deque()).append(job)
            self._free([job])

    def take(self) -> Job | None:
        """The job that goes next; waits until there is one. None when all is done or stopped."""
        with self._changed:
            while not self._stopped:
                now = monotonic()
                while self._later and self._later[0][0] <= now:
                    self._ready.append(heapq.heappop(self._later)[2])
                if self._ready and self._under_way < self.at_once and now >= self._paused:
                    self._under_way += 1
                    return self._ready.popleft()
                if self._closed and not self._open:
                    return None
                self._changed.wait(self._seconds(now))
            return None

    def _seconds(self, now: float) -> float | None:
        """How long to wait for what will come by itself."""
        moments = [self._later[0][0]] if self._later else []
        if self._ready and self._paused > now:
            moments.append(self._paused)
        return max(0.0, min(moments) - now) if moments else None

    def done(self, job: Job, instead: Sequence[Job] = ()) -> None:
        """End a job that was taken; others take its place, behind those of its family.

        Their lanes are among those of the job.
        """
        with self._changed:
            self._under_way -= 1
            for other in instead:
                self._admit(other)
            freed = list(instead)
            for lane in job.lanes:
                queue = self._lanes[lane]
                queue.popleft()
                place = 0
                while place < len(queue) and queue[place].family is job.family:
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

    def again(self, job: Job, seconds: float, *, pause: float = 0.0) -> None:
        """Have a job that was taken wait, and if asked everything else for `pause` too."""
        with self._changed:
            self._under_way -= 1
            now = monotonic()
            heapq.heappush(self._later, (now + seconds, next(self._order), job))
            self._paused = max(self._paused, now + pause)
            self._changed.notify_all()

    def went_well(self) -> None:
        """Dare a little more."""
        with self._changed:
            self._limit = min(self.at_most, self._limit + 1 / self._limit)

    def too_much(self) -> None:
        """Dare only half."""
        with self._changed:
            now = monotonic()
            if now - self._halved >= HALVE_SECONDS:
                self._halved = now
                self._limit = max(1.0, self._limit / 2)

    def close(self) -> None:
        """No more jobs will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """No more jobs will be taken."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _admit(self, job: Job) -> None:
        self._open += 1
        self._weight += job.weight

    def _free(self, jobs: Sequence[Job]) -> None:
        """Make ready those of these jobs that are first in all their queues."""
        for job in {id(job): job for job in jobs}.values():
            if all(self._lanes[lane][0] is job for lane in job.lanes):
                self._ready.append(job)
        self._changed.notify_all()
