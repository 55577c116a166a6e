"""What is known about a user."""

from msgspec import Raw, Struct

from uptake.model import clock
from uptake.reading import ImageId, Unknown, from_cursor, to_cursor
from uptake.reading.samples import Summary, summaries
from uptake.samples.metrics import Metric
from uptake.store.base import ItemQueries
from uptake.store.stored import StoredImage


class Profile(Struct, frozen=True):
    """A user's attributes, and how much of everything else there is; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    samples: dict[Metric, Summary]
    documents: int
    images: int
    first_seen: str
    last_seen: str


class Document(Struct, frozen=True):
    """A document as it was uploaded."""

    upload_id: str
    user_id: str
    type: str
    data: Raw
    received_at: str


class ImageView(Struct, frozen=True):
    """An image as it is served from `url`."""

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


def require(store: ItemQueries, project: str, user_id: str) -> None:
    """Make sure that a user exists.

    Raises:
        Unknown: there is no such user.
    """
    if store.user(project, user_id) is None:
        raise Unknown(user_id)


def profile(store: ItemQueries, project: str, user_id: str) -> Profile:
    """Everything that is known about a user, samples as counts.

    Raises:
        Unknown: there is no such user.
    """
    user = store.user(project, user_id)
    if user is None:
        raise Unknown(user_id)
    return Profile(
        user.user_id,
        user.attributes,
        summaries(store, project, user_id),
        user.documents,
        user.images,
        clock.iso(user.first_seen),
        clock.iso(user.last_seen),
    )


def document(store: ItemQueries, project: str, upload_id: str) -> Document:
    """The document of an upload.

    Raises:
        Unknown: there is no such upload.
    """
    kept = store.document(project, upload_id)
    if kept is None:
        raise Unknown(upload_id)
    received_at = clock.iso(kept.received_at)
    return Document(kept.upload_id, kept.user_id, kept.type, Raw(kept.data), received_at)


def images(  # noqa: PLR0913 - what can be asked for
    store: ItemQueries, project: str, user_id: str, *, base_url: str, cursor: str | None, limit: int
) -> ImagePage:
    """A user's images, at most `limit` of them, from a cursor on.

    Raises:
        Unknown: there is no such user.
        BadCursor: the cursor was not given by this server.
    """
    after: int = from_cursor(cursor, ImageId) if cursor else 0
    if store.user(project, user_id) is None:
        raise Unknown(user_id)
    found = store.images(project, user_id, after, limit + 1)
    more = len(found) > limit
    shown = found[:limit]
    views = [_view(image, base_url) for image in shown]
    return ImagePage(views, to_cursor(shown[-1].image_id) if more else None)


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
