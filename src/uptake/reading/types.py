"""What is known of a project's document types: their schemas, and what there is by version."""

from collections.abc import Sequence
from functools import partial

from msgspec import Raw, Struct

from uptake.model import clock
from uptake.reading import Name, Unknown, Version, from_cursor, to_cursor
from uptake.reading.bounds import page_of
from uptake.store.base import DocumentTypeRegistry
from uptake.store.definitions import DocumentType, TypeVersion
from uptake.store.stored import VersionStock

VERSIONS_AT_ONCE = 1000

VIEW_BYTES = 300
"""What a type or a version takes in an answer without its schema."""


class TypeView(Struct, frozen=True):
    """A document type.

    Attributes:
        name: as in the address it is sent to.
        version: of the schema.
        schema: the current one; null where any object is taken.
        created_at: RFC 3339; when the type was first registered.
    """

    name: str
    version: int
    schema: Raw | None
    created_at: str


class TypePage(Struct, frozen=True):
    """Document types in order of name."""

    types: list[TypeView]
    next: str | None


class VersionView(Struct, frozen=True):
    """A schema that a type has or had, and what is kept of the documents that it judged.

    Attributes:
        version: its number.
        schema: null where any object was taken.
        created_at: RFC 3339; since when it judges.
        documents: how many are kept.
        first_received, last_received: RFC 3339; null without documents.
    """

    version: int
    schema: Raw | None
    created_at: str
    documents: int
    first_received: str | None
    last_received: str | None


class VersionPage(Struct, frozen=True):
    """Versions of a document type, the oldest first."""

    versions: list[VersionView]
    next: str | None


def page(store: DocumentTypeRegistry, project: str, cursor: str | None, limit: int) -> TypePage:
    """A project's document types, at most `limit` of them, from a cursor on.

    Raises:
        BadCursor: the cursor was not given by this server.
    """
    after: str = from_cursor(cursor, Name) if cursor else ""
    shown, following = page_of(
        partial(store.document_types, project),
        after,
        lambda known: known.name,
        lambda known: len((known.schema or "").encode()) + VIEW_BYTES,
        limit,
    )
    return TypePage(
        [view(known) for known in shown], None if following is None else to_cursor(following)
    )


def document_type(store: DocumentTypeRegistry, project: str, name: str) -> TypeView:
    """A document type.

    Raises:
        Unknown: there is none of that name.
    """
    found = store.document_type(project, name)
    if found is None:
        raise Unknown(name)
    return view(found)


def versions(
    store: DocumentTypeRegistry, project: str, name: str, cursor: str | None, limit: int
) -> VersionPage:
    """The versions of a type, at most `limit` of them, from a cursor on.

    Raises:
        Unknown: there is no such type.
        BadCursor: the cursor was not given by this server.
    """
    after: int = from_cursor(cursor, Version) if cursor else 0
    if store.document_type(project, name) is None:
        raise Unknown(name)
    shown, following = page_of(
        partial(store.type_versions, project, name),
        after,
        lambda one: one.version,
        lambda one: len((one.schema or "").encode()) + VIEW_BYTES,
        limit,
    )
    stock = {kept.version: kept for kept in store.document_versions(project, name)}
    views = [_version(one, stock.get(one.version)) for one in shown]
    return VersionPage(views, None if following is None else to_cursor(following))


def all_versions(store: DocumentTypeRegistry, project: str, name: str) -> Sequence[VersionView]:
    """All versions of a type.

    Raises:
        Unknown: there is no such type.
    """
    found: list[VersionView] = []
    cursor: str | None = None
    while True:
        told = versions(store, project, name, cursor, VERSIONS_AT_ONCE)
        found += told.versions
        if told.next is None:
            return found
        cursor = told.next


def view(known: DocumentType) -> TypeView:
    """A document type as it is told."""
    return TypeView(known.name, known.version, _raw(known.schema), clock.iso(known.created_at))


def _version(one: TypeVersion, kept: VersionStock | None) -> VersionView:
    return VersionView(
        one.version,
        _raw(one.schema),
        clock.iso(one.created_at),
        0 if kept is None else kept.count,
        None if kept is None else clock.iso(kept.first),
        None if kept is None else clock.iso(kept.last),
    )


def _raw(schema: str | None) -> Raw | None:
    return None if schema is None else Raw(schema.encode())
