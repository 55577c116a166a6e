"""Set up a client: an endpoint, an API key, a program that sends to it, and its first request."""

from asyncio import gather
from typing import Any

import msgspec

from uptake.console.snippets import KEY, UPLOADS, Target, snippets
from uptake.console.visit import ApiFailed, Page, Visit
from uptake.model import clock

DEFAULT = "gerosense-v2.2"
DATE = 10


async def show(visit: Visit) -> Page:
    """The endpoints, and programs without a key."""
    return await _page(visit, visit.query)


async def create_key(visit: Visit) -> Page:
    """The same with a new key. Its secret is in the programs, and nowhere else."""
    name = visit.form.get("endpoint", DEFAULT)
    service = await visit.get()
    scopes = [one["scope"] for one in service["endpoints"] if one["name"] == name]
    wanted: dict[str, Any] = {"scopes": scopes, "project": visit.session.key.project}
    wanted["name"] = visit.form.get("name", "").strip() or f"client of {name}"
    if name in UPLOADS and UPLOADS[name].needs_user:
        wanted["user"] = visit.form.get("user", "").strip() or UPLOADS[name].user
    try:
        made = await visit.send("POST", "keys", content=msgspec.json.encode(wanted))
    except ApiFailed as error:
        if error.status not in {400, 403}:
            raise
        return await _page(visit, visit.form, error=error.detail)
    return await _page(visit, visit.form, made)


async def _page(
    visit: Visit, chosen: dict[str, str], made: dict[str, Any] | None = None, error: str = ""
) -> Page:
    service, types = await gather(visit.get(), _types(visit))
    endpoints = [one for one in service["endpoints"] if one["name"] in UPLOADS]
    name = chosen.get("endpoint", DEFAULT)
    if name not in UPLOADS:
        name = DEFAULT
    upload = UPLOADS[name]
    kind = chosen.get("type", "")
    if kind not in types:
        kind = types[0] if types else ""
    target = Target(
        visit.origin,
        KEY if made is None else made["key"],
        type=kind or "TYPE",
        day=clock.iso(clock.now())[:DATE],
    )
    values = {
        "endpoints": endpoints,
        "endpoint": name,
        "upload": upload,
        "types": types,
        "type": kind,
        "made": made,
        "keys": {} if made is None else {made["id"]: made["name"]},
        "snippets": snippets(upload, target),
        "form": {"name": chosen.get("name", ""), "user": chosen.get("user", "")},
        "error": error,
    }
    return Page("setup.html", values, 422 if error else 200)


async def _types(visit: Visit) -> list[str]:
    """The names of the document types, if the session may read them."""
    try:
        found = await visit.get("document-types", limit=1000)
    except ApiFailed as error:
        if error.status != 403:
            raise
        return []
    return [one["name"] for one in found["types"]]
