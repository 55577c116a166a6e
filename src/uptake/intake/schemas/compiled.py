"""Compiled JSON Schemas, which check documents within bounds of time and memory."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec

from uptake.intake.schemas.examination import Examination, TooManyParts
from uptake.intake.schemas.process import unreadable, violations
from uptake.intake.schemas.workers import SchemaWorkers
from uptake.model.problems import json_reason
from uptake.model.submission import Fault

MAX_BYTES = 1024 * 1024
"""Bytes of a schema."""

INLINE_BYTES = 64 * 1024
INLINE_PATTERNS = 100
"""Size of a schema that is compiled in milliseconds, in the server's process."""

INLINE_WORK = 2_000_000
"""Evaluations of keywords, of about 10 ns each, that a check may take on the event loop."""

INLINE_VIOLATIONS = 8192
"""Evaluations that may each end in a violation: one takes 20 µs, and the validator finds all of
them before it returns the first."""

PATTERN_SIZES = {16 * 1024: 64, 1024 * 1024: 4096}
"""Bytes of a compiled regular expression, and its maximum cost in evaluations. A small one takes
about 10 ns for each character; a large one, such as `(a{1,50}){1,50}`, 100 µs."""

Check = Callable[[bytes], list[Fault]]


class InvalidSchema(ValueError):
    """The text is not a JSON Schema, has external references, or has too many parts."""


class NeedsWorker(Exception):
    """The check may take long: a schema worker must run it."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled schema; called with a document's JSON, it returns all violations.

    Attributes:
        text: of the schema.
        weight: see `Examination`; infinite for a schema that only workers check.
        validator: for inline checks; None if the schema is checked in a worker only.
        workers: run all other checks.
    """

    text: str
    weight: float
    validator: jsonschema_rs.Validator | None
    workers: SchemaWorkers

    def check_inline(self, data: bytes) -> list[Fault]:
        """The violations of a document, found in this process in milliseconds.

        Raises:
            NeedsWorker: it may take longer.
        """
        work = self.weight * len(data)
        if self.validator is None or work > INLINE_WORK:
            raise NeedsWorker
        try:
            document = msgspec.json.decode(data)
            if self.validator.is_valid(document):
                return []
            if work > INLINE_VIOLATIONS:
                raise NeedsWorker
            return violations(self.validator, document)
        except (ValueError, RecursionError) as error:
            return [unreadable(error)]

    def __call__(self, data: bytes) -> list[Fault]:
        """The violations of a document; `too_complex` if a worker reached its bound.

        Raises:
            Problem: `OVERLOADED`: no worker is free in time.
        """
        try:
            return self.check_inline(data)
        except NeedsWorker:
            return self.workers.check(self.text, data)


def compile_schema(text: str, workers: SchemaWorkers | None = None) -> Schema:
    """Compile a new JSON Schema, of draft 2020-12 unless `$schema` names another.

    A worker compiles it first, within bounds of time and memory.

    Raises:
        InvalidSchema: the message is the reason.
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
    return _compiled(text, examination, workers)


def load_schema(text: str, workers: SchemaWorkers) -> Schema:
    """Load a registered schema of any version; never fails."""
    try:
        return _compiled(text, Examination(_decoded(text)), workers)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Schema(text, math.inf, None, workers)


def _decoded(text: str) -> Any:
    schema = msgspec.json.decode(text)
    if not isinstance(schema, dict | bool):
        raise TooManyParts("a JSON Schema is an object or a boolean")
    return schema


def _compiled(text: str, examination: Examination, workers: SchemaWorkers) -> Schema:
    if len(text) > INLINE_BYTES or examination.patterns > INLINE_PATTERNS:
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
    """A validator that accepts only regular expressions of linear time up to a size.

    Raises:
        ValueError: the schema is invalid, or has other regular expressions.
    """
    options = jsonschema_rs.RegexOptions(size_limit=pattern_bytes)
    return jsonschema_rs.validator_for(
        msgspec.json.decode(text), offline=True, pattern_options=options
    )
