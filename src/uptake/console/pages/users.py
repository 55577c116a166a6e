"""Users: a search, the data of one user with charts, archive and erasure."""

from asyncio import gather, to_thread
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from uptake.console.charts import bar_chart, range_chart
from uptake.console.visit import ApiFailed, Page, Passed, Redirect, Response, Visit

PAGE_SIZE = 100
IMAGES = 24
DOCUMENTS = 20

SHOWN = 4000
"""Characters of a document that a page shows: 20 documents fit into it."""

DATE = 10
DEFAULT_DAYS = 30
"""Days of a chart before the last sample, if the query names no range."""

MAX_BARS = 400
"""Buckets of a chart: more are too narrow to see."""

STEPS, HEART_RATE = "steps", "bpm"


async def search(visit: Visit) -> Response:
    """A page of users with an id that starts with a text."""
    chosen = visit.chosen("prefix")
    found = await visit.get("users", limit=PAGE_SIZE, cursor=visit.query.get("cursor"), **chosen)
    return Page("users.html", {"found": found, "chosen": chosen})


async def show(visit: Visit, user_id: str) -> Page:
    """Everything about a user."""
    profile = await visit.get("users", user_id)
    begin, end = _range(visit, profile["samples"])
    steps, rates, images, documents, devices = await gather(
        _chart(visit, user_id, STEPS, begin, end),
        _chart(visit, user_id, HEART_RATE, begin, end),
        visit.get("users", user_id, "images", limit=IMAGES),
        visit.get("users", user_id, "documents", limit=DOCUMENTS, cursor=visit.query.get("cursor")),
        _devices(visit, user_id, list(profile["samples"])),
    )
    values = {
        "profile": profile,
        "begin": begin,
        "end": end,
        "steps": steps,
        "rates": rates,
        "images": [{**one, "path": urlsplit(one["url"]).path} for one in images["images"]],
        "more_images": images["next"] is not None,
        "documents": await to_thread(_documents, documents["documents"]),
        "more_documents": documents["next"],
        "devices": devices,
        "confirmed": None,
    }
    return Page("user.html", values)


async def archive(_visit: Visit, user_id: str) -> Passed:
    """A zip file with everything about a user."""
    return Passed(("users", user_id, "archive"))


async def erase(visit: Visit, user_id: str) -> Response:
    """Erase a user, if the id was typed."""
    typed = visit.form.get("confirm", "")
    if typed != user_id:
        page = await show(visit, user_id)
        return msgspec.structs.replace(page, values={**page.values, "confirmed": typed}, status=422)
    receipt = await visit.send("DELETE", "users", user_id)
    return Redirect(f"/erasures/{receipt['erasure_id']}")


async def show_erasure(visit: Visit, erasure_id: str) -> Page:
    """The receipt of an erasure."""
    return Page("erasure.html", {"receipt": await visit.get("erasures", erasure_id)})


def _range(visit: Visit, samples: dict[str, Any]) -> tuple[str, str]:
    """The first and the last day of the charts: of the query, else the last days with samples."""
    last = _date(max((one["last"][:DATE] for one in samples.values()), default=""))
    first = _date(min((one["first"][:DATE] for one in samples.values()), default=""))
    end = _date(visit.query.get("to")) or last or date.min
    begin = _date(visit.query.get("from")) or max(
        _earlier(end, DEFAULT_DAYS - 1), min(first or end, end)
    )
    return min(begin, end).isoformat(), end.isoformat()


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _earlier(end: date, days: int) -> date:
    return end - timedelta(days=min(days, (end - date.min).days))


def _every(begin: str, end: str) -> str:
    """The length of buckets with which a chart has few enough bars."""
    days = (date.fromisoformat(end) - date.fromisoformat(begin)).days + 1
    limits = (("hour", 7), ("day", MAX_BARS), ("week", 7 * MAX_BARS))
    return next((every for every, most in limits if days <= most), "month")


async def _chart(
    visit: Visit, user_id: str, metric: str, begin: str, end: str
) -> dict[str, Any] | None:
    """A chart of a metric, and the part of each device; None without samples in the range."""
    every = _every(begin, end)
    until = date.fromisoformat(end)
    after = until + timedelta(days=1) if until < date.max else until
    query = {"metric": metric, "every": every, "from_": begin, "to": after.isoformat()}
    try:
        found = await visit.get(
            "users", user_id, "rollups", explain=True, limit=24 * MAX_BARS, **query
        )
    except ApiFailed as error:
        # A range of dates that the API does not have, or too many devices: the page shows why.
        if error.status not in {400, 413, 422}:
            raise
        return {"chart": None, "problem": error.detail, "devices": [], "every": every}
    buckets = found["buckets"]
    if not buckets:
        return None
    make = bar_chart if metric == STEPS else range_chart
    chart = make(buckets, every, begin, end)
    return {"chart": chart, "problem": "", "devices": _shares(buckets, metric), "every": every}


def _shares(buckets: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """What each device contributes to the buckets."""
    shares: dict[str, dict[str, Any]] = {}
    for bucket in buckets:
        for one in bucket["devices"]:
            name = one["device_name"]
            share = shares.setdefault(name, {"name": name, "count": 0, "sum": 0.0, "left_out": 0.0})
            share["count"] += one["count"]
            if metric == STEPS:
                share["sum"] += one["sum"]
                share["left_out"] += one["left_out"]
            else:
                share["min"] = min(share.get("min", one["min"]), one["min"])
                share["max"] = max(share.get("max", one["max"]), one["max"])
    return sorted(shares.values(), key=lambda share: (-share["sum"], -share["count"]))


async def _devices(visit: Visit, user_id: str, metrics: list[str]) -> list[dict[str, Any]]:
    """The devices of each metric, with the number and the times of their samples."""
    answers = await gather(
        *(visit.get("users", user_id, "sync", metric=metric, limit=1) for metric in metrics)
    )
    return [
        {"metric": metric, **device}
        for metric, found in zip(metrics, answers, strict=True)
        for device in found["devices"]
    ]


def _documents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents with the start of their text; in a thread, because they may be large."""
    shown = []
    for one in found:
        text = msgspec.json.format(msgspec.json.encode(one["data"]), indent=2).decode()
        shown.append({**one, "text": text[:SHOWN], "is_cut": len(text) > SHOWN})
    return shown
