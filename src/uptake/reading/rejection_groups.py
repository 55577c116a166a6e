"""Rejections in groups of the same fault: the endpoint, the code and the place."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from uptake.model import clock
from uptake.model.submission import Fault
from uptake.store.rejection_ports import RejectionSummaries, RejectionSummary
from uptake.store.stored import RejectionFilter
from uptake.time_units import MICROSECONDS_PER_DAY

MAX_EXAMINED = 5000
"""Rejections that are counted: reading them takes 15 ms, a third of the page that shows them."""

MAX_GROUPS = 1000
"""Groups that are returned. Names in documents, which are part of places, are chosen by clients."""

DATE = 10
"""Characters of a date in an RFC 3339 time."""


class RejectionGroup(Struct, frozen=True):
    """Rejections with the same fault.

    Attributes:
        format: the endpoint.
        code: of the fault.
        place: of the fault in the item: names after slashes, `*` for a position in a list; empty
            for the item as a whole.
        message: of the fault in the newest of the rejections.
        open: the number of rejections that were not replayed.
        resolved: the number of those that were.
        first_received, last_received: RFC 3339.
        days: the number of rejections by day of receipt (UTC).
    """

    format: str
    code: str
    place: str
    message: str
    open: int
    resolved: int
    first_received: str
    last_received: str
    days: dict[str, int]


class RejectionGroups(Struct, frozen=True):
    """Groups in descending order of open rejections.

    Attributes:
        groups: a rejection with several faults is in several.
        examined: the number of rejections that were counted, the newest ones.
        complete: whether there are no others.
    """

    groups: list[RejectionGroup]
    examined: int
    complete: bool


def place_text(fault: Fault) -> str:
    """Return the place of a fault without the positions in lists."""
    return "".join(f"/{'*' if isinstance(part, int) else part}" for part in fault.place)


@dataclass(slots=True)
class _Group:
    message: str
    last: int
    first: int = 0
    states: dict[str, bool] = field(default_factory=dict)
    days: Counter[int] = field(default_factory=Counter)


def groups(store: RejectionSummaries, project: str, only: RejectionFilter) -> RejectionGroups:
    """Return the groups of a project's latest rejections."""
    found = store.rejection_summaries(project, only, MAX_EXAMINED + 1)
    counted = found[:MAX_EXAMINED]
    made: dict[tuple[str, str, str], _Group] = {}
    # Equal faults are one object (`rejection_summaries`), so their groups are found once.
    known: dict[tuple[str, int], list[_Group]] = {}
    for one in counted:
        at = one.format, id(one.faults)
        if at not in known:
            known[at] = list(_groups_of(one, made))
        day = one.received_at // MICROSECONDS_PER_DAY
        for group in known[at]:
            if one.rejection_id not in group.states:
                group.states[one.rejection_id] = one.is_resolved
                group.first = one.received_at
                group.days[day] += 1
    views = [_view(*at, group) for at, group in made.items()]
    views.sort(key=lambda group: (-group.open, -group.resolved, group.format, group.code))
    return RejectionGroups(
        views[:MAX_GROUPS],
        len({one.rejection_id for one in counted}),
        complete=len(found) <= MAX_EXAMINED and len(views) <= MAX_GROUPS,
    )


def _groups_of(one: RejectionSummary, made: dict[tuple[str, str, str], _Group]) -> Iterator[_Group]:
    """The groups of a rejection, each once; new ones begin with it."""
    places = {(fault.code, place_text(fault)): fault for fault in reversed(one.faults)}
    for (code, place), fault in places.items():
        first = _Group(fault.message, one.received_at)
        yield made.setdefault((one.format, code, place), first)


def _view(format_: str, code: str, place: str, group: _Group) -> RejectionGroup:
    resolved = sum(group.states.values())
    return RejectionGroup(
        format_,
        code,
        place,
        group.message,
        len(group.states) - resolved,
        resolved,
        clock.iso(group.first),
        clock.iso(group.last),
        {
            clock.iso(day * MICROSECONDS_PER_DAY)[:DATE]: count
            for day, count in sorted(group.days.items())
        },
    )
