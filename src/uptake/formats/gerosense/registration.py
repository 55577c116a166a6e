"""Decodes Gerosense's registration of a user into two attributes."""

from collections.abc import Callable

from uptake.formats.base import WireRequest
from uptake.formats.gerosense.decode import (
    Members,
    find_v1_1,
    read_members,
    read_text,
    read_user_id,
    read_value,
)
from uptake.formats.gerosense.wire import MIN_YEAR_OF_BIRTH, SEXES
from uptake.formats.user_search import users_named
from uptake.model.items import Attributes
from uptake.model.submission import Fault, Owners, Submission, rejected

SEX, YEAR = NAMES = ("biological_sex", "year_of_birth")

_YEAR_MICROSECONDS = 31_556_952_000_000
"""A mean Gregorian year."""


def find_v2_2(request: WireRequest) -> Owners:
    """The users that the body names, whatever the JSON type of `id` is."""
    return users_named(request.body, "id")


def decode_v1_1(request: WireRequest) -> Submission:
    """Returns the attributes of the user that the API key is bound to."""
    return _decode(request, request.bound_user or "", find_v1_1)


def decode_v2_2(request: WireRequest) -> Submission:
    """Returns the attributes of the user that the request names."""
    return _decode(request, None, find_v2_2)


def _decode(
    request: WireRequest, bound_user: str | None, find: Callable[[WireRequest], Owners]
) -> Submission:
    members = read_members(request.body)
    if isinstance(members, Fault):
        return rejected([members], request.body, find(request))
    faults: list[Fault] = []
    user_id = bound_user if bound_user is not None else read_user_id(members, "id", faults)
    values = _sex(members, faults), _year(members, request.received_at, faults)
    if faults:
        return rejected(faults, request.body, find(request))
    return Submission(
        (Attributes(user_id, NAMES, values),), raw=request.body, find_users=lambda _: find(request)
    )


def _sex(members: Members, faults: list[Fault]) -> str:
    sex = read_text(members, SEX, faults)
    if sex is not None and sex not in SEXES:
        message = f"{SEX} must be {' or '.join(SEXES)}"
        faults.append(Fault("unknown_biological_sex", message, (SEX,)))
    return sex or ""


def _year(members: Members, now: int, faults: list[Fault]) -> str:
    if YEAR not in members:
        faults.append(Fault("missing", f"{YEAR} is missing", (YEAR,)))
        return ""
    year = read_value(members, YEAR)
    this_year = 1970 + now // _YEAR_MICROSECONDS
    if not isinstance(year, int) or isinstance(year, bool):
        faults.append(Fault("wrong_type", f"{YEAR} must be an integer", (YEAR,)))
        return ""
    if year < MIN_YEAR_OF_BIRTH:
        faults.append(Fault("below_limit", f"{YEAR} must be at least {MIN_YEAR_OF_BIRTH}", (YEAR,)))
    elif year > this_year:
        faults.append(Fault("above_limit", f"{YEAR} must be at most {this_year}", (YEAR,)))
    return str(year) if MIN_YEAR_OF_BIRTH <= year <= this_year else ""
