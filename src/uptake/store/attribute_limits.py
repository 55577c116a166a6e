"""How many attributes a user may have."""

from collections.abc import Collection, Mapping

MAX_ATTRIBUTES = 500
"""Attributes of a user. A request has at most 49 of them, and companies segment by tens to a few
hundred; a row of so many is read, merged and written in under a
millisecond."""

MAX_ATTRIBUTE_BYTES = 128 * 1024
"""UTF-8 bytes of a user's names and values together: more than 500 attributes of the greatest
length in ASCII have (89,000), and several times what a single request can bring (34,888)."""

Owner = tuple[str, str]
"""Project and user."""


class OverLimit(Exception):
    """Users would have more attributes than they may have; their uploads must be examined.

    Attributes:
        owners: the users.
    """

    def __init__(self, owners: Collection[Owner]) -> None:
        super().__init__(f"{len(owners)} users")
        self.owners = owners


def exceeds(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether an upload must not turn the attributes `before` into `after`.

    A user who has more than the limits, from before there were any, can change what is there.
    """
    adds = len(after) > len(before)
    if adds and len(after) > MAX_ATTRIBUTES:
        return True
    size = size_of(after)
    if size <= MAX_ATTRIBUTE_BYTES:
        return False
    size_before = size_of(before)
    return size > size_before and (adds or size_before <= MAX_ATTRIBUTE_BYTES)


def size_of(attributes: Mapping[str, str]) -> int:
    """UTF-8 bytes of names and values."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())
