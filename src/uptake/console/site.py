"""The pages of the console: their paths, and the functions that make them."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from uptake.console.pages import overview, rejections, users
from uptake.console.visit import ROOT, Response

Make = Callable[..., Awaitable[Response]]
"""Makes a page from a `Visit` and the parameters of its path."""


class Route(Struct, frozen=True):
    """A page.

    Attributes:
        method: GET, or POST for a change.
        path: below `ROOT`; a part in braces is a parameter.
        make: makes the response.
    """

    method: str
    path: str
    make: Make


class Section(Struct, frozen=True):
    """An entry of the navigation."""

    name: str
    path: str


ROUTES = (
    Route("GET", "", overview.show),
    Route("GET", "/rejections", rejections.show_groups),
    Route("GET", "/rejections/list", rejections.show_group),
    Route("GET", "/rejections/download", rejections.download),
    Route("POST", "/rejections/replay", rejections.replay_group),
    Route("GET", "/rejections/{rejection_id}", rejections.show_one),
    Route("POST", "/rejections/{rejection_id}/replay", rejections.replay_one),
    Route("GET", "/requests/{request_id}", rejections.show_request),
    Route("GET", "/users", users.search),
    Route("GET", "/users/{user_id}", users.show),
    Route("GET", "/users/{user_id}/archive", users.archive),
    Route("POST", "/users/{user_id}/erase", users.erase),
    Route("GET", "/erasures/{erasure_id}", users.show_erasure),
)

SECTIONS = (
    Section("Overview", ""),
    Section("Rejections", "/rejections"),
    Section("Users", "/users"),
)


def section_of(path: str) -> Section | None:
    """The section that a path below the base is in."""
    below = path.removeprefix(ROOT)
    matching = [
        section
        for section in SECTIONS
        if below == section.path or (section.path and below.startswith(f"{section.path}/"))
    ]
    return matching[0] if matching else None


def frame(path: str) -> dict[str, Any]:
    """The values that each page needs for its navigation."""
    return {"sections": SECTIONS, "section": section_of(path)}
