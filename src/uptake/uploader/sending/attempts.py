"""Threads that send the jobs of a schedule; a subclass decides what follows from the answers."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from uptake.formats.base import Credential
from uptake.formats.encoder import Unclear
from uptake.uploader.sending.answers import Answer, Broken, first_line
from uptake.uploader.sending.connection import Connection, Destination
from uptake.uploader.sending.schedule import Halt, Job, Schedule

RETRYABLE = {408, 425, 429}
"""Besides 5xx, statuses after which the same request may succeed (RFC 9110, 6585, 8470)."""


FAILED = "sending has failed"
"""Begin of the reason after an error of this program."""


class Receiver(Protocol):
    """Where requests are sent, and how."""

    @property
    def to(self) -> Destination:
        """The address."""

    @property
    def key(self) -> str:
        """The API key."""

    @property
    def compressed(self) -> bool | None:
        """Whether to compress requests.

        None to do so if the receiver announces that it accepts this and is not on this machine.
        """

    @property
    def seconds(self) -> float:
        """The time limit of an answer."""


class RequestSender(ABC):
    """Threads that take jobs from a schedule and send them, each over its own connection.

    Attributes:
        halted: why sending stopped early, "" if it did not.
    """

    def __init__(self, receiver: Receiver, credential: Credential, schedule: Schedule) -> None:
        self.halted = ""
        self._receiver = receiver
        self._credential = credential
        self._schedule = schedule
        self._compressed = bool(receiver.compressed)
        self._may_compress = receiver.compressed is None and not receiver.to.is_here
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

    def begin(self, job: Job) -> bool:  # noqa: ARG002
        """Prepare an attempt. False if the job, which then has its outcome, is not to be sent."""
        return True

    @abstractmethod
    def check(self, answer: Answer) -> None:
        """Check that the answer is one to the job, and not one to all jobs.

        Raises:
            Halt: no such request will be accepted.
        """

    @abstractmethod
    def settled(self, job: Job) -> None:
        """Note that a job has its outcome."""

    @abstractmethod
    def fail(self, job: Job, reason: str, answer: Answer | None = None) -> None:
        """Delay a job after an attempt that failed, or give it up.

        Raises:
            Halt: nothing more is to be sent.
        """

    def _work(self) -> None:
        to, key, seconds = self._receiver.to, self._receiver.key, self._receiver.seconds
        try:
            with closing(Connection(to, self._credential, key, seconds)) as connection:
                while job := self._schedule.take():
                    try:
                        if self.begin(job):
                            self._attempt(connection, job)
                    except Halt as halt:
                        self.stop(str(halt))
        except Exception as error:  # noqa: BLE001 - the run ends with this message
            self.stop(f"{FAILED}: {error!r}")

    def _attempt(self, connection: Connection, job: Job) -> None:
        compressed = self._compressed
        job.sent()
        try:
            answer = connection.send(job.request(), compressed=compressed)
        except Broken as error:
            self.fail(job, f"no answer: {error}")
            return
        if self._may_compress and "gzip" in answer.headers.get("accept-encoding", ""):
            self._compressed = True  # RFC 9110, 12.5.3: the receiver announces what it accepts
        if answer.status in RETRYABLE or answer.status >= 500:
            self.fail(job, f"{answer.status}: {first_line(answer.body)}", answer)
            return
        if answer.status == 415 and compressed:
            self._compressed = self._may_compress = False
            self._schedule.delay(job, 0.0)
            return
        self.check(answer)
        try:
            instead = _settle(job, answer)
        except Unclear as error:
            self.fail(job, str(error))
            return
        self.settled(job)
        self._schedule.add_success()
        self._schedule.done(job, instead)


def _settle(job: Job, answer: Answer) -> Sequence[Job]:
    if answer.status != 413:
        return job.answered(answer.status, answer.body)
    parts = job.parts()
    if not parts:
        job.reject(f"too large (413): {first_line(answer.body)}")
    return parts


def redirect_reason(url: str, answer: Answer) -> str:
    """Why an answer that redirects cannot be followed: the key is sent to one address alone."""
    location = answer.headers.get("location", "nowhere")
    to = first_line(location.encode("latin-1", "replace"))
    return f"{url} answers {answer.status} and redirects to {to}: give the final address"
