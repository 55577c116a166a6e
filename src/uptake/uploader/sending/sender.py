"""Sends jobs until each has an outcome; retries those that may succeed later."""

from dataclasses import dataclass
from random import uniform
from time import monotonic

from uptake.formats.base import Credential
from uptake.uploader.context import UploadOptions
from uptake.uploader.sending.answers import Answer, first_line, retry_after
from uptake.uploader.sending.attempts import RequestSender, redirect_reason
from uptake.uploader.sending.schedule import Halt, Job, Schedule
from uptake.uploader.tally import Tally

LONGEST_WAIT = 3600.0
"""Seconds that an answer 429 may ask to wait; for longer ones sending stops."""

LONGEST_THROTTLE = 25 * 3600.0
"""Seconds for which a receiver may answer 429 to everything: the longest windows are of a day."""


@dataclass(slots=True)
class _Trial:
    began: float
    failures: int = 0


class Sender(RequestSender):
    """Gives a job up when it fails for too long, and stops when all of them do."""

    def __init__(
        self, options: UploadOptions, credential: Credential, schedule: Schedule, tally: Tally
    ) -> None:
        super().__init__(options, credential, schedule)
        self._options = options
        self._tally = tally
        self._trials: dict[int, _Trial] = {}
        self._answered = 0.0
        self._accepted = monotonic()

    def begin(self, job: Job) -> bool:
        """See `RequestSender.begin`."""
        self._trials.setdefault(id(job), _Trial(monotonic()))
        return True

    def settled(self, job: Job) -> None:
        """See `RequestSender.settled`."""
        self._tally.add(requests=1)
        self._tally.trouble = ""
        self._answered = self._accepted = monotonic()
        del self._trials[id(job)]

    def check(self, answer: Answer) -> None:
        """See `RequestSender.check`."""
        text, url = first_line(answer.body), self._options.to.url
        match answer.status:
            case 401:
                raise Halt(f"{url} does not know the key (401): {text}")
            case 403:
                raise Halt(f"{url} does not allow this with this key (403): {text}")
            case 404 | 405:
                raise Halt(f"{url} has no such endpoint ({answer.status}): {text}")
            case status if status < 200 or 300 <= status < 400:
                raise Halt(redirect_reason(url, answer))

    def fail(self, job: Job, reason: str, answer: Answer | None = None) -> None:
        """See `RequestSender.fail`."""
        trial = self._trials[id(job)]
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
