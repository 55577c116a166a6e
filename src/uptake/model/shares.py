"""Rejected bodies about several users, divided so that one user's share can be erased alone.

Each user's share is a body of its own: the bytes around the pieces, and the pieces of this user.
So a share can be shown, exported and erased by itself, and all shares together give the body back
as it was sent. A body that cannot be divided is tied to all its users.
"""

from collections.abc import Sequence

import msgspec

from uptake.model.submission import Fault, Piece, Rejection

MAX_USERS = 1000
"""Users of a rejected body, each of which becomes a row. Ten times what the widest wire takes in a
request; a body about more is not stored, only its faults are."""

MAX_COPIED = 4 * 1024 * 1024
"""Bytes that dividing a body may add, as every share repeats what stands around the pieces. As much
as the largest JSON body, so that a rejection takes at most about twice its body."""

MAX_LEAD = 64
"""Bytes between two pieces that are stored as they are; longer white space becomes a comma."""

OTHER_PART = Fault("other_part", "Another part of the request was rejected", ())
"""The reason in a share whose own pieces have no fault."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A piece in a share.

    Attributes:
        place: its number in the whole body.
        lead: what stands before it in the whole body, after the piece before.
        start, end: where its bytes are in the share.
    """

    place: int
    lead: str
    start: int
    end: int


TIED: tuple[Part, ...] = ()
"""The parts of a share of a body that cannot be divided."""


class Share(msgspec.Struct, frozen=True):
    """What of a rejected body is stored under one user; `parts` is None for a whole body."""

    user_id: str
    raw: bytes
    faults: tuple[Fault, ...]
    parts: tuple[Part, ...] | None = None


def divide(rejection: Rejection) -> tuple[Share, ...]:
    """The shares of a rejection: one for each user, or a single one for at most one user."""
    owners, raw, faults = rejection.owners, rejection.raw, rejection.faults
    if owners.uncounted or len(owners.user_ids) > MAX_USERS:
        return (Share("", b"", faults),)
    if len(rejection.user_ids) <= 1:
        return (Share("".join(rejection.user_ids), raw, faults),)
    return _split(raw, faults, owners.pieces) or _tied(raw, faults, owners.user_ids)


def join(shares: Sequence[tuple[bytes, tuple[Part, ...] | None]]) -> bytes:
    """The body that shares come from, without the pieces of those that are missing."""
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
    """The body under the first of its users, and the others tied to it."""
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
    """Whose piece a fault is in; None for one of the body as a whole."""
    for length in range(len(fault.place), 0, -1):
        if fault.place[:length] in owner_of:
            return owner_of[fault.place[:length]]
    return None
