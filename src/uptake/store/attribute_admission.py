"""Which uploads of a group keep their users within the limits of attributes.

Most groups need no such look: no single request brings more than a user may have, and what is
merged with stored attributes is checked as it is merged. Only when that finds a user beyond the
limits is the group written again, and then the uploads about that user are decided on one after the
other. The users are remembered, so that the next group is not written twice.

The decision takes no lock, which would be taken in another order than that in which groups lock
their users. The decision still holds: names are never removed, so every rejection is right, and
what is admitted is checked again as it is merged, when the user's row is locked.
"""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection

from uptake.model.items import Attributes
from uptake.store.attribute_limits import Owner, exceeds, size_of
from uptake.store.profiles import AttributeUpdates, stored_rows
from uptake.store.records import Entry, NotStored, Written

MAX_REMEMBERED = 1024
"""Users near the limits whom a process remembers."""


class NearLimit:
    """The users whose rows are looked at before anything about them is written."""

    def __init__(self) -> None:
        self._owners: dict[Owner, None] = {}

    def add(self, owners: Collection[Owner]) -> None:
        """Remember some, and forget the oldest."""
        for owner in owners:
            self._owners.pop(owner, None)
            self._owners[owner] = None
        while len(self._owners) > MAX_REMEMBERED:
            del self._owners[next(iter(self._owners))]

    def among(self, told: AttributeUpdates) -> set[Owner]:
        """Those of a group that are to be examined."""
        if not self._owners:
            return told.to_examine
        return told.to_examine | {owner for owner in self._owners if owner in told.rows}


class Admission(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        rejected: by the number of its entry, what stands for each record of an upload of which
            nothing is stored.
        unchanged: number of the entry and place in it of records that change nothing.
        examined: the users that were looked at.
    """

    rejected: dict[int, tuple[Written, ...]] = {}
    unchanged: frozenset[tuple[int, int]] = frozenset()
    examined: frozenset[Owner] = frozenset()


EVERYTHING = Admission()
"""No upload is rejected, and no user was looked at."""


def examine(
    connection: Connection,
    entries: Collection[Entry],
    told: AttributeUpdates,
    owners: Collection[Owner],
    erased: Collection[Owner],
) -> Admission:
    """Decide on the uploads about some users, in order.

    Args:
        connection: in a transaction that writes, before it writes about users.
        entries: of the group.
        told: what they say.
        owners: the users.
        erased: of whom nothing is written.
    """
    if not owners:
        return EVERYTHING
    states = {
        (row["project_id"], row["user_id"]): told.profile(row).mapping()
        for row in stored_rows(connection, told, owners)
    }
    rejected: dict[int, tuple[Written, ...]] = {}
    unchanged: set[tuple[int, int]] = set()
    for number, entry in enumerate(entries):
        after, over, same = _applied(entry, states, owners, erased)
        if over:
            rejected[number] = tuple(
                over.get(place, NotStored()) for place in range(len(entry.records))
            )
        else:
            states |= after
            unchanged |= {(number, place) for place in same}
    return Admission(rejected, frozenset(unchanged), frozenset(owners))


def _applied(
    entry: Entry,
    states: dict[Owner, dict[str, str]],
    owners: Collection[Owner],
    erased: Collection[Owner],
) -> tuple[dict[Owner, dict[str, str]], dict[int, Written], list[int]]:
    """The attributes after an entry, and its records that go too far or change nothing."""
    after: dict[Owner, dict[str, str]] = {}
    over: dict[int, Written] = {}
    same: list[int] = []
    for place, record in enumerate(entry.records):
        owner = (entry.project, record.user_id)
        if not isinstance(record, Attributes) or owner not in owners or owner in erased:
            continue
        before = after.get(owner, states.get(owner, {}))
        stands = before | record.mapping()
        if exceeds(before, stands):
            over[place] = NotStored(len(stands), size_of(stands))
        elif record.names and stands == before:
            same.append(place)
        after[owner] = stands
    return after, over, same
