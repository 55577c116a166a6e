"""What questions about segments are answered with, and why one may not be answered."""

from msgspec import Raw, Struct


class TakesLonger(Exception):
    """There was not enough time; what was read is kept, and the next question goes on from there.

    Attributes:
        users: how many are read so far.
    """

    def __init__(self, users: int) -> None:
        super().__init__(f"{users} users read so far")
        self.users = users


class TooLarge(Exception):
    """A project's users take more memory than there is for them."""


class SegmentView(Struct, frozen=True):
    """A segment; times are RFC 3339."""

    name: str
    filter: Raw
    created_at: str
    changed_at: str


class SegmentPage(Struct, frozen=True):
    """Segments in order of name; `next` leads to the following page."""

    segments: list[SegmentView]
    next: str | None


class Member(Struct, frozen=True, gc=False):
    """A user of a segment; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    first_seen: str
    last_seen: str


class Members(Struct, frozen=True):
    """How many users a segment has, and some of them in order of id."""

    count: int
    users: list[Member]
    next: str | None


class Preview(Struct, frozen=True):
    """How many users a filter is true of, and some of them in order of id.

    Attributes:
        count: of all of them.
        users: a page.
        next: leads to the following page.
        unknown_attributes: those of the filter that no user of the project has.
    """

    count: int
    users: list[Member]
    next: str | None
    unknown_attributes: list[str]
