"""Which part of what is asked for a client wants (RFC 9110, 14)."""

import re
from collections.abc import Mapping

_ONE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_MAX_DIGITS = 18
"""No file needs more; what is longer is taken for nonsense, and nonsense is ignored."""


class Unsatisfiable(Exception):
    """The part that is wanted begins after the end (416)."""


def wanted(headers: Mapping[str, str], etag: str, size: int) -> tuple[int, int] | None:
    """The part that `Range` asks for, as start and end; None for the whole.

    More than one part, and what cannot be understood, is the whole, as the RFC permits; so is a
    part of something else than `If-Range` names.

    Args:
        headers: of the request, names in lower case.
        etag: strong tag of what there is.
        size: its bytes, at least one.

    Raises:
        Unsatisfiable: there is no such part.
    """
    if headers.get("if-range", etag) != etag:
        return None
    asked = _ONE.fullmatch(headers.get("range", ""))
    if asked is None or max(map(len, asked.groups())) > _MAX_DIGITS:
        return None
    first, last = asked.groups()
    if not first:
        if not last:
            return None
        if int(last) == 0:
            raise Unsatisfiable
        return max(size - int(last), 0), size
    start, end = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end
