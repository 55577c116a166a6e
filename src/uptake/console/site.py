"""The pages of the console: their paths, and the functions that make them."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from uptake.console.pages import overview, rejections, segments, types, users
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
    Route("GET", "/types", types.show_all),
    Route("POST", "/types", types.register),
    Route("GET", "/types/{name}", types.show),
    Route("POST", "/types/{name}", types.save),
    Route("POST", "/types/{name}/dry-run", types.dry_run),
    Route("GET", "/segments", segments.show_all),
    Route("POST", "/segments", segments.create),
    Route("POST", "/segments/preview", segments.preview),
    Route("GET", "/segments/{name}", segments.show),
    Route("POST", "/segments/{name}", segments.save),
    Route("POST", "/segments/{name}/delete", segments.delete),
    Route("GET", "/segments/{name}/export", segments.export),
)

SECTIONS = (
    Section("Overview", ""),
    Section("Rejections", "/rejections"),
    Section("Users", "/users"),
    Section("Document types", "/types"),
    Section("Segments", "/segments"),
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
    return {"sections": SECTIONS, "current": section_of(path)}
