"""Document types: schemas, their versions and differences, and dry runs on stored documents."""

import difflib
from asyncio import gather, to_thread
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from uptake.console.visit import ApiFailed, Page, Redirect, Response, Visit

LIMIT = 200
"""Types and versions of a page."""

MAX_SHOWN = 64 * 1024
"""Characters of a schema that a page shows and lets change."""

ANY = "true"
"""The schema that accepts every object."""


class DiffLine(Struct, frozen=True):
    """A line of a difference: `added`, `removed`, `place` or `same`."""

    kind: str
    text: str


_KINDS = {"+": "added", "-": "removed", "@": "place"}


async def show_all(visit: Visit) -> Page:
    """All types, and a form for another."""
    return await _all(visit, {"name": "", "schema": ANY, "error": None})


async def register(visit: Visit) -> Response:
    """Register a type, and show it."""
    name, schema = visit.form.get("name", ""), visit.form.get("schema", "")
    try:
        if not name:
            return await _all(visit, {"name": "", "schema": schema, "error": "A name is required."})
        await visit.send("PUT", "document-types", name, content=schema.encode())
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _all(visit, {"name": name, "schema": schema, "error": error.detail})
    return Redirect(f"/types/{quote(name, safe='')}")


async def show(visit: Visit, name: str) -> Page:
    """A type: its schema in a form, its versions, and the difference of two."""
    return await _one(visit, name)


async def save(visit: Visit, name: str) -> Response:
    """Change the schema, which becomes a new version if it differs."""
    schema = visit.form.get("schema", "")
    try:
        await visit.send("PUT", "document-types", name, content=schema.encode())
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _one(visit, name, schema=schema, error=error.detail)
    return Redirect(f"/types/{quote(name, safe='')}?saved=1")


async def dry_run(visit: Visit, name: str) -> Page:
    """Try the schema of the form on stored documents, and change nothing."""
    schema, cursor = visit.form.get("schema", ""), visit.form.get("cursor")
    try:
        trial = await visit.send(
            "POST", "document-types", name, "dry-run", content=schema.encode(), cursor=cursor
        )
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _one(visit, name, schema=schema, error=error.detail)
    return await _one(visit, name, schema=schema, trial=trial)


async def _all(visit: Visit, form: dict[str, Any]) -> Page:
    found = await visit.get("document-types", limit=LIMIT, cursor=visit.query.get("cursor"))
    status = 422 if form["error"] else 200
    return Page("types.html", {"found": found, "form": form, "error": form["error"]}, status)


async def _one(
    visit: Visit, name: str, *, schema: str = "", error: str = "", trial: Any = None
) -> Page:
    one, versions = await gather(
        visit.get("document-types", name),
        visit.get("document-types", name, "versions", limit=LIMIT),
    )
    found = versions["versions"]
    numbers = [version["version"] for version in found]
    newer = _number(visit.query.get("to"), numbers)
    older = _number(visit.query.get("from"), numbers)
    difference = None
    if newer is not None and older is not None:
        schemas = {version["version"]: _text(version["schema"]) for version in found}
        difference = await to_thread(_difference, schemas[older], schemas[newer])
    current = _text(one["schema"])
    values = {
        "type": one,
        "versions": [{**version, "before": before} for version, before in _with_before(found)],
        "schema": schema or current,
        "can_edit": len(current) <= MAX_SHOWN,
        "difference": difference,
        "older": older,
        "newer": newer,
        "trial": trial,
        "error": error,
        "saved": visit.query.get("saved") == "1",
    }
    return Page("type.html", values, 422 if error else 200)


def _with_before(versions: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int | None]]:
    """The versions, the newest first, each with the number of the one before it."""
    before = [None, *(version["version"] for version in versions)]
    return list(zip(versions, before, strict=False))[::-1]


def _number(text: str | None, known: list[int]) -> int | None:
    return next((number for number in known if str(number) == text), None)


def _text(schema: Any) -> str:
    if schema is None:
        return ANY
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()


def _difference(before: str, after: str) -> list[DiffLine]:
    lines = difflib.unified_diff(
        before[:MAX_SHOWN].splitlines(), after[:MAX_SHOWN].splitlines(), lineterm=""
    )
    return [DiffLine(_KINDS.get(line[:1], "same"), line) for line in list(lines)[2:]]
