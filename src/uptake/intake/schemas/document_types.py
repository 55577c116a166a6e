"""The document types of projects, with compiled JSON Schemas."""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Final

import msgspec

from uptake.intake.schemas.compiled import Schema, compile_schema, load_schema
from uptake.intake.schemas.workers import SchemaWorkers
from uptake.model import clock
from uptake.store.base import DocumentTypeRegistry
from uptake.store.definitions import FIRST_VERSION, DocumentType, TypeVersion

TRUST_SECONDS = 1.0
"""How long a type is cached. An unknown name is cached for the same time after two requests for it:
a type works as soon as it is registered, and a client with a wrong name causes two look-ups a
second."""

MAX_NAME = 256
"""Characters of a type's name."""

MAX_KNOWN = 1_000
"""Types that are cached with their compiled schemas."""

MAX_UNKNOWN = 10_000
"""Unknown names that are cached."""

LOCKS = 64
"""Number of look-ups of different names at a time."""


NEVER = float("-inf")


class InvalidName(ValueError):
    """The name is not valid for a document type."""


def register(
    registry: DocumentTypeRegistry,
    project: str,
    name: str,
    text: str | None,
    workers: SchemaWorkers | None = None,
) -> DocumentType:
    """Register a document type, or a new version of its schema; returns the type.

    A schema that differs from the current one only in layout is not a new version.

    Args:
        registry: stores the type.
        project: the project.
        name: as in the URL of uploads.
        text: the schema; None to accept any object.
        workers: compile it.

    Raises:
        InvalidName: the name is not valid.
        InvalidSchema: the message is the reason.
        StoreUnavailable: as of the store.
        Problem: `OVERLOADED`, when no worker is free in time.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidName(f"a name has 1 to {MAX_NAME} characters")
    if "\0" in name:
        raise InvalidName("a name has no NUL character")
    if text is not None:
        compile_schema(text, workers)
        text = msgspec.json.format(text, indent=-1)
    while True:
        current = registry.document_type(project, name)
        if current is not None and _meaning(current.schema) == _meaning(text):
            return current
        number = FIRST_VERSION if current is None else current.version + 1
        version = TypeVersion(number, text, clock.now())
        # None if another caller was faster: then its version is the current one.
        if stored := registry.add_type_version(project, name, version):
            return stored


def _meaning(text: str | None) -> bytes | None:
    if text is None:
        return None
    return msgspec.json.encode(msgspec.json.decode(text), order="sorted")


@dataclass(frozen=True, slots=True)
class KnownType:
    """The cached version and schema of a document type."""

    version: int
    schema: Schema | None


STALE: Final = KnownType(0, None)
"""In place of a type that must be read from the store."""


class DocumentTypes:
    """The types of all projects, and unknown names, cached for `TRUST_SECONDS`.

    Args:
        registry: has the types.
        workers: run slow checks.
    """

    def __init__(
        self, registry: DocumentTypeRegistry, workers: SchemaWorkers | None = None
    ) -> None:
        self._registry = registry
        self._workers = workers or SchemaWorkers()
        self._known: dict[tuple[str, str], tuple[float, KnownType]] = {}
        self._unknown: dict[tuple[str, str], tuple[float, bool]] = {}
        self._changing = threading.Lock()
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def cached(self, project: str, name: str) -> KnownType | None:
        """A type without asking the store: None if it does not exist, `STALE` if unknown."""
        read_at, known = self._known.get((project, name), (NEVER, None))
        missed_at, again = self._unknown.get((project, name), (NEVER, False))
        read_at = max(read_at, missed_at if again else NEVER)
        if monotonic() - read_at < TRUST_SECONDS or len(name) > MAX_NAME:
            return known
        return STALE

    def known(self, project: str, name: str) -> KnownType | None:
        """A type, read from the store unless it is cached; None if it does not exist.

        Of several threads that ask for the same name at once, one reads the store.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        known = self.cached(project, name)
        if known is not STALE:
            return known
        with self._locks[hash((project, name)) % LOCKS]:
            known = self.cached(project, name)
            return self._read(project, name) if known is STALE else known

    def _read(self, project: str, name: str) -> KnownType | None:
        found = self._registry.document_type(project, name)
        at = project, name
        known = None if found is None else self._type(found, self._known.get(at))
        with self._changing:
            self._known.pop(at, None)
            missed_at, _ = self._unknown.pop(at, (NEVER, False))
            now = monotonic()
            # The oldest entry is forgotten first.
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            if len(self._unknown) >= MAX_UNKNOWN:
                del self._unknown[next(iter(self._unknown))]
            if known is None:
                self._unknown[at] = now, now - missed_at < TRUST_SECONDS
            else:
                self._known[at] = now, known
        return known

    def _type(self, found: DocumentType, before: tuple[float, KnownType] | None) -> KnownType:
        if found.schema is None:
            return KnownType(found.version, None)
        schema = before[1].schema if before else None
        if schema is None or schema.text != found.schema:
            schema = load_schema(found.schema, self._workers)
        return KnownType(found.version, schema)
