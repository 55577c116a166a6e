"""Sends jobs until each has an outcome; tries again what may go well yet, and knows its end."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform
from time import monotonic

from uptake.formats.encoder import Unclear
from uptake.uploader.sending.answers import Answer, Broken, retry_after, words
from uptake.uploader.sending.connection import Connection, Destination
from uptake.uploader.sending.job import Halt, Job
from uptake.uploader.sending.schedule import Schedule
from uptake.uploader.tally import Tally

LONGEST_WAIT = 3600.0
"""Seconds that an answer 429 may ask to wait; whoever asks for more is not waited for at all."""

LONGEST_THROTTLE = 25 * 3600.0
"""Seconds for which a receiver may answer 429 to everything: the longest windows are of a day."""

AGAIN = {408, 425, 429}
"""Besides 5xx, the statuses after which the same request may go well (RFC 9110, 6585, 8470)."""

START = 15.0
"""Seconds for which a receiver may be silent that has never answered: it may be starting."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long to try.

    Attributes:
        first, longest: seconds after the first failed attempt, doubled after each up to longest,
            of which a random half is left out.
        patience: seconds after which a request that never went well is given up.
        start: the same while nothing at all was ever answered.
    """

    first: float = 0.25
    longest: float = 30.0
    patience: float = 300.0
    start: float = START


@dataclass(slots=True)
class _Trial:
    began: float
    failures: int = 0


class Sender:
    """Threads that take jobs from a schedule and send them, each over a connection of its own.

    Attributes:
        halted: why sending has stopped before its end, "" if it has not.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        to: Destination,
        connect: Callable[[], Connection],
        schedule: Schedule,
        tally: Tally,
        retry: Retry,
        *,
        compressed: bool | None = None,
    ) -> None:
        self.halted = ""
        self._to = to
        self._connect = connect
        self._schedule = schedule
        self._tally = tally
        self._retry = retry
        self._compressed = bool(compressed)
        self._may_compress = compressed is None and not to.is_here
        self._trials: dict[int, _Trial] = {}
        self._answered = 0.0
        self._taken = monotonic()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to send."""
        for number in range(self._schedule.at_most):
            thread = threading.Thread(target=self._work, name=f"send-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> None:
        """Wait until everything has an outcome, or sending has stopped."""
        self._schedule.close()
        for thread in self._threads:
            thread.join()

    def stop(self, reason: str) -> None:
        """Stop once the requests under way are answered."""
        self.halted = self.halted or reason
        self._schedule.stop()

    def _work(self) -> None:
        connection = self._connect()
        try:
            while job := self._schedule.take():
                try:
                    self._attempt(connection, job)
                except Halt as halt:
                    self.stop(str(halt))
        except Exception as error:  # noqa: BLE001 - whoever waits for this thread is told
            self.stop(f"sending has failed: {error!r}")
        finally:
            connection.close()

    def _attempt(self, connection: Connection, job: Job) -> None:
        trial = self._trials.setdefault(id(job), _Trial(monotonic()))
        compressed = self._compressed
        job.sent()
        try:
            answer = connection.send(job.request(), compressed=compressed)
        except Broken as error:
            self._fail(job, trial, f"no answer: {error}")
            return
        if self._may_compress and "gzip" in answer.headers.get("accept-encoding", ""):
            self._compressed = True  # RFC 9110, 12.5.3: it says what it takes
        if answer.status in AGAIN or answer.status >= 500:
            self._fail(job, trial, f"{answer.status}: {words(answer.body)}", answer)
            return
        if answer.status == 415 and compressed:
            self._compressed = self._may_compress = False
            self._schedule.again(job, 0.0)
            return
        self._check(answer)
        try:
            instead = self._settle(job, answer)
        except Unclear as error:
            self._fail(job, trial, str(error))
            return
        self._tally.add(requests=1)
        self._tally.trouble = ""
        self._answered = self._taken = monotonic()
        del self._trials[id(job)]
        self._schedule.went_well()
        self._schedule.done(job, instead)

    def _check(self, answer: Answer) -> None:
        said, url = words(answer.body), self._to.url
        match answer.status:
            case 401:
                raise Halt(f"{url} does not know the key (401): {said}")
            case 403:
                raise Halt(f"{url} does not let this key do this (403): {said}")
            case 404 | 405:
                raise Halt(f"{url} has no such endpoint ({answer.status}): {said}")
            case status if status < 200 or 300 <= status < 400:
                to = words(answer.headers.get("location", "nowhere").encode("latin-1", "replace"))
                raise Halt(f"{url} answers {status} and redirects to {to}: give the final address")

    @staticmethod
    def _settle(job: Job, answer: Answer) -> Sequence[Job]:
        if answer.status != 413:
            return job.answered(answer.status, answer.body)
        parts = job.parts()
        if not parts:
            job.reject(f"too large (413): {words(answer.body)}")
        return parts

    def _fail(self, job: Job, trial: _Trial, reason: str, answer: Answer | None = None) -> None:
        """Have a job tried again later, or give it up."""
        now = monotonic()
        trial.failures += 1
        self._tally.add(retries=1)
        self._tally.trouble = reason
        asked = 0.0 if answer is None else retry_after(answer)
        throttled = answer is not None and answer.status == 429
        if asked > (LONGEST_WAIT if throttled else max(self._retry.patience, self._retry.start)):
            raise Halt(
                f"{self._to.url} asks to wait for {round(asked):,} s ({reason}): run again then"
            )
        if throttled and asked and now - self._taken < LONGEST_THROTTLE:
            # To be asked to wait is an answer, however often.
            self._answered = trial.began = now
        alive = self._answered >= trial.began
        if now - trial.began > (self._retry.patience if self._answered else self._retry.start):
            if not alive:
                waited = round(now - trial.began)
                raise Halt(f"{self._to.url} has taken nothing for {waited} s ({reason})")
            del self._trials[id(job)]
            self._tally.fault(self._to.url, 0, f"a request was given up: {reason}")
            self._schedule.done(job)
            return
        self._schedule.too_much()
        step = min(self._retry.longest, self._retry.first * 2 ** min(trial.failures - 1, 16))
        delay = step * uniform(0.5, 1.0)  # noqa: S311 - so that not all come back at once
        self._schedule.again(job, max(delay, asked), pause=asked)
