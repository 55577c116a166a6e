"""Looks up what pages of requests do not have: the users of numbers, and the ids of requests."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, select

from uptake.store import receipt_blocks
from uptake.store import request_tables as rt
from uptake.store import tables as t
from uptake.store.database import batches_of, streamed
from uptake.store.receipt_blocks import Place
from uptake.store.request_pages import Entry
from uptake.store.requests import StoredRequest

BLOCKS_AT_ONCE = 32
"""Blocks read at a time; one has 90 KB at most."""

NO_USER = ""
"""The user of the highest number, if that user was erased."""

_Block = tuple[str, int, bool, int]
"""User, day, whether ids have the time of the day, and part."""


def newest(entries: Sequence[Entry], count: int) -> list[Entry]:
    """Return the last requests, and all of the moment of the first of these.

    Requests of one moment are in order of id, which is not known yet.

    Args:
        entries: in order of time.
        count: how many.
    """
    if not entries:
        return []
    first = entries[-count:][0].request.received_at
    return [one for one in entries if one.request.received_at >= first]


def with_users(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Return requests with their users, and without those of erased users."""
    found = []
    for project in sorted({one.request.project for one in entries}):
        mine = [one for one in entries if one.request.project == project]
        users = _users(connection, project, {one.user for one in mine})
        found += [
            one._replace(request=replace(one.request, user_id=users[one.user]))
            for one in mine
            if one.user in users
        ]
    return found


def _users(connection: Connection, project: str, numbers: set[int]) -> dict[int, str]:
    """Return the users of numbers, without erased users."""
    u = rt.request_users.c
    found = {0: ""}
    for some in batches_of(sorted(numbers - {0})):
        query = select(u.number, u.user_id).where(u.project_id == project, u.number.in_(some))
        rows = connection.execute(query.where(u.user_id != NO_USER))
        found |= {row.number: row.user_id for row in rows}
    return found


def with_ids(connection: Connection, entries: Sequence[Entry]) -> Iterator[StoredRequest]:
    """Yield requests with their ids; without those that have expired since the page was written.

    Args:
        connection: in a transaction.
        entries: with their users.
    """
    wanted: dict[str, dict[_Block, dict[Place, StoredRequest]]] = defaultdict(dict)
    for one in entries:
        request = one.request
        if one.block is None:
            yield request
        else:
            places = wanted[request.project].setdefault((request.user_id, *one.block), {})
            places[request.received_at, request.place] = request
    for project, references in wanted.items():
        by_block = _merged(connection, project, references)
        for block, ids, data in _blocks(connection, project, by_block):
            places = by_block[block]
            found = receipt_blocks.ids_at(places, ids, data, timed=block[2])
            for place, request_id in found.items():
                yield replace(places[place], request_id=request_id)


def _merged(
    connection: Connection, project: str, wanted: Mapping[_Block, dict[Place, StoredRequest]]
) -> dict[_Block, dict[Place, StoredRequest]]:
    """Return the blocks that have these requests: each, or the next, with which it was merged."""
    b = t.receipt_blocks.c
    numbers: dict[tuple[str, int, bool], list[int]] = defaultdict(list)
    days = {day for _, day, _, _ in wanted}
    for some in batches_of(sorted({user_id for user_id, *_ in wanted})):
        query = (
            select(b.user_id, b.day, b.timed, b.part)
            .where(b.project_id == project, b.user_id.in_(some), b.day.in_(days))
            .order_by(b.part)
        )
        for user_id, day, timed, part in connection.execute(query):
            numbers[user_id, day, bool(timed)].append(part)
    found: dict[_Block, dict[Place, StoredRequest]] = defaultdict(dict)
    for (user_id, day, timed, part), places in wanted.items():
        parts = numbers[user_id, day, timed]
        at = bisect_left(parts, part)
        if at < len(parts):
            found[user_id, day, timed, parts[at]] |= places
    return found


def _blocks(
    connection: Connection, project: str, wanted: Collection[_Block]
) -> Iterator[tuple[_Block, bytes, bytes]]:
    """Yield blocks of receipts: which it is, its ids and its other data."""
    b = t.receipt_blocks.c
    days, timed, parts = ({block[at] for block in wanted} for at in (1, 2, 3))
    for some in batches_of(sorted({block[0] for block in wanted})):
        query = (
            select(b.user_id, b.day, b.timed, b.part, b.ids, b.data)
            .where(b.project_id == project, b.user_id.in_(some))
            .where(b.day.in_(days), b.timed.in_(map(int, timed)), b.part.in_(parts))
        )
        for user_id, day, has_times, part, *block in streamed(connection, query, BLOCKS_AT_ONCE):
            if (key := (user_id, day, bool(has_times), part)) in wanted:
                yield key, *block
