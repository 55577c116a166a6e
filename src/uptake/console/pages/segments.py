"""Segments: filters with a count, their users, and exports of their data."""

from typing import Any
from urllib.parse import quote

import msgspec

from uptake.console.visit import ApiFailed, Page, Passed, Redirect, Response, Visit

LIMIT = 200
MEMBERS = 50
PREVIEWED = 10
"""Users that a preview lists below their number."""

KINDS = ("profiles", "samples", "rollups", "documents", "rejections")
FORMATS = ("csv", "ndjson", "parquet")

EXAMPLE = '{"attribute": "plan", "op": "eq", "value": "pro"}'


async def show_all(visit: Visit) -> Page:
    """All segments, and a form for another."""
    return await _all(visit, {"name": "", "filter": EXAMPLE})


async def preview(visit: Visit) -> Page:
    """The users that match the filter of a form: a page that scripts show below the form."""
    values: dict[str, Any] = {"preview": None, "faults": [], "problem": ""}
    try:
        values["preview"] = await _preview(visit)
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        values |= {"faults": error.errors, "problem": error.detail}
    return Page("segment_preview.html", values)


async def create(visit: Visit) -> Response:
    """Store a filter under a new name."""
    form = {"name": visit.form.get("name", ""), "filter": visit.form.get("filter", "")}
    if not form["name"]:
        return await _all(visit, form, "A name is required.")
    try:
        await _put(visit, form["name"])
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _all(visit, form, error.detail)
    return Redirect(f"/segments/{quote(form['name'], safe='')}")


async def show(visit: Visit, name: str) -> Page:
    """A segment: its filter in a form, and its users."""
    return await _one(visit, name)


async def save(visit: Visit, name: str) -> Response:
    """Replace the filter."""
    try:
        await _put(visit, name)
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _one(visit, name, visit.form.get("filter", ""), error.detail)
    return Redirect(f"/segments/{quote(name, safe='')}?saved=1")


async def delete(visit: Visit, name: str) -> Response:
    """Delete the segment, if its name was typed."""
    if visit.form.get("confirm", "") != name:
        return await _one(visit, name, error="Nothing was deleted: the text was not the name.")
    await visit.send("DELETE", "segments", name)
    return Redirect("/segments")


async def export(visit: Visit, name: str) -> Passed:
    """A file with data of the segment's users."""
    kind, form = visit.query.get("kind", ""), visit.query.get("format", "")
    query = {"segment": name, "format": form if form in FORMATS else FORMATS[0]}
    return Passed(("exports", kind if kind in KINDS else KINDS[0]), query)


async def _put(visit: Visit, name: str) -> None:
    content = visit.form.get("filter", "").encode()
    await visit.send("PUT", "segments", name, content=content)


async def _preview(visit: Visit) -> Any:
    content = visit.form.get("filter", "").encode()
    return await visit.send("POST", "segments", "preview", content=content, limit=PREVIEWED)


async def _all(visit: Visit, form: dict[str, str], error: str = "") -> Page:
    found = await visit.get("segments", limit=LIMIT, cursor=visit.query.get("cursor"))
    values = {"found": found, "form": form, "error": error}
    return Page("segments.html", values, 422 if error else 200)


async def _one(visit: Visit, name: str, sent: str = "", error: str = "") -> Page:
    one = await visit.get("segments", name)
    members = await visit.get(
        "segments", name, "users", limit=MEMBERS, cursor=visit.query.get("cursor")
    )
    text = msgspec.json.format(msgspec.json.encode(one["filter"]), indent=2).decode()
    values = {
        "segment": one,
        "members": members,
        "filter": sent or text,
        "kinds": KINDS,
        "formats": FORMATS,
        "error": error,
        "saved": visit.query.get("saved") == "1",
    }
    return Page("segment.html", values, 422 if error else 200)
