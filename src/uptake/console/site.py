"""The pages of the console: their paths, and the functions that make them."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from uptake.console.pages import (
    audit,
    keys,
    live,
    overview,
    rejections,
    requests,
    retention,
    segments,
    settings,
    setup,
    types,
    users,
)
from uptake.console.sessions import Session
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
    """An entry of the navigation.

    Attributes:
        name: as it is shown.
        path: of its first page, below `ROOT`.
        is_for: whether a session may see it.
    """

    name: str
    path: str
    is_for: Callable[[Session], bool] = lambda _session: True


ROUTES = (
    Route("GET", "", overview.show),
    Route("GET", "/rejections", rejections.show_groups),
    Route("GET", "/rejections/list", rejections.show_group),
    Route("GET", "/rejections/download", rejections.download),
    Route("POST", "/rejections/replay", rejections.replay_group),
    Route("GET", "/rejections/{rejection_id}", rejections.show_one),
    Route("POST", "/rejections/{rejection_id}/replay", rejections.replay_one),
    Route("GET", "/live", live.show),
    Route("GET", "/live/stream", live.stream),
    Route("GET", "/requests", requests.show),
    Route("GET", "/requests/{request_id}", requests.show_one),
    Route("GET", "/setup", setup.show),
    Route("POST", "/setup", setup.create_key),
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
    Route("GET", "/retention", retention.show),
    Route("POST", "/retention", retention.save),
    Route("GET", "/keys", keys.show_all),
    Route("POST", "/keys", keys.create),
    Route("GET", "/keys/{key_id}", keys.show),
    Route("POST", "/keys/{key_id}/rotate", keys.rotate),
    Route("POST", "/keys/{key_id}/revoke", keys.revoke),
    Route("POST", "/projects", keys.create_project),
    Route("GET", "/audit", audit.show),
    Route("GET", "/settings", settings.show),
)

SECTIONS = (
    Section("Overview", ""),
    Section("Live", "/live", lambda session: session.can_manage_keys),
    Section("Rejections", "/rejections"),
    Section("Users", "/users"),
    Section("Document types", "/types"),
    Section("Segments", "/segments"),
    Section("Retention", "/retention", lambda session: session.can_change),
    Section("API keys", "/keys", lambda session: session.can_manage_keys),
    Section("Audit log", "/audit", lambda session: session.can_manage_keys),
    Section("Settings", "/settings", lambda session: session.is_server_operator),
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


def frame(path: str, session: Session | None) -> dict[str, Any]:
    """The values that each page needs for its navigation."""
    shown = [one for one in SECTIONS if session is not None and one.is_for(session)]
    return {"sections": shown, "current": section_of(path)}
