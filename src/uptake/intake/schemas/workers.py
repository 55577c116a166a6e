"""Worker processes that check documents which may take long."""

import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import msgspec
import structlog

from uptake.intake.schemas.process import MEMORY, REASON_SECONDS, Answer, Job
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault

WORKERS = 2
"""Processes at a time; they start on demand."""

CPU_SECONDS = 2.0
"""Processor time for one schema or document: ten times that of the largest document with a
hand-written schema."""

PATIENCE_SECONDS = 30.0
"""How long a job may take by the clock on a busy machine."""

QUEUE_SECONDS = 10.0
"""How long a job waits for a free process before it fails with 503."""

TOO_COMPLEX = "too_complex"
_MEMORY = f"{MEMORY >> 20} MB of memory"
_UNDECIDED = f"Checking this document takes over {CPU_SECONDS:g} s of processor time or {_MEMORY}"
_UNLISTED = (
    f"This document is not valid; listing its violations takes over {REASON_SECONDS:g} s of "
    f"processor time or {_MEMORY}"
)
_SCHEMA = f"compiling it takes over {CPU_SECONDS:g} s of processor time or {_MEMORY}"


_log = structlog.get_logger()


@dataclass(slots=True)
class _Process:
    popen: subprocess.Popen[bytes]
    jobs: IO[bytes]
    answers: IO[bytes]


class SchemaWorkers:
    """At most `WORKERS` processes; one that ended is replaced on demand."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._free = threading.Semaphore(WORKERS)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Answer)

    def compile(self, schema: str) -> str:
        """The reason that a schema is invalid; "" for a valid one.

        Raises:
            Problem: `OVERLOADED`.
        """
        answer = self._run(Job(schema, None, CPU_SECONDS))
        return _SCHEMA if answer is None else answer.reason

    def check(self, schema: str, data: bytes) -> list[Fault]:
        """The violations of a document; the last one is `too_complex` if some are not listed.

        Raises:
            Problem: `OVERLOADED`.
        """
        answer = self._run(Job(schema, data, CPU_SECONDS))
        if answer is None or answer.is_valid is None:
            return [Fault(TOO_COMPLEX, _UNDECIDED, ("data",))]
        if answer.last:
            return answer.faults
        return [*answer.faults, Fault(TOO_COMPLEX, _UNLISTED, ("data",))]

    def close(self) -> None:
        """End the processes."""
        while self._idle:
            _end(self._idle.pop())

    __del__ = close

    def _run(self, job: Job) -> Answer | None:
        """The last answer to a job; None if a limit ended its process before the first."""
        if not self._free.acquire(timeout=QUEUE_SECONDS):
            raise Problem(Kinds.OVERLOADED, "Too many documents wait to be checked")
        process = None
        answer = None
        try:
            process = self._take()
            answer = self._exchange(process, job)
            if answer is None and _failed(process):
                _log.error("schema worker failed", status=process.popen.returncode)
                raise Problem(Kinds.UNAVAILABLE, "Documents cannot be checked now")
            return answer
        finally:
            if process is not None:
                if answer is not None and answer.last:
                    self._idle.append(process)
                else:
                    _end(process)
            self._free.release()

    def _take(self) -> _Process:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return _start()
        except OSError as error:
            _log.error("schema worker not started", reason=str(error))
            raise Problem(Kinds.UNAVAILABLE, "Documents cannot be checked now") from error

    def _exchange(self, process: _Process, job: Job) -> Answer | None:
        answer = None
        until = time.monotonic() + PATIENCE_SECONDS
        frame = self._encoder.encode(job)
        with suppress(OSError, EOFError):
            rest = memoryview(len(frame).to_bytes(4) + frame)
            while rest:
                rest = rest[process.jobs.write(rest) :]
            while answer is None or not answer.last:
                answer = self._decoder.decode(_read_frame(process.answers, until))
        return answer


def _read_frame(stream: IO[bytes], until: float) -> bytes:
    size = int.from_bytes(_read(stream, 4, until))
    return _read(stream, size, until)


def _read(stream: IO[bytes], size: int, until: float) -> bytes:
    """Read so many bytes.

    Raises:
        EOFError: the stream ends early, or the time is over.
    """
    parts = bytearray()
    while len(parts) < size:
        ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
        part = stream.read(size - len(parts)) if ready else b""
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _start() -> _Process:
    popen = subprocess.Popen(
        [sys.executable, "-m", "uptake.intake.schemas.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    if popen.stdin is None or popen.stdout is None:
        raise AssertionError("both are pipes")
    return _Process(popen, popen.stdin, popen.stdout)


def _failed(process: _Process) -> bool:
    """Whether a process failed; a limit ends it by a signal instead."""
    with suppress(subprocess.TimeoutExpired):
        return process.popen.wait(timeout=1) > 0
    return False


def _end(process: _Process) -> None:
    process.popen.kill()
    with suppress(OSError):
        process.jobs.close()
    process.answers.close()
    process.popen.wait()
