"""The document types of projects, their JSON Schemas compiled once."""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Final

import msgspec

from uptake.intake.schemas.compiled import Schema, compile_schema, load_schema
from uptake.intake.schemas.workers import SchemaWorkers
from uptake.model import clock
from uptake.store.base import DocumentTypeRegistry
from uptake.store.definitions import DocumentType

TRUST_SECONDS = 1.0
"""How long a type is used without asking the store again whether it has changed. A name that no
type has is remembered as long once it was asked for twice in that time: so a type works as soon as
it is registered, and a client that goes on with a wrong name costs two look-ups a second."""

MAX_NAME = 256
"""Characters of a type's name."""

MAX_KNOWN = 1_000
"""Types remembered with their compiled schemas."""

MAX_UNKNOWN = 10_000
"""Names remembered that no type has."""

LOCKS = 64
"""So many look-ups of different names may go on at once."""


NEVER = float("-inf")


class InvalidName(ValueError):
    """It cannot be the name of a document type."""


def register(
    registry: DocumentTypeRegistry,
    project: str,
    name: str,
    text: str | None,
    workers: SchemaWorkers | None = None,
) -> DocumentType:
    """Register a document type, or give it another schema; what is registered now.

    A schema that says the same as the current one, however its JSON is laid out, is no new version.

    Args:
        registry: where.
        project: whose type it is.
        name: as in the address it is sent to.
        text: the schema; None to take any object.
        workers: compile it.

    Raises:
        InvalidName: the name is none.
        InvalidSchema: the message says what is wrong with it.
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
    """A document type as this process knows it: its version and its schema, if it has one."""

    version: int
    schema: Schema | None


STALE: Final = KnownType(0, None)
"""In place of a type that must be read from the store."""


class DocumentTypes:
    """The types of all projects, remembered for `TRUST_SECONDS`, unknown names too.

    Args:
        registry: is asked.
        workers: check what takes long.
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
            # What was read first is forgotten first.
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
