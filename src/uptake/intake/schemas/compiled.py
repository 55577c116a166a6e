"""A JSON Schema that is ready to check documents, each within a bound of time and memory."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec

from uptake.intake.schemas.examination import Examination, TooManyParts
from uptake.intake.schemas.violations import unreadable, violations
from uptake.intake.schemas.workers import SchemaWorkers
from uptake.model.problems import json_reason
from uptake.model.submission import Fault

MAX_BYTES = 1024 * 1024
"""Bytes of a schema."""

QUICK_BYTES = 64 * 1024
QUICK_PATTERNS = 100
"""Size of a schema that is compiled in milliseconds, in the process that serves."""

QUICK_WORK = 2_000_000
"""Evaluations of keywords, of some 10 ns each, that a check may take on the event loop."""

QUICK_REASONS = 8192
"""Evaluations of which each may end in a violation: one takes 20 µs, and the validator makes all
of them before it gives the first."""

PATTERN_SIZES = {16 * 1024: 64, 1024 * 1024: 4096}
"""Bytes of a compiled regular expression, and what it costs at most in evaluations. A small one
takes some 10 ns for each character; a large one, such as `(a{1,50}){1,50}`, 100 µs."""

Check = Callable[[bytes], list[Fault]]


class InvalidSchema(ValueError):
    """It is not a JSON Schema, refers to one outside itself, or has too many parts."""


class NotQuick(Exception):
    """What is asked for may take long, or must be read first: it is no work for the event loop."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled schema; called with a document's JSON, it gives all violations.

    Attributes:
        text: of the schema.
        weight: see `Examination`; infinite for a schema that is checked in a worker only.
        validator: for quick checks in this process; None where it would take long to make.
        workers: where everything else is checked.
    """

    text: str
    weight: float
    validator: jsonschema_rs.Validator | None
    workers: SchemaWorkers

    def quick(self, data: bytes) -> list[Fault]:
        """The violations of a document, found in this process in milliseconds.

        Raises:
            NotQuick: it may take longer.
        """
        work = self.weight * len(data)
        if self.validator is None or work > QUICK_WORK:
            raise NotQuick
        try:
            document = msgspec.json.decode(data)
            if self.validator.is_valid(document):
                return []
            if work > QUICK_REASONS:
                raise NotQuick
            return violations(self.validator, document)
        except (ValueError, RecursionError) as error:
            return [unreadable(error)]

    def __call__(self, data: bytes) -> list[Fault]:
        """The violations of a document; `too_complex` where a worker's bound was reached.

        Raises:
            Problem: `OVERLOADED`, when no worker is free in time.
        """
        try:
            return self.quick(data)
        except NotQuick:
            return self.workers.check(self.text, data)


def compile_schema(text: str, workers: SchemaWorkers | None = None) -> Schema:
    """The check that a new JSON Schema stands for: draft 2020-12 unless `$schema` names another.

    It is compiled by a worker first, within a bound of time and memory.

    Raises:
        InvalidSchema: the message says what is wrong with it.
        Problem: `OVERLOADED`, when no worker is free in time.
    """
    workers = workers or SchemaWorkers()
    if len(text) > MAX_BYTES:
        raise InvalidSchema(f"it has more than {MAX_BYTES:,} bytes")
    try:
        examination = Examination(_decoded(text))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidSchema(json_reason(error)) from error
    reason = workers.compile(text)
    if reason:
        raise InvalidSchema(reason)
    return _quickest(text, examination, workers)


def load_schema(text: str, workers: SchemaWorkers) -> Schema:
    """A schema that was registered once, by whatever version; never an error."""
    try:
        return _quickest(text, Examination(_decoded(text)), workers)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Schema(text, math.inf, None, workers)


def _decoded(text: str) -> Any:
    schema = msgspec.json.decode(text)
    if not isinstance(schema, dict | bool):
        raise TooManyParts("a JSON Schema is an object or a boolean")
    return schema


def _quickest(text: str, examination: Examination, workers: SchemaWorkers) -> Schema:
    if len(text) > QUICK_BYTES or examination.patterns > QUICK_PATTERNS:
        return Schema(text, math.inf, None, workers)
    for size, cost in PATTERN_SIZES.items():
        weight = examination.weight(cost)
        if math.isinf(weight):
            break
        try:
            return Schema(text, weight, linear_validator(text, size), workers)
        except ValueError:
            continue
    return Schema(text, math.inf, None, workers)


def linear_validator(text: str, pattern_bytes: int) -> jsonschema_rs.Validator:
    """A validator whose regular expressions take linear time, and are no larger than this.

    Raises:
        ValueError: it is no schema, or has others.
    """
    options = jsonschema_rs.RegexOptions(size_limit=pattern_bytes)
    return jsonschema_rs.validator_for(
        msgspec.json.decode(text), offline=True, pattern_options=options
    )
