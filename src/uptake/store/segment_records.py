"""What a store is handed and hands back about many users at once; moments are microseconds."""

from msgspec import Struct


class Segment(Struct, frozen=True):
    """A filter over a project's users that has a name; `filter` is JSON text."""

    name: str
    filter: str
    created_at: int
    changed_at: int


class Profiles(Struct, frozen=True):
    """Users that were told the same attributes, column by column.

    Attributes:
        names: of the attributes; None where the users of `values` tell their own.
        user_ids: whose they are.
        first_seen, last_seen: moments, in the order of `user_ids`.
        values: JSON: for each user an array in the order of `names`, or an object by name.
    """

    names: tuple[str, ...] | None
    user_ids: list[str]
    first_seen: list[int]
    last_seen: list[int]
    values: bytes


class Change(Struct, frozen=True):
    """Users about whom something was kept, or who were erased, in one transaction.

    Attributes:
        change_id: tells it from every other.
        users: ids, each once.
        erased: `Items.user_hash` of ids that are not to be named any more.
    """

    change_id: str
    users: list[str]
    erased: list[str]


class Changes(Struct, frozen=True):
    """What has changed in a project, and from where on to ask the next time."""

    next: int
    changes: list[Change]
