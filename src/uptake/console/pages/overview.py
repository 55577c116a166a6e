"""The overview: whether the server works, what was rejected, and what to do next."""

from asyncio import gather
from typing import Any

from uptake.console.charts import spark
from uptake.console.sessions import READ
from uptake.console.visit import ApiFailed, Page, Visit
from uptake.model import clock

SHOWN = 5
"""Groups of rejections, those with most open ones."""

DATE = 10


async def show(visit: Visit) -> Page:
    """The state of the server and of the project."""
    service, health, data = await gather(visit.get(), _health(visit), _data(visit))
    return Page("overview.html", {"service": service, "health": health, "data": data})


async def _health(visit: Visit) -> str:
    """`ok`, or why requests cannot be served."""
    try:
        return str((await visit.get("health", "ready"))["status"])
    except ApiFailed as error:
        return error.detail


async def _data(visit: Visit) -> dict[str, Any] | None:
    """What the project has; None for a key that may not read it."""
    if READ not in visit.session.key.scopes:
        return None
    rejections, users, types, segments = await gather(
        visit.get("rejections", "groups"),
        visit.get("users", limit=1),
        visit.get("document-types", limit=1000),
        visit.get("segments", limit=1000),
    )
    today = clock.iso(clock.now())[:DATE]
    groups = [
        {**one, "spark": spark(one["days"], today)}
        for one in rejections["groups"][:SHOWN]
        if one["open"]
    ]
    return {
        "groups": groups,
        "open": sum(one["open"] for one in rejections["groups"]),
        "has_users": bool(users["users"]),
        "types": len(types["types"]),
        "segments": len(segments["segments"]),
    }
