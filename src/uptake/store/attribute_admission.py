"""Rejects the uploads that would give a user more attributes than a user may have.

Most groups need no such check: one request has at most as many attributes as a user may have, and
the limits are checked when attributes are merged with stored ones. Only if that finds a user over
the limits is the group written again, and then the uploads with that user are checked one by one.
Such users are remembered, so that later groups are not written twice.

The check takes no lock, because it would be taken in another order than groups lock their users. It
is right nevertheless: names are never removed, so a rejection holds, and an admitted upload is
checked again when it is merged, with the user's row locked.
"""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection

from uptake.model.items import Attributes, attribute_bytes, exceeds_limits
from uptake.store.profiles import AttributeUpdates, Owner, stored_rows
from uptake.store.records import Entry, NotStored, Written


class Admission(msgspec.Struct, frozen=True):
    """The result of `examine`.

    Attributes:
        rejected: by the number of its entry, the outcomes of an upload that is not stored.
        unchanged: number of the entry and place in it of records that change nothing.
        examined: the users.
    """

    rejected: dict[int, tuple[Written, ...]] = {}
    unchanged: frozenset[tuple[int, int]] = frozenset()
    examined: frozenset[Owner] = frozenset()


EVERYTHING = Admission()
"""No user was examined."""


def examine(
    connection: Connection,
    entries: Collection[Entry],
    updates: AttributeUpdates,
    owners: Collection[Owner],
    erased: Collection[Owner],
) -> Admission:
    """Check the uploads with some users, in order.

    Args:
        connection: in a transaction that writes, before it writes users.
        entries: of the group.
        updates: the attributes in it.
        owners: the users.
        erased: users that are not written.
    """
    states = {
        (row["project_id"], row["user_id"]): updates.profile(row).mapping()
        for row in stored_rows(connection, updates, owners)
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
    """Return attributes after an entry, records over the limits, and records without a change."""
    states_after: dict[Owner, dict[str, str]] = {}
    over: dict[int, Written] = {}
    same: list[int] = []
    for place, record in enumerate(entry.records):
        owner = (entry.project, record.user_id)
        if not isinstance(record, Attributes) or owner not in owners or owner in erased:
            continue
        before = states_after.get(owner, states.get(owner, {}))
        after = before | record.mapping()
        if exceeds_limits(before, after):
            over[place] = NotStored(len(after), attribute_bytes(after))
        elif record.names and after == before:
            same.append(place)
        states_after[owner] = after
    return states_after, over, same
