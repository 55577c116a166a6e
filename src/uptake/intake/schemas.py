"""The document types of projects, their JSON Schemas compiled once."""

import threading
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import Any

import jsonschema_rs
import msgspec

from uptake.model.submission import Fault
from uptake.store.base import Registry

MAX_VIOLATIONS = 100
"""Violations told of one document; the next ones show when these are mended."""

TRUST_SECONDS = 1.0
"""How long a type is used without asking the store again whether it has changed."""


class InvalidSchema(ValueError):
    """It is not a JSON Schema, or refers to one outside itself."""


Check = Callable[[bytes], list[Fault]]


def compile_schema(text: str) -> Check:
    """The check that a JSON Schema stands for: draft 2020-12 unless `$schema` names another.

    Raises:
        InvalidSchema: the message says what is wrong with it.
    """
    try:
        schema = msgspec.json.decode(text)
        if not isinstance(schema, dict | bool):
            raise InvalidSchema("a JSON Schema is an object or a boolean")
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        # The library appends the whole schema to its message; the first line says what is wrong.
        raise InvalidSchema(str(error).splitlines()[0]) from error

    def check(data: bytes) -> list[Fault]:
        try:
            violations = islice(validator.iter_errors(msgspec.json.decode(data)), MAX_VIOLATIONS)
            return [_fault(violation) for violation in violations]
        except (ValueError, RecursionError) as error:
            return [Fault("unreadable", str(error).splitlines()[0], ("data",))]

    return check


def _fault(violation: Any) -> Fault:
    code = next((part for part in reversed(violation.schema_path) if isinstance(part, str)), "")
    return Fault(code or "schema", violation.message, ("data", *violation.instance_path))


class DocumentTypes:
    """The types of all projects, remembered for `TRUST_SECONDS`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[float, str | None, Check]] = {}
        self._lock = threading.Lock()

    def check(self, project: str, name: str) -> Check | None:
        """How documents of a type are checked; None when the project has no such type.

        Raises:
            StoreUnavailable: the type is not remembered and cannot be read.
        """
        known = self._known.get((project, name))
        if known is not None and monotonic() - known[0] < TRUST_SECONDS:
            return known[2]
        with self._lock:
            return self._read(project, name)

    def _read(self, project: str, name: str) -> Check | None:
        document_type = self._registry.document_type(project, name)
        if document_type is None:
            self._known.pop((project, name), None)
            return None
        known = self._known.get((project, name))
        if known is not None and known[1] == document_type.schema:
            check = known[2]
        else:
            check = compile_schema(document_type.schema) if document_type.schema else _anything
        self._known[project, name] = (monotonic(), document_type.schema, check)
        return check


def _anything(data: bytes) -> list[Fault]:  # noqa: ARG001 - a type without a schema asks nothing
    return []
