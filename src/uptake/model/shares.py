"""Divides a rejected body of several users, so that each user's share can be erased alone.

A share is a valid body: the bytes around the pieces, and the pieces of one user. It is shown,
exported and erased by itself, and `join` restores the original body from all shares. A body that
cannot be divided is tied to all its users.
"""

from collections.abc import Sequence

import msgspec

from uptake.model.submission import Fault, Piece, Rejection

MAX_USERS = 1000
"""Users of a rejected body, each with a row of its own: ten times the limit of any format. If a
body has more users, only its faults are stored."""

MAX_COPIED = 4 * 1024 * 1024
"""Bytes that dividing a body may add, as each share repeats the bytes around the pieces. It is the
size of the largest JSON body, so that a rejection takes at most about twice its body."""

MAX_LEAD = 64
"""Bytes between two pieces that are stored unchanged; longer white space becomes a comma."""

OTHER_PART = Fault("other_part", "Another part of the request was rejected", ())
"""The fault of a share without a fault in its own pieces."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A piece in a share.

    Attributes:
        place: its number in the whole body.
        lead: the bytes between the preceding piece and this one in the whole body.
        start, end: its bytes in the share.
    """

    place: int
    lead: str
    start: int
    end: int


TIED: tuple[Part, ...] = ()
"""The parts of a share of a body that cannot be divided."""


class Share(msgspec.Struct, frozen=True):
    """The part of a rejected body that is stored under one user; `parts` is None for all of it."""

    user_id: str
    raw: bytes
    faults: tuple[Fault, ...]
    parts: tuple[Part, ...] | None = None


def divide(rejection: Rejection) -> tuple[Share, ...]:
    """The shares of a rejection: one for each user, or one if it has no user."""
    owners, raw, faults = rejection.owners, rejection.raw, rejection.faults
    if owners.uncounted or len(owners.user_ids) > MAX_USERS:
        return (Share("", b"", faults),)
    if len(rejection.user_ids) <= 1:
        return (Share("".join(rejection.user_ids), raw, faults),)
    return _split(raw, faults, owners.pieces) or _tied(raw, faults, owners.user_ids)


def join(shares: Sequence[tuple[bytes, tuple[Part, ...] | None]]) -> bytes:
    """The original body, without the pieces of missing shares."""
    raw, first = shares[0]
    if not first:
        return b"".join(raw for raw, _ in shares)
    pieces = sorted(
        (part.place, part.lead.encode(), raw[part.start : part.end])
        for raw, parts in shares
        for part in parts or ()
    )
    body = [raw[: first[0].start]]
    for number, (_, lead, piece) in enumerate(pieces):
        body += [lead, piece] if number else [piece]
    return b"".join([*body, raw[first[-1].end :]])


def _tied(raw: bytes, faults: tuple[Fault, ...], user_ids: Sequence[str]) -> tuple[Share, ...]:
    """The body under its first user, and an empty share for each other user."""
    first, *others = sorted(user_ids)
    head = Share(first, raw, faults, TIED)
    return (head, *(Share(user_id, b"", faults, TIED) for user_id in others))


def _split(
    raw: bytes, faults: tuple[Fault, ...], pieces: Sequence[Piece]
) -> tuple[Share, ...] | None:
    if not pieces:
        return None
    owner_of = {piece.place: piece.user_id for piece in pieces}
    own: dict[str, list[Fault]] = {piece.user_id: [] for piece in pieces}
    common: list[Fault] = []
    for fault in faults:
        owner = _owner(fault, owner_of)
        (common if owner is None else own[owner]).append(fault)
    head, tail = raw[: pieces[0].start], raw[pieces[-1].end :]
    repeated = len(head) + len(tail) + sum(len(fault.message) for fault in common)
    if repeated * len(own) > MAX_COPIED:
        return None
    parts: dict[str, list[Part]] = {user_id: [] for user_id in own}
    bodies: dict[str, bytearray] = {user_id: bytearray(head) for user_id in own}
    before = pieces[0].start
    for number, piece in enumerate(pieces):
        body, lead = bodies[piece.user_id], raw[before : piece.start]
        if parts[piece.user_id]:
            body += b","
        start = len(body)
        body += raw[piece.start : piece.end]
        text = lead.decode("ascii", "replace") if len(lead) <= MAX_LEAD else ","
        parts[piece.user_id].append(Part(number, text, start, len(body)))
        before = piece.end
    return tuple(
        Share(
            user_id,
            bytes(bodies[user_id]) + tail,
            (*common, *own[user_id]) or (OTHER_PART,),
            tuple(parts[user_id]),
        )
        for user_id in sorted(own)
    )


def _owner(fault: Fault, owner_of: dict[tuple[str | int, ...], str]) -> str | None:
    """The user of the piece that has a fault; None for a fault of the body as a whole."""
    for length in range(len(fault.place), 0, -1):
        if fault.place[:length] in owner_of:
            return owner_of[fault.place[:length]]
    return None
