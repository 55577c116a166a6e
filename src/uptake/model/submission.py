"""A request after decoding: the items to store, and those that are rejected."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import force_setattr

from uptake.model.acting import Act
from uptake.model.items import Document, Item

MAX_MESSAGE = 500
"""Characters of a fault's message, which may quote a value as large as a document."""

MAX_PLACE = 64
MAX_PLACE_PART = 256
"""Parts of a fault's place, and characters of a part; documents may be nested deeper and have
longer names."""

MAX_FAULTS = 6000
"""Faults of one rejected item: a table of 100 rows and 50 columns may have one in each cell."""

CUT = "..."
"""In place of the part that is cut."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with an item or with a whole request.

    Attributes:
        code: stable name of the fault, e.g. `missing`.
        message: one sentence for a person.
        place: path to what is wrong, from the outside in, e.g. `("body", "user")`.
    """

    code: str
    message: str
    place: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        """Cut a long message or place, as a fault is returned, stored and listed."""
        if len(self.message) > MAX_MESSAGE:
            force_setattr(self, "message", cut(self.message))
        if len(self.place) > MAX_PLACE:
            force_setattr(self, "place", (*self.place[: MAX_PLACE - 1], CUT))
        if any(isinstance(part, str) and len(part) > MAX_PLACE_PART for part in self.place):
            parts = (
                cut(part, MAX_PLACE_PART) if isinstance(part, str) else part for part in self.place
            )
            force_setattr(self, "place", tuple(parts))

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer in the form of a fragment (RFC 6901, section 6)."""
        parts = [str(part).replace("~", "~0").replace("/", "~1") for part in self.place]
        return "#" + "".join(f"/{part}" for part in parts)


def cut(text: str, most: int = MAX_MESSAGE) -> str:
    """A text without its middle, if it is too long.

    A message begins with a value, and ends with the reason.
    """
    if len(text) <= most:
        return text
    half = (most - len(CUT)) // 2
    return text[: most - len(CUT) - half] + CUT + text[-half:]


def bounded(faults: Sequence[Fault], most: int = MAX_FAULTS) -> tuple[Fault, ...]:
    """At most so many faults; the last one counts those that are left out."""
    if len(faults) <= most:
        return tuple(faults)
    more = len(faults) - most + 1
    return (*faults[: most - 1], Fault("more_faults", f"{more:,} more faults are not listed"))


class Piece(msgspec.Struct, frozen=True):
    """A part of a rejected body with the data of one user.

    Attributes:
        user_id: the user; "" if none can be read.
        place: path to the part in the body; faults below it belong to this user.
        start, end: its bytes in the body.
    """

    user_id: str
    place: tuple[str | int, ...]
    start: int
    end: int


class Owners(msgspec.Struct, frozen=True):
    """The users of a rejected body, as far as they can be read.

    Attributes:
        user_ids: each once.
        pieces: the parts of the body by user, in order; () if it cannot be split.
        uncounted: the body exceeds the limits of its format, so it may have further users.
    """

    user_ids: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    uncounted: bool = False


NO_OWNERS = Owners()


class Resolved(msgspec.Struct, frozen=True):
    """A rejection that is replayed, and the users that it is stored under."""

    rejection_id: str
    user_ids: tuple[str, ...]


class Origin(msgspec.Struct, frozen=True):
    """Where a submission comes from.

    Attributes:
        project, key_id: of the API key.
        format: name of the operation.
        request_id: of the request.
        received_at: microseconds since the epoch.
        context: what is needed to decode the request again if it is rejected as a whole.
        resolves: the rejection that this submission replays.
        first_image_id: the number of the first image of a project.
        act: the actor that replays a rejection.
    """

    project: str
    key_id: str
    format: str
    request_id: str
    received_at: int
    context: dict[str, str] = {}
    resolves: Resolved | None = None
    first_image_id: int = 1
    act: Act | None = None


class Rejection(msgspec.Struct, frozen=True):
    """A rejected item, with all faults and its original bytes.

    Attributes:
        faults: at least one.
        raw: the bytes of the item, or of the body if the request is rejected as a whole.
        index: its position in the request; None if the request is rejected as a whole.
        user_id: its user; "" if none can be read, or there are several.
        owners: the users of a body with several.
        document_type: the name of its type, if this is a document.
        context: other members of the request that are needed to decode the item again.
    """

    faults: tuple[Fault, ...]
    raw: bytes
    index: int | None = None
    user_id: str = ""
    document_type: str | None = None
    context: dict[str, str] = {}
    owners: Owners = NO_OWNERS

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The users of the item."""
        return (self.user_id,) if self.user_id else self.owners.user_ids

    def __post_init__(self) -> None:
        """Bound the number of faults."""
        if len(self.faults) > MAX_FAULTS:
            force_setattr(self, "faults", bounded(self.faults))


class Submission(msgspec.Struct, frozen=True):
    """A request after decoding.

    A request that is rejected as a whole has no items and one rejection without an index.

    Attributes:
        items: the items to store.
        rejections: the rejected items.
        raw: the body, if the request is rejected as a whole when the commit finds that one item
            exceeds a limit.
        find_users: finds the users of that body.
    """

    items: tuple[Item, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    raw: bytes = b""
    find_users: Callable[[bytes], Owners] | None = None

    @property
    def user_ids(self) -> set[str]:
        """The users of all items and rejections."""
        users = {item.user_id for item in self.items}
        return users.union(*(rejection.user_ids for rejection in self.rejections))

    @property
    def document_types(self) -> set[str]:
        """The names of the document types that validation needs."""
        names = {item.type for item in self.items if isinstance(item, Document)}
        rejected = (rejection.document_type for rejection in self.rejections)
        return names | {name for name in rejected if name is not None}


def rejected(faults: list[Fault], raw: bytes, owners: Owners = NO_OWNERS) -> Submission:
    """A submission that is rejected as a whole."""
    user_id = owners.user_ids[0] if len(owners.user_ids) == 1 and not owners.uncounted else ""
    if user_id:
        owners = NO_OWNERS
    return Submission(rejections=(Rejection(tuple(faults), raw, user_id=user_id, owners=owners),))
