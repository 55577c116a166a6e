"""A project's document types: their schemas, and the documents of each version."""

from collections.abc import Sequence
from functools import partial

from msgspec import Raw, Struct

from uptake.model import clock
from uptake.reading import Name, Page, Unknown, Version
from uptake.reading.bounds import Listing
from uptake.store.base import DocumentTypeRegistry
from uptake.store.definitions import DocumentType, TypeVersion
from uptake.store.stored import VersionStock

VIEW_BYTES = 300
"""Size of a type or a version in an answer, without its schema."""


MAX_NAMED = 20
"""Names that an error lists: a line that a person can read."""


class TypeView(Struct, frozen=True):
    """A document type.

    Attributes:
        name: as in the path of the upload.
        version: of the current schema.
        schema: the current schema; null if any object is accepted.
        created_at: RFC 3339; when the type was registered.
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
    """A version of a schema, and the stored documents that were validated by it.

    Attributes:
        version: its number.
        schema: null if any object was accepted.
        created_at: RFC 3339; when the version was added.
        documents: how many are stored.
        first_received, last_received: RFC 3339; null without documents.
    """

    version: int
    schema: Raw | None
    created_at: str
    documents: int
    first_received: str | None
    last_received: str | None


class VersionPage(Struct, frozen=True):
    """Versions of a document type, oldest first."""

    versions: list[VersionView]
    next: str | None


def page(store: DocumentTypeRegistry, project: str, page: Page) -> TypePage:
    """Return a page of a project's document types.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.document_types, project),
        key=lambda known: known.name,
        size=_size,
        cursor_type=Name,
        start="",
    )
    found, following = listing.page(page)
    return TypePage([view(known) for known in found], following)


def document_type(store: DocumentTypeRegistry, project: str, name: str) -> TypeView:
    """Return a document type.

    Raises:
        Unknown: the type does not exist.
    """
    found = store.document_type(project, name)
    if found is None:
        raise Unknown("document type", name)
    return view(found)


def versions(store: DocumentTypeRegistry, project: str, name: str, page: Page) -> VersionPage:
    """Return a page of the versions of a type.

    Raises:
        Unknown: the type does not exist.
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.type_versions, project, name),
        key=lambda one: one.version,
        size=_size,
        cursor_type=Version,
        start=0,
    )
    found, following = listing.page(page)
    if store.document_type(project, name) is None:
        raise Unknown("document type", name)
    stock = {one.version: one for one in store.document_versions(project, name)}
    return VersionPage([_version(one, stock.get(one.version)) for one in found], following)


def all_versions(store: DocumentTypeRegistry, project: str, name: str) -> Sequence[VersionView]:
    """Return all versions of a type.

    Raises:
        Unknown: the type does not exist.
    """
    page = versions(store, project, name, Page())
    found = page.versions
    while page.next is not None:
        page = versions(store, project, name, Page(page.next))
        found += page.versions
    return found


def require(store: DocumentTypeRegistry, project: str, name: str) -> None:
    """Check that a type is registered or has documents.

    Raises:
        Unknown: it has neither; the error lists the registered types.
    """
    if "\0" not in name and (
        store.document_type(project, name) is not None or store.document_versions(project, name)
    ):
        return
    known = [one.name for one in store.document_types(project, limit=MAX_NAMED + 1)]
    if len(known) > MAX_NAMED:
        known[-1] = "..."
    raise Unknown("document type", name, known)


def view(known: DocumentType) -> TypeView:
    """Return a document type as the API shows it."""
    return TypeView(known.name, known.version, _raw(known.schema), clock.iso(known.created_at))


def _version(one: TypeVersion, stock: VersionStock | None) -> VersionView:
    count, first, last = 0, None, None
    if stock is not None:
        count, first, last = stock.count, clock.iso(stock.first), clock.iso(stock.last)
    return VersionView(one.version, _raw(one.schema), clock.iso(one.created_at), count, first, last)


def _size(one: DocumentType | TypeVersion) -> int:
    return len((one.schema or "").encode()) + VIEW_BYTES


def _raw(schema: str | None) -> Raw | None:
    return None if schema is None else Raw(schema.encode())
