"""A worker process that checks documents within limits of time and memory.

It reads jobs from standard input and writes answers to standard output. Each is a frame: its length
in four bytes, then msgpack. The last answer to a job is marked as `last`.
"""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import jsonschema_rs
import msgspec

from uptake.model.problems import json_reason
from uptake.model.submission import Fault

MEMORY = 768 * 1024 * 1024
"""Bytes of address space: 150 MB for the interpreter, the rest for the largest document."""

PATTERN_BYTES = 1024 * 1024
BACKTRACKS = 100_000
"""Limits of a regular expression: its compiled size, and steps of one with look-around."""

REASON_SECONDS = 0.5
"""Processor time for listing violations of an invalid document."""

NICENESS = 5
"""The server has a higher priority."""

COMPILED = 16
"""Compiled schemas that a process caches."""


MAX_VIOLATIONS = 100
"""Violations that are listed of one document."""

DATA = ("data",)
"""The place of a document in its upload."""


class Job(msgspec.Struct, frozen=True):
    """A schema to compile, and a document to check, if there is one.

    Attributes:
        seconds: processor time to find out whether the document is valid; then the process ends.
    """

    schema: str
    data: bytes | None
    seconds: float


class Answer(msgspec.Struct, frozen=True):
    """An answer to a job.

    Attributes:
        faults: of the document; none if it is valid.
        is_valid: None if the schema is invalid; then `reason` has the reason.
        last: whether no better answer follows.
    """

    faults: list[Fault] = []
    is_valid: bool | None = None
    reason: str = ""
    last: bool = True


def violations(validator: jsonschema_rs.Validator, document: Any) -> list[Fault]:
    """The first violations of a document, and a last fault that counts the rest."""
    faults: list[Fault] = []
    more = 0
    for violation in validator.iter_errors(document):
        if len(faults) < MAX_VIOLATIONS:
            faults.append(fault(violation))
        else:
            more += 1
    if more:
        faults.append(Fault("more_violations", f"{more:,} more violations are not listed", DATA))
    return faults


def fault(violation: Any) -> Fault:
    """A violation as a fault; its code is the violated keyword."""
    code = next((part for part in reversed(violation.schema_path) if isinstance(part, str)), "")
    return Fault(code or "schema", violation.message, (*DATA, *violation.instance_path))


def unreadable(error: Exception) -> Fault:
    """The fault of a document that the validator cannot read, such as one nested too deep."""
    return Fault("unreadable", json_reason(error).splitlines()[0], DATA)


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Run jobs until the end of the input."""
    decoder, encoder = msgspec.msgpack.Decoder(Job), msgspec.msgpack.Encoder()
    compiled: dict[str, jsonschema_rs.Validator] = {}
    while head := jobs.read(4):
        job = decoder.decode(jobs.read(int.from_bytes(head)))
        # The timer counts processor time, so a busy machine makes no difference. The default action
        # of its signal ends the process in any code.
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
        # The first line of the message is the reason; the library appends the schema.
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
        # From the cheapest to the most expensive, as the process may end in between.
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
    # Ctrl-C in a terminal signals the whole group, but the server ends this process by closing its
    # standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # a service may not be permitted to
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        os.abort()  # a signal, as by the validator; a failure to start exits with a status


if __name__ == "__main__":
    _main()
