"""A process that checks documents for others, and is ended when it takes too long or too much.

It reads jobs from standard input and writes answers to standard output, each a frame: its length
in four bytes, then msgpack. A job's answers end with one that is `last`.
"""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import jsonschema_rs
import msgspec

from uptake.intake.schemas.violations import fault, unreadable, violations
from uptake.model.problems import json_reason
from uptake.model.submission import Fault

MEMORY = 768 * 1024 * 1024
"""Bytes of address space: 150 MB for the interpreter, the rest for the largest document."""

PATTERN_BYTES = 1024 * 1024
BACKTRACKS = 100_000
"""Bounds of a regular expression: its compiled size, and steps of one that looks around."""

REASON_SECONDS = 0.5
"""Of processor time for listing violations, once it is known that there are any."""

NICENESS = 5
"""So that the process that serves comes first."""

COMPILED = 16
"""Schemas that a process remembers compiled."""


class Job(msgspec.Struct, frozen=True):
    """A schema to compile, and a document to check; without one, only the schema is.

    Attributes:
        seconds: of processor time that it may take until it is known whether there are violations,
            after which the process ends.
    """

    schema: str
    data: bytes | None
    seconds: float


class Answer(msgspec.Struct, frozen=True):
    """What is known by now.

    Attributes:
        faults: of the document, none where it is valid.
        is_valid: None when the schema itself is not one; then `reason` says why.
        last: whether no better answer follows.
    """

    faults: list[Fault] = []
    is_valid: bool | None = None
    reason: str = ""
    last: bool = True


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Do jobs until there are no more."""
    decoder, encoder = msgspec.msgpack.Decoder(Job), msgspec.msgpack.Encoder()
    compiled: dict[str, jsonschema_rs.Validator] = {}
    while head := jobs.read(4):
        job = decoder.decode(jobs.read(int.from_bytes(head)))
        # Counts processor time, so that a busy machine makes no difference; the default action of
        # its signal ends the process, whatever code it is in.
        signal.setitimer(signal.ITIMER_PROF, job.seconds)
        for answer in _answers(job, compiled):
            frame = encoder.encode(answer)
            answers.write(len(frame).to_bytes(4) + frame)
            answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answers(job: Job, compiled: dict[str, jsonschema_rs.Validator]) -> Iterator[Answer]:
    try:
        validator = compiled.get(job.schema) or _compile(job.schema)
    except (ValueError, RecursionError) as error:
        # The library appends the whole schema to its message; the first line says what is wrong.
        yield Answer(reason=json_reason(error).splitlines()[0])
        return
    if job.schema not in compiled:
        if len(compiled) >= COMPILED:
            compiled.pop(next(iter(compiled)))
        compiled[job.schema] = validator
    if job.data is None:
        yield Answer(is_valid=True)
        return
    try:
        document = msgspec.json.decode(job.data)
        if validator.is_valid(document):
            yield Answer(is_valid=True)
            return
        # From the cheapest to the most expensive: the process may be ended on the way.
        signal.setitimer(signal.ITIMER_PROF, REASON_SECONDS)
        yield Answer(is_valid=False, last=False)
        yield Answer([_first(validator, document)], is_valid=False, last=False)
        yield Answer(violations(validator, document), is_valid=False)
    except (ValueError, RecursionError) as error:
        yield Answer([unreadable(error)], is_valid=False)


def _first(validator: jsonschema_rs.Validator, document: object) -> Fault:
    try:
        validator.validate(document)
    except jsonschema_rs.ValidationError as violation:
        return fault(violation)
    raise AssertionError("is_valid and validate disagree")


def _compile(text: str) -> jsonschema_rs.Validator:
    schema = msgspec.json.decode(text)
    linear = jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES)
    looking_around = jsonschema_rs.FancyRegexOptions(
        backtrack_limit=BACKTRACKS, size_limit=PATTERN_BYTES
    )
    try:
        return jsonschema_rs.validator_for(schema, offline=True, pattern_options=linear)
    except ValueError:
        return jsonschema_rs.validator_for(schema, offline=True, pattern_options=looking_around)


def _main() -> None:
    # Ctrl-C in a terminal reaches the whole group: the server ends this process by closing its
    # standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # a service may be denied it
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        os.abort()  # as the validator does: by a signal it is told from a failure to start


if __name__ == "__main__":
    _main()
