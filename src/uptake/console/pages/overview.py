"""The overview: what comes in, whether the server works, what was rejected, what to do next."""

from asyncio import gather
from datetime import datetime
from typing import Any

from uptake.console.charts import spark, timeline
from uptake.console.sessions import READ
from uptake.console.visit import ApiFailed, Page, Visit
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

SHOWN = 5
"""Groups of rejections, those with most open ones."""

LATEST = 10
"""Requests that were sent last."""

MAX_KEYS = 10
"""API keys, those with most requests."""

NAMED_KEYS = 1000
"""API keys of which the names are read."""

DATE = 10


async def show(visit: Visit) -> Page:
    """The state of the server and of the project."""
    service, health, data, traffic, server = await gather(
        visit.get(), _health(visit), _data(visit), _traffic(visit), _server(visit)
    )
    values = {"service": service, "health": health, "data": data}
    return Page("overview.html", {**values, "traffic": traffic, "server": server})


async def _health(visit: Visit) -> str:
    """`ok`, or why requests cannot be served."""
    try:
        return str((await visit.get("health", "ready"))["status"])
    except ApiFailed as error:
        return error.detail


async def _server(visit: Visit) -> dict[str, Any] | None:
    """The checks of the server; None for a session that may not read them."""
    if not visit.session.is_server_operator:
        return None
    server: dict[str, Any] = await visit.get("server")
    return server


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


async def _traffic(visit: Visit) -> dict[str, Any] | None:
    """The requests of the last day; None for a session that may not read them."""
    if not visit.session.can_manage_keys:
        return None
    project, now = visit.session.key.project, clock.now()
    since_hour, since_day = now - MICROSECONDS_PER_HOUR, now - MICROSECONDS_PER_DAY
    times = [{"from_": clock.iso(since), "to": clock.iso(now)} for since in (since_hour, since_day)]
    hour, day, keys, latest = await gather(
        *(visit.get("requests", "counts", project=project, **one) for one in times),
        visit.get("keys", project=project, limit=NAMED_KEYS),
        visit.get("requests", project=project, limit=LATEST),
    )
    names = {one["id"]: one["name"] for one in keys["keys"]}
    return {
        "formats": _rows(hour, day, "formats", {}),
        "keys": _rows(hour, day, "keys", names)[:MAX_KEYS],
        "charts": [_chart("hour", hour, since_hour, now), _chart("day", day, since_day, now)],
        "latest": latest["requests"],
        "since_hour": clock.iso(since_hour),
        "since_day": day["since"],
        "is_complete": day["complete"],
    }


def _rows(
    hour: dict[str, Any], day: dict[str, Any], by: str, names: dict[str, str]
) -> list[dict[str, Any]]:
    """The counts of the day, each with the rates of the hour and of the day."""
    minutes = [_minutes(found) for found in (hour, day)]
    of_hour = {one["name"]: one for one in hour[by]}
    rows = []
    for one in day[by]:
        both = of_hour.get(one["name"]), one
        items = one["accepted"] + one["rejected"]
        rows.append(
            {
                **one,
                "title": names.get(one["name"]) or one["name"],
                "request_rates": _rates(both, minutes, "requests"),
                "item_rates": _rates(both, minutes, "accepted", "rejected"),
                "rejected_share": one["rejected"] / items if items else 0,
            }
        )
    return rows


def _rates(counts: Any, minutes: list[float], *members: str) -> list[float]:
    """The numbers a minute of the hour and of the day."""
    return [
        sum(one[member] for member in members) / length if one else 0.0
        for one, length in zip(counts, minutes, strict=True)
    ]


def _minutes(found: dict[str, Any]) -> float:
    """The length of a counted interval."""
    length = datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"])
    return max(1.0, length.total_seconds() / 60)


def _chart(name: str, found: dict[str, Any], since: int, until: int) -> dict[str, Any]:
    """The requests in parts of an interval, and where items were rejected."""
    begin, end = (datetime.fromisoformat(clock.iso(moment)) for moment in (since, until))
    return {
        "name": name,
        "label": f"Requests in the last {name}: {sum(found['parts']):,}",
        "bars": timeline(found["parts"], begin, end, "requests"),
        "rejected": timeline(found["rejected_parts"], begin, end, "items rejected"),
    }
