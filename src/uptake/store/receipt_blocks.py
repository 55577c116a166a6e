"""Blocks of receipts: those of one user and day in columns, with searchable request ids.

A request id of the server is a UUID of version 7, which has its time. Such ids of a block's own day
are stored without it, and are looked up in the blocks of that day. Other ids, which clients chose,
are in blocks of their own.
"""

import re
import zlib
from collections.abc import Collection, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import msgspec

from uptake.store.stored import ReceiptItem, StoredReceipt
from uptake.time_units import MICROSECONDS_PER_DAY

BLOCK_RECEIPTS = 4096
"""Receipts in a block, so that a user's block of a day is quickly read and rewritten: 90 KB. No two
have the same time and place, by which pages of requests refer to them."""

_TIME_ORDERED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME_DIGITS = 12
"""The first hexadecimal digits of such a UUID: its time in milliseconds."""
REST_BYTES = 10
"""The bytes after the time."""

MILLISECOND = 1000
"""In microseconds."""


Place = tuple[int, int]
"""When a request was received, and the place of its entry in a group."""


class Placed(NamedTuple):
    """A receipt of a group, in the order in which they are returned.

    Attributes:
        received_at: when its request was received.
        place: of its entry in the group.
        receipt: the receipt.
        mark: of the transaction that stored it; 0 in blocks, and in rows of an earlier version.
    """

    received_at: int
    place: int
    receipt: StoredReceipt
    mark: int = 0

    @property
    def key(self) -> Place:
        """What distinguishes it from the other receipts of its block."""
        return self.received_at, self.place


class _Rest(msgspec.Struct, array_like=True, gc=False):
    """Values of a receipt. Those of an earlier version end with `code`.

    Those of most receipts in a block are equal, so they compress to little; the times do not.
    """

    place: int
    format: str
    key_id: str
    items: tuple[ReceiptItem, ...]
    rejected: tuple[str, str] | None
    duplicates: int
    status: int
    code: str
    ms: int | None = None
    rejected_items: int | None = None
    fault: str | None = None


class _Columns(msgspec.Struct, array_like=True):
    """What a block has of its receipts beside their user and their ids.

    Attributes:
        moments: when the first was received, then the differences from one to the next.
        id_times: milliseconds from the time of each id to its receipt; [] without such times.
        rest: of each receipt.
    """

    moments: list[int]
    id_times: list[int]
    rest: list[_Rest]


class _PlaceOnly(msgspec.Struct, array_like=True, gc=False):
    """The first value of `_Rest`; the others are skipped."""

    place: int


class _Places(msgspec.Struct, array_like=True):
    """As `_Columns`, to find receipts without decoding them."""

    moments: list[int]
    id_times: list[int]
    rest: list[_PlaceOnly]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Columns).decode
_decode_places = msgspec.msgpack.Decoder(_Places).decode
_decode_items = msgspec.msgpack.Decoder(tuple[ReceiptItem, ...]).decode
_decode_ids = msgspec.msgpack.Decoder(list[str]).decode


def day_of(moment: int) -> int:
    """Return the number of the day (UTC) since 1970."""
    return moment // MICROSECONDS_PER_DAY


def day_of_id(request_id: str) -> int | None:
    """Return the day of a request id that has its time; None for other ids."""
    if _TIME_ORDERED.fullmatch(request_id) is None:
        return None
    return day_of(milliseconds(request_id) * MILLISECOND)


def has_own_time(receipt: StoredReceipt) -> bool:
    """Whether the request id has the day on which the request was received."""
    return day_of_id(receipt.request_id) == day_of(receipt.received_at)


def needle(request_id: str, *, timed: bool) -> bytes:
    """Return the bytes by which an id is found in the ids of a block."""
    return id_rest(request_id) if timed else _encode(request_id)


def encode(placed: Sequence[Placed], *, timed: bool) -> tuple[bytes, bytes]:
    """Encode receipts of one user: their request ids, and the rest.

    Args:
        placed: the receipts, in order.
        timed: whether `has_own_time` is true for each; else it is for none.
    """
    moments = [one.received_at for one in placed]
    request_ids = [one.receipt.request_id for one in placed]
    id_times: list[int] = []
    if timed:
        ids = b"".join(map(id_rest, request_ids))
        id_times = [
            moment // MILLISECOND - milliseconds(request_id)
            for moment, request_id in zip(moments, request_ids, strict=True)
        ]
    else:
        ids = _encode(request_ids)
    differences = [after - before for before, after in pairwise(moments)]
    columns = _Columns([moments[0], *differences], id_times, list(map(_rest_of, placed)))
    return ids, zlib.compress(_encode(columns))


def _rest_of(placed: Placed) -> _Rest:
    one = placed.receipt
    more = one.items, one.rejected, one.duplicates, one.status, one.code
    return _Rest(placed.place, one.format, one.key_id, *more, one.ms, one.rejected_items, one.fault)


def decode(user_id: str, ids: bytes, data: bytes, *, timed: bool) -> list[Placed]:
    """Decode a block of a user's receipts."""
    columns = _decode(zlib.decompress(data))
    moments = list(accumulate(columns.moments))
    if timed:
        rests = (ids[at : at + REST_BYTES] for at in range(0, len(ids), REST_BYTES))
        times = (
            moment // MILLISECOND - before
            for moment, before in zip(moments, columns.id_times, strict=True)
        )
        request_ids = list(map(uuid_of, times, rests))
    else:
        request_ids = _decode_ids(ids)
    return [
        Placed(moment, rest.place, _receipt(one_id, moment, user_id, rest))
        for one_id, moment, rest in zip(request_ids, moments, columns.rest, strict=True)
    ]


def ids_at(wanted: Collection[Place], ids: bytes, data: bytes, *, timed: bool) -> dict[Place, str]:
    """Return the request ids of those receipts of a block that are at some places."""
    columns = _decode_places(zlib.decompress(data))
    request_ids = [] if timed else _decode_ids(ids)
    moments = {moment for moment, _ in wanted}
    found = {}
    for at, moment in enumerate(accumulate(columns.moments)):
        if moment not in moments or (place := (moment, columns.rest[at].place)) not in wanted:
            continue
        if timed:
            rest = ids[at * REST_BYTES : (at + 1) * REST_BYTES]
            found[place] = uuid_of(moment // MILLISECOND - columns.id_times[at], rest)
        else:
            found[place] = request_ids[at]
    return found


def _receipt(request_id: str, moment: int, user_id: str, rest: _Rest) -> StoredReceipt:
    more = rest.items, rest.rejected, rest.duplicates, rest.status, rest.code
    own = request_id, moment, rest.format, rest.key_id, user_id
    return StoredReceipt(*own, *more, rest.ms, rest.rejected_items, rest.fault)


def milliseconds(request_id: str) -> int:
    """Return the time in a request id that has one, in milliseconds since the epoch."""
    return int(request_id.replace("-", "", 1)[:_TIME_DIGITS], 16)


def id_rest(request_id: str) -> bytes:
    """Return the bytes of a request id after its time."""
    return bytes.fromhex(request_id.replace("-", "")[_TIME_DIGITS:])


def uuid_of(time: int, rest: bytes) -> str:
    """Return the request id with a time in milliseconds, and with the bytes after it."""
    text = f"{time:0{_TIME_DIGITS}x}{rest.hex()}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def placed_of(row: dict[str, Any]) -> Placed:
    """Return the receipt of a row of `receipts`."""
    first, last = row["first_refused"], row["last_refused"]
    receipt = StoredReceipt(
        row["request_id"],
        row["received_at"],
        row["format"],
        row["key_id"],
        row["user_id"],
        _decode_items(row["items"]),
        first and (first, last),
        row["duplicates"],
        row["status"],
        row["code"],
        row["ms"],
        row["rejected_items"],
        row["fault"],
    )
    return Placed(receipt.received_at, row["place"], receipt, row["mark"])
