"""API keys and projects: created, rotated and revoked."""

from collections.abc import Mapping
from typing import Any

import msgspec

from uptake.console.sessions import OPERATOR
from uptake.console.visit import ApiFailed, Page, Redirect, Response, Visit

LIMIT = 200
OVERLAPS = ("24h", "1h", "7d", "0s")
"""How long a replaced secret stays valid; the first is chosen by default."""

EMPTY: dict[str, Any] = {"name": "", "scopes": [], "user": "", "rates": "", "expires_at": ""}


async def show_all(visit: Visit) -> Page:
    """The keys of the project, and forms for another key and another project."""
    return await _all(visit, EMPTY)


async def create(visit: Visit) -> Response:
    """Create a key; the page shows its secret, which is nowhere else."""
    form = visit.form
    scopes = [name.removeprefix("scope-") for name in form if name.startswith("scope-")]
    typed = {name: form.get(name, "").strip() for name in ("name", "user", "rates", "expires_at")}
    wanted: dict[str, Any] = {"scopes": scopes, "project": visit.session.key.project}
    wanted |= {name: typed[name] for name in ("name", "user", "expires_at") if typed[name]}
    wanted["rates"] = [one.strip() for one in typed["rates"].split(",") if one.strip()]
    try:
        made = await visit.send("POST", "keys", content=msgspec.json.encode(wanted))
    except ApiFailed as error:
        if error.status not in {400, 403}:
            raise
        return await _all(visit, {**typed, "scopes": scopes}, error.detail)
    return Page("key_secret.html", {"made": made, "overlap": None})


async def show(visit: Visit, key_id: str) -> Page:
    """A key, and forms to rotate and revoke it."""
    return await _one(visit, key_id)


async def rotate(visit: Visit, key_id: str) -> Response:
    """Replace the secret; the page shows the new one."""
    overlap = visit.form.get("overlap", OVERLAPS[0])
    content = msgspec.json.encode({"overlap": overlap})
    made = await visit.send("POST", "keys", key_id, "rotate", content=content)
    return Page("key_secret.html", {"made": made, "overlap": overlap})


async def revoke(visit: Visit, key_id: str) -> Response:
    """Revoke a key, if the box is checked."""
    if visit.form.get("confirm") != "yes":
        return await _one(visit, key_id, "Nothing was revoked: the box was not checked.")
    await visit.send("DELETE", "keys", key_id)
    return Redirect(f"/keys/{key_id}")


async def create_project(visit: Visit) -> Response:
    """Create a project."""
    name = visit.form.get("project_name", "").strip()
    try:
        await visit.send("POST", "projects", content=msgspec.json.encode({"name": name}))
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return await _all(visit, EMPTY, error.detail)
    return Redirect("/keys")


async def _all(visit: Visit, form: Mapping[str, Any], error: str = "") -> Page:
    key = visit.session.key
    found = await visit.get(
        "keys", project=key.project, limit=LIMIT, cursor=visit.query.get("cursor")
    )
    service = await visit.get()
    uploads = sorted({one["scope"] for one in service["endpoints"]})
    values = {
        "found": found,
        "form": form,
        "scopes": [*uploads, *(one for one in key.scopes if one not in uploads)],
        "is_operator": OPERATOR in key.scopes,
        "error": error,
    }
    return Page("keys.html", values, 422 if error else 200)


async def _one(visit: Visit, key_id: str, error: str = "") -> Page:
    one = await visit.get("keys", key_id)
    values = {"key": one, "overlaps": OVERLAPS, "error": error}
    return Page("key.html", values, 422 if error else 200)
