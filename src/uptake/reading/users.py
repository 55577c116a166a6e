"""A user's profile, documents and images."""

from functools import partial

from msgspec import Raw, Struct

from uptake.model import clock
from uptake.reading import ImageId, Name, Page, Unknown, Uuid
from uptake.reading.bounds import Listing
from uptake.reading.samples import Summary, summaries
from uptake.reading.series import UserData
from uptake.samples.metrics import Metric
from uptake.store.base import ItemQueries, UserQueries
from uptake.store.stored import DocumentFilter, StoredDocument, StoredImage

DOCUMENT_BYTES = 2048
"""Size of a document in an answer without its `data`, at most."""


class Profile(Struct, frozen=True):
    """A user's attributes, and counts of all other data; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    samples: dict[Metric, Summary]
    documents: int
    images: int
    first_seen: str
    last_seen: str


class UserView(Struct, frozen=True):
    """A user, and when the user was first and last seen; times are RFC 3339."""

    user_id: str
    first_seen: str
    last_seen: str


class UserPage(Struct, frozen=True):
    """Users in order of id."""

    users: list[UserView]
    next: str | None


class Document(Struct, frozen=True):
    """A document as it was uploaded."""

    upload_id: str
    user_id: str
    type: str
    data: Raw
    received_at: str


class DocumentPage(Struct, frozen=True):
    """Documents in order of upload id."""

    documents: list[Document]
    next: str | None


class ImageView(Struct, frozen=True):
    """An image, which is served from `url`."""

    image_id: int
    url: str
    sha256: str
    bytes: int
    width: int
    height: int
    media_type: str
    received_at: str


class ImagePage(Struct, frozen=True):
    """Images in the order in which they were first received."""

    images: list[ImageView]
    next: str | None


def profile(data: UserData) -> Profile:
    """Return a user's attributes, and counts of all other data.

    Raises:
        Unknown: the user does not exist.
    """
    user = data.store.user(data.project, data.user_id)
    if user is None:
        raise Unknown("user", data.user_id)
    return Profile(
        user.user_id,
        user.attributes,
        summaries(data),
        user.documents,
        user.images,
        clock.iso(user.first_seen),
        clock.iso(user.last_seen),
    )


def page(store: UserQueries, project: str, prefix: str, page: Page) -> UserPage:
    """Return a page of a project's users with an id that starts with `prefix`.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.users, project, prefix),
        key=lambda user: user.user_id,
        cursor_type=Name,
        start="",
    )
    found, following = listing.page(page)
    views = [
        UserView(user.user_id, clock.iso(user.first_seen), clock.iso(user.last_seen))
        for user in found
    ]
    return UserPage(views, following)


def document(store: ItemQueries, project: str, upload_id: str) -> Document:
    """Return the document of an upload.

    Raises:
        Unknown: the upload does not exist.
    """
    found = store.document(project, upload_id)
    if found is None:
        raise Unknown("upload", upload_id)
    return _document(found)


def documents(data: UserData, only: DocumentFilter, page: Page) -> DocumentPage:
    """Return a page of a user's documents.

    Raises:
        Unknown: the user does not exist.
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=lambda after, count: data.store.documents(
            data.project, data.user_id, only, after, count
        ),
        key=lambda one: one.upload_id,
        size=lambda one: len(one.data) + DOCUMENT_BYTES,
        cursor_type=Uuid,
        start="",
    )
    found, following = listing.page(page)
    data.require()
    return DocumentPage([_document(one) for one in found], following)


def _document(one: StoredDocument) -> Document:
    received_at = clock.iso(one.received_at)
    return Document(one.upload_id, one.user_id, one.type, Raw(one.data), received_at)


def images(data: UserData, base_url: str, page: Page) -> ImagePage:
    """Return a page of a user's images.

    Raises:
        Unknown: the user does not exist.
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(data.store.images, data.project, data.user_id),
        key=lambda image: image.image_id,
        cursor_type=ImageId,
        start=0,
    )
    found, following = listing.page(page)
    data.require()
    return ImagePage([_view(image, base_url) for image in found], following)


def _view(image: StoredImage, base_url: str) -> ImageView:
    return ImageView(
        image.image_id,
        base_url + image.name,
        image.sha256,
        image.bytes,
        image.width,
        image.height,
        image.media_type,
        clock.iso(image.received_at),
    )
