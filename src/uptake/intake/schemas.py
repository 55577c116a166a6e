"""The document types of projects, their JSON Schemas compiled once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

import jsonschema_rs
import msgspec

from uptake.model import clock
from uptake.model.submission import Fault
from uptake.store.base import Registry
from uptake.store.records import DocumentType

MAX_VIOLATIONS = 100
"""Violations told of one document; the next ones show when these are mended."""

TRUST_SECONDS = 1.0
"""How long a type is used without asking the store again whether it has changed."""


MAX_NAME = 256
"""Characters of a type's name."""


class InvalidName(ValueError):
    """It cannot be the name of a document type."""


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


def register(registry: Registry, project: str, name: str, text: str | None) -> DocumentType:
    """Register a document type, or give it another schema; what stands now.

    A schema that says the same as the current one, however its JSON is laid out, is no new version.

    Args:
        registry: where.
        project: whose type it is.
        name: as in the address it is sent to.
        text: the schema; None to take any object.

    Raises:
        InvalidName: the name is none.
        InvalidSchema: the message says what is wrong with it.
        StoreUnavailable: as of the store.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidName(f"a name has 1 to {MAX_NAME} characters")
    if "\0" in name:
        raise InvalidName("a name has no NUL character")
    if text is not None:
        compile_schema(text)
        text = msgspec.json.format(text, indent=-1)
    current = registry.document_type(project, name)
    if current is not None and _meaning(current.schema) == _meaning(text):
        text = current.schema
    return registry.put_type(project, DocumentType(name, text, clock.now()))


def _meaning(text: str | None) -> bytes | None:
    if text is None:
        return None
    return msgspec.json.encode(msgspec.json.decode(text), order="sorted")


@dataclass(frozen=True, slots=True)
class KnownType:
    """A document type as this process knows it: which version, its schema, how it is checked."""

    version: int
    schema: str | None
    check: Check


class DocumentTypes:
    """The types of all projects, remembered for `TRUST_SECONDS`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[float, KnownType]] = {}
        self._lock = threading.Lock()

    def known(self, project: str, name: str) -> KnownType | None:
        """A type; None when the project has none of that name.

        Raises:
            StoreUnavailable: the type is not remembered and cannot be read.
        """
        known = self._known.get((project, name))
        if known is not None and monotonic() - known[0] < TRUST_SECONDS:
            return known[1]
        with self._lock:
            return self._read(project, name)

    def _read(self, project: str, name: str) -> KnownType | None:
        told = self._registry.document_type(project, name)
        if told is None:
            self._known.pop((project, name), None)
            return None
        _, known = self._known.get((project, name), (0.0, None))
        if known is None or known.schema != told.schema:
            check = compile_schema(told.schema) if told.schema else _anything
        else:
            check = known.check
        known = KnownType(told.version, told.schema, check)
        self._known[project, name] = (monotonic(), known)
        return known


def _anything(data: bytes) -> list[Fault]:  # noqa: ARG001 - a type without a schema asks nothing
    return []
