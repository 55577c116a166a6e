"""Pages of requests in order of time: what a list shows of folded receipts.

Receipts are folded by user and day, so that an erasure finds them. A list would have to read the
blocks of all users. So each fold also writes a page with a few values of each request. Users have
numbers in it: an erasure deletes the number, and the list leaves out what the number names.
"""

import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import msgspec

from uptake.store.receipt_blocks import (
    MILLISECOND,
    REST_BYTES,
    day_of_id,
    id_rest,
    milliseconds,
    uuid_of,
)
from uptake.store.requests import Outcome, RequestFilter, StoredRequest, has_status

_NO_ID = bytes(REST_BYTES)


class _Columns(msgspec.Struct, array_like=True, gc=False):
    """The values of each request.

    Attributes:
        moments: when the first was received, then the differences from one to the next.
        ids: of the requests that have a time, without it; zeros for the others.
        id_times: milliseconds from the time of each id to its receipt; 0 for the others.
        other_ids: those, by the place of the request.
        users: numbers; 0 for no user.
        kinds: indexes into `table`.
        table: format, key, outcome, status and fault of requests.
        marks: the first, then the differences; [] in pages of an earlier version.
    """

    moments: list[int]
    ids: bytes
    id_times: list[int]
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


def encode(requests: Sequence[StoredRequest], numbers: Mapping[str, int]) -> bytes:
    """Encode requests in order of time.

    Args:
        requests: at least one.
        numbers: of their users.
    """
    table: dict[tuple[str, str, int, int, str | None], int] = {}
    kinds = [
        table.setdefault(
            (one.format, one.key_id, int(one.outcome), one.status, one.fault), len(table)
        )
        for one in requests
    ]
    moments = [one.received_at for one in requests]
    has_time = [day_of_id(one.request_id) is not None for one in requests]
    columns = _Columns(
        _differences(moments),
        b"".join(
            id_rest(one.request_id) if timed else _NO_ID
            for one, timed in zip(requests, has_time, strict=True)
        ),
        [
            one.received_at // MILLISECOND - milliseconds(one.request_id) if timed else 0
            for one, timed in zip(requests, has_time, strict=True)
        ],
        {at: requests[at].request_id for at, timed in enumerate(has_time) if not timed},
        [one.place for one in requests],
        [numbers[one.user_id] if one.user_id else 0 for one in requests],
        kinds,
        [one.accepted for one in requests],
        [one.rejected for one in requests],
        [one.ms for one in requests],
        list(table),
        _differences([one.mark for one in requests]),
    )
    return zlib.compress(_encode(columns))


def _differences(values: Sequence[int]) -> list[int]:
    return [values[0], *(after - before for before, after in pairwise(values))]


def selected(project: str, data: bytes, only: RequestFilter) -> list[StoredRequest]:
    """Return the requests of a page that a filter without a user selects.

    They have the number of their user instead of the id.
    """
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
        found.append(
            StoredRequest(
                project,
                _id_at(columns, at, moment),
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
                columns.users[at],
                marks[at],
            )
        )
    return found


def _id_at(columns: _Columns, at: int, moment: int) -> str:
    other = columns.other_ids.get(at)
    if other is not None:
        return other
    rest = columns.ids[at * REST_BYTES : (at + 1) * REST_BYTES]
    return uuid_of(moment // MILLISECOND - columns.id_times[at], rest)
