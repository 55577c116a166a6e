"""Pages of requests in order of time: what a list shows of folded receipts, without their ids.

Receipts are folded by user and day, so that an erasure finds them. A list would have to read the
blocks of all users. So each fold also writes a page with a few values of each request, and the
block that has its id. Users have numbers in pages: an erasure deletes the number and the blocks,
and the list leaves out what has neither.
"""

import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from uptake.store.receipt_blocks import MILLISECOND, REST_BYTES, Placed, day_of, uuid_of
from uptake.store.request_count_ports import NO_MS, CountedRequests
from uptake.store.requests import Outcome, RequestFilter, StoredRequest, has_status, request_of


class Folded(NamedTuple):
    """A receipt that was folded, and the block of its user and day that has it.

    Attributes:
        placed: the receipt.
        timed, part: of the block.
    """

    placed: Placed
    timed: bool
    part: int


class Entry(NamedTuple):
    """A request of a page.

    Attributes:
        request: without its user; without its id if `block` has it.
        user: the number of the user; 0 for no user.
        block: day, whether ids have the time of the day, and part of the block that has the id,
            unless it was merged: then the next part has it. None if the page is of an earlier
            version, which has the id.
    """

    request: StoredRequest
    user: int
    block: tuple[int, bool, int] | None


class _Columns(msgspec.Struct, array_like=True, gc=False):
    """The values of each request.

    Attributes:
        moments: when the first was received, then the differences from one to the next.
        ids: empty; in a page of an earlier version, the ids without their time.
        parts: of the blocks that have the ids; those without times have negative ones, from -1 on.
            In a page of an earlier version, milliseconds from the time of each id to its receipt.
        other_ids: in a page of an earlier version, ids without a time, by the place of the request.
        users: numbers; 0 for no user.
        kinds: indexes into `table`.
        table: format, key, outcome, status and fault of requests.
        marks: the first, then the differences; [] in pages of an earlier version.
    """

    moments: list[int]
    ids: bytes
    parts: list[int]
    other_ids: dict[int, str]
    places: list[int]
    users: list[int]
    kinds: list[int]
    accepted: list[int]
    rejected: list[int | None]
    ms: list[int | None]
    table: list[tuple[str, str, int, int, str | None]]
    marks: list[int] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Columns).decode


def encode(folded: Sequence[Folded], numbers: Mapping[str, int]) -> bytes:
    """Encode requests.

    Args:
        folded: their receipts, at least one, in order of time.
        numbers: of their users.
    """
    requests = [request_of("", one.placed.place, one.placed.receipt) for one in folded]
    table: dict[tuple[str, str, int, int, str | None], int] = {}
    kinds = [
        table.setdefault(
            (one.format, one.key_id, int(one.outcome), one.status, one.fault), len(table)
        )
        for one in requests
    ]
    columns = _Columns(
        _differences([one.received_at for one in requests]),
        b"",
        [one.part if one.timed else -1 - one.part for one in folded],
        {},
        [one.place for one in requests],
        [numbers[one.user_id] if one.user_id else 0 for one in requests],
        kinds,
        [one.accepted for one in requests],
        [one.rejected for one in requests],
        [one.ms for one in requests],
        list(table),
        _differences([one.placed.mark for one in folded]),
    )
    return zlib.compress(_encode(columns))


def _differences(values: Sequence[int]) -> list[int]:
    return [values[0], *(after - before for before, after in pairwise(values))]


def counted(data: bytes) -> CountedRequests:
    """Return what is counted of the requests of a page."""
    columns = _decode(zlib.decompress(data))
    return CountedRequests(
        [(format_name, key_id, Outcome(one)) for format_name, key_id, one, *_ in columns.table],
        np.array(columns.kinds, np.int64),
        np.cumsum(np.array(columns.moments, np.int64)),
        np.array(columns.accepted, np.int64),
        np.array([one or 0 for one in columns.rejected], np.int64),
        np.array([NO_MS if one is None else one for one in columns.ms], np.int64),
    )


def selected(project: str, data: bytes, only: RequestFilter) -> list[Entry]:
    """Return the requests of a page that a filter without a user selects, in order of time."""
    columns = _decode(zlib.decompress(data))
    kinds = {
        number: kind
        for number, kind in enumerate(columns.table)
        if only.format in {None, kind[0]}
        and only.key_id in {None, kind[1]}
        and (only.status is None or has_status(only.status, Outcome(kind[2]), kind[3], kind[0]))
    }
    if not kinds:
        return []
    since, until = only.since or 0, only.until
    marks = list(accumulate(columns.marks)) or [0] * len(columns.moments)
    found = []
    for at, moment in enumerate(accumulate(columns.moments)):
        kind = kinds.get(columns.kinds[at])
        if kind is None or moment < since or (until is not None and moment >= until):
            continue
        format_name, key_id, outcome, status, fault = kind
        part = columns.parts[at]
        block = day_of(moment), part >= 0, part if part >= 0 else -1 - part
        request = StoredRequest(
            project,
            _id_at(columns, at, moment) if columns.ids else "",
            moment,
            columns.places[at],
            format_name,
            key_id,
            "",
            Outcome(outcome),
            columns.accepted[at],
            columns.rejected[at],
            status,
            fault,
            columns.ms[at],
            marks[at],
        )
        found.append(Entry(request, columns.users[at], None if columns.ids else block))
    return found


def _id_at(columns: _Columns, at: int, moment: int) -> str:
    """Return the id of a request in a page of an earlier version."""
    other = columns.other_ids.get(at)
    if other is not None:
        return other
    rest = columns.ids[at * REST_BYTES : (at + 1) * REST_BYTES]
    return uuid_of(moment // MILLISECOND - columns.parts[at], rest)
