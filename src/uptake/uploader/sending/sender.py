"""Sends jobs until each has an outcome; retries those that may succeed later."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from random import uniform
from time import monotonic

from uptake.formats.base import Credential
from uptake.formats.encoder import Unclear
from uptake.uploader.context import UploadOptions
from uptake.uploader.sending.answers import Answer, Broken, first_line, retry_after
from uptake.uploader.sending.connection import Connection
from uptake.uploader.sending.schedule import Halt, Job, Schedule
from uptake.uploader.tally import Tally

LONGEST_WAIT = 3600.0
"""Seconds that an answer 429 may ask to wait; for longer ones sending stops."""

LONGEST_THROTTLE = 25 * 3600.0
"""Seconds for which a receiver may answer 429 to everything: the longest windows are of a day."""

RETRYABLE = {408, 425, 429}
"""Besides 5xx, statuses after which the same request may succeed (RFC 9110, 6585, 8470)."""


@dataclass(slots=True)
class _Trial:
    began: float
    failures: int = 0


class Sender:
    """Threads that take jobs from a schedule and send them, each over its own connection.

    Attributes:
        halted: why sending stopped early, "" if it did not.
    """

    def __init__(
        self, options: UploadOptions, credential: Credential, schedule: Schedule, tally: Tally
    ) -> None:
        self.halted = ""
        self._options = options
        self._credential = credential
        self._schedule = schedule
        self._tally = tally
        self._compressed = bool(options.compressed)
        self._may_compress = options.compressed is None and not options.to.is_here
        self._trials: dict[int, _Trial] = {}
        self._answered = 0.0
        self._accepted = monotonic()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._schedule.at_most):
            thread = threading.Thread(target=self._work, name=f"send-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> None:
        """Wait until every job has an outcome, or sending stopped."""
        self._schedule.close()
        for thread in self._threads:
            thread.join()

    def stop(self, reason: str) -> None:
        """Stop after the requests in flight are answered."""
        self.halted = self.halted or reason
        self._schedule.stop()

    def _work(self) -> None:
        options = self._options
        connection = Connection(options.to, self._credential, options.key, options.seconds)
        try:
            while job := self._schedule.take():
                try:
                    self._attempt(connection, job)
                except Halt as halt:
                    self.stop(str(halt))
        except Exception as error:  # noqa: BLE001 - the run ends with this message
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
            self._compressed = True  # RFC 9110, 12.5.3: the receiver announces what it accepts
        if answer.status in RETRYABLE or answer.status >= 500:
            self._fail(job, trial, f"{answer.status}: {first_line(answer.body)}", answer)
            return
        if answer.status == 415 and compressed:
            self._compressed = self._may_compress = False
            self._schedule.delay(job, 0.0)
            return
        self._check(answer)
        try:
            instead = self._settle(job, answer)
        except Unclear as error:
            self._fail(job, trial, str(error))
            return
        self._tally.add(requests=1)
        self._tally.trouble = ""
        self._answered = self._accepted = monotonic()
        del self._trials[id(job)]
        self._schedule.add_success()
        self._schedule.done(job, instead)

    def _check(self, answer: Answer) -> None:
        text, url = first_line(answer.body), self._options.to.url
        match answer.status:
            case 401:
                raise Halt(f"{url} does not know the key (401): {text}")
            case 403:
                raise Halt(f"{url} does not allow this with this key (403): {text}")
            case 404 | 405:
                raise Halt(f"{url} has no such endpoint ({answer.status}): {text}")
            case status if status < 200 or 300 <= status < 400:
                location = answer.headers.get("location", "nowhere")
                to = first_line(location.encode("latin-1", "replace"))
                raise Halt(f"{url} answers {status} and redirects to {to}: give the final address")

    @staticmethod
    def _settle(job: Job, answer: Answer) -> Sequence[Job]:
        if answer.status != 413:
            return job.answered(answer.status, answer.body)
        parts = job.parts()
        if not parts:
            job.reject(f"too large (413): {first_line(answer.body)}")
        return parts

    def _fail(self, job: Job, trial: _Trial, reason: str, answer: Answer | None = None) -> None:
        """Delay a job, or give it up."""
        now, retry, url = monotonic(), self._options.retry, self._options.to.url
        trial.failures += 1
        self._tally.add(retries=1)
        self._tally.trouble = reason
        asked = 0.0 if answer is None else retry_after(answer)
        throttled = answer is not None and answer.status == 429
        if asked > (LONGEST_WAIT if throttled else max(retry.patience, retry.start)):
            raise Halt(f"{url} asks to wait for {round(asked):,} s ({reason}): run again then")
        if throttled and asked and now - self._accepted < LONGEST_THROTTLE:
            # A request to wait counts as an answer, however often it comes.
            self._answered = trial.began = now
        if now - trial.began > (retry.patience if self._answered else retry.start):
            if self._answered < trial.began:
                waited = round(now - trial.began)
                duration = f" for {waited:,} s" if waited else ""
                raise Halt(f"{url} has accepted nothing{duration} ({reason})")
            del self._trials[id(job)]
            self._tally.add_fault(url, 0, f"a request was given up: {reason}")
            self._schedule.done(job)
            return
        self._schedule.add_overload()
        step = min(retry.longest, retry.first * 2 ** min(trial.failures - 1, 16))
        delay = step * uniform(0.5, 1.0)  # noqa: S311 - so that not all retry at once
        self._schedule.delay(job, max(delay, asked), pause=asked)
