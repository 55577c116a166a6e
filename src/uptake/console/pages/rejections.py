"""Rejections: groups of the same fault, one group, one item, and replays."""

from asyncio import to_thread
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from uptake.console.charts import spark
from uptake.console.marked_json import marked_lines
from uptake.console.visit import ApiFailed, Download, Page, Visit
from uptake.model import clock

FILTERS = ("format", "code", "user", "request", "key")
"""Parameters of the API that the pages have too."""

DRY_RUN = "dry_run"
"""The name of the button that tries a replay and stores nothing."""

PAGE_SIZE = 50
AT_ONCE = 100
"""Rejections that one click replays: about a second."""

DOWNLOADED = 500
"""Rejections of a file: each item is read on its own."""

MAX_DOWNLOAD = 16 << 20
"""Bytes of a file, after which no other rejection is added."""

MAX_SHOWN = 64 * 1024
"""Characters of an item that a page shows and lets correct."""

DATE = 10


async def show_groups(visit: Visit) -> Page:
    """All groups, those with most open rejections first."""
    chosen = visit.chosen("format", "user")
    found = await visit.get("rejections", "groups", **chosen)
    today = clock.iso(clock.now())[:DATE]
    groups = [{**one, "spark": spark(one["days"], today)} for one in found["groups"]]
    service = await visit.get()
    endpoints = [one["name"] for one in service["endpoints"]]
    values = {"groups": groups, "found": found, "chosen": chosen, "endpoints": endpoints}
    values["is_filtered"] = any(chosen.values())
    return Page("rejections.html", values)


async def show_group(visit: Visit) -> Page:
    """A page of the rejections of a group, or of a request or user."""
    resolved = visit.query.get("resolved") == "yes"
    found = await _listed(visit, PAGE_SIZE, resolved=resolved)
    return Page("rejection_group.html", {**_group(visit), "found": found, "resolved": resolved})


async def show_one(visit: Visit, rejection_id: str) -> Page:
    """An item with its faults, and a form to correct it."""
    one = await visit.get("rejections", rejection_id)
    return Page("rejection.html", await to_thread(_item, one))


async def replay_one(visit: Visit, rejection_id: str) -> Page:
    """Replay an item, corrected or as it was uploaded; or only try it."""
    one = await visit.get("rejections", rejection_id)
    sent = visit.form.get("item", "")
    shown = await to_thread(_item, one)
    is_same = not sent or sent.replace("\r\n", "\n") == shown["text"]
    content = b"" if is_same else sent.encode()
    dry_run = DRY_RUN in visit.form
    values: dict[str, Any] = {"sent": sent or shown["text"], "dry_run": dry_run}
    try:
        done = await visit.send(
            "POST", "rejections", rejection_id, "replay", content=content, dry_run=dry_run
        )
    except ApiFailed as error:
        if not error.is_of_the_input:
            raise
        return Page("rejection.html", {**shown, **values, "error": error.detail}, error.status)
    if done["outcome"] != "refused":
        form = values if dry_run else {}
        return Page("rejection.html", {**shown, **form, "done": done})
    again = {**one, "faults": done["faults"]}
    if not is_same:
        again |= {"item": _decoded(sent), "raw_base64": None}
    found = await to_thread(_item, again)
    return Page("rejection.html", {**found, **values, "done": done})


async def replay_group(visit: Visit) -> Page:
    """Replay the chosen rejections, or a page of a group; or only try it."""
    ids = [name.removeprefix("id-") for name in visit.form if name.startswith("id-")]
    following = None
    if not ids:
        source = msgspec.structs.replace(visit, query={**visit.query, **visit.form})
        found = await _listed(source, AT_ONCE, resolved=False)
        ids = [one["rejection_id"] for one in found["rejections"]]
        following = found["next"]
    dry_run = DRY_RUN in visit.form
    replays = [
        await visit.send("POST", "rejections", one, "replay", dry_run=dry_run)
        for one in ids[:AT_ONCE]
    ]
    accepted = sum(one["outcome"] != "refused" for one in replays)
    values = {
        "replays": replays,
        "accepted": accepted,
        "passing": [one["rejection_id"] for one in replays if one["outcome"] == "accepted"],
        "next": following,
        "dry_run": dry_run,
    }
    return Page("replays.html", {**_group(visit), **values})


async def download(visit: Visit) -> Download:
    """The rejections of a group with their items, one JSON object in each line."""
    found = await _listed(visit, DOWNLOADED, resolved=False)
    content = bytearray()
    for one in found["rejections"]:
        item = await visit.get("rejections", one["rejection_id"])
        content += await to_thread(msgspec.json.encode, item) + b"\n"
        if len(content) > MAX_DOWNLOAD:
            break
    return Download(bytes(content), "application/x-ndjson", "rejections.ndjson")


async def _listed(visit: Visit, limit: int, *, resolved: bool) -> dict[str, Any]:
    """A page of rejections that match the query of the visit."""
    cursor = visit.query.get("cursor")
    found: dict[str, Any] = await visit.get(
        "rejections", limit=limit, cursor=cursor, resolved=resolved, **visit.chosen(*FILTERS)
    )
    place = visit.query.get("place")
    if place:
        code = visit.query.get("code")
        found["rejections"] = [
            one for one in found["rejections"] if _has_fault(one["faults"], code, place)
        ]
    return found


def _has_fault(faults: list[dict[str, Any]], code: str | None, place: str) -> bool:
    return any(code in {None, one["code"]} and place == place_text(one["place"]) for one in faults)


def place_text(place: list[Any]) -> str:
    """The place of a fault as groups have it."""
    return "".join(f"/{'*' if isinstance(part, int) else part}" for part in place)


def _group(visit: Visit) -> dict[str, Any]:
    """What identifies a group in links and forms."""
    chosen = visit.chosen(*FILTERS, "place")
    sent = {name: value for name, value in chosen.items() if value}
    return {"chosen": chosen, "chosen_query": urlencode(sent)}


def _item(one: Mapping[str, Any]) -> dict[str, Any]:
    """A rejection with its item as text and, if it is JSON, as lines with the faults.

    It runs in a thread, because an item may be large.
    """
    lines, is_text = [], True
    if one["raw_base64"] is None:
        text = msgspec.json.format(msgspec.json.encode(one["item"]), indent=2).decode()
        lines = marked_lines(one["item"], one["faults"]) if len(text) <= MAX_SHOWN else []
    else:
        text, is_text = item_text(one["raw_base64"])
    return {
        "rejection": one,
        "lines": lines,
        "text": text[:MAX_SHOWN],
        "sent": None,
        "can_edit": is_text and len(text) <= MAX_SHOWN,
        "done": None,
        "dry_run": False,
        "error": None,
    }


def item_text(raw_base64: str) -> tuple[str, bool]:
    """The text of an item that is not JSON, and whether it is text."""
    raw = b64decode(raw_base64)
    return raw.decode("utf-8", "replace"), _is_text(raw)


def _is_text(raw: bytes) -> bool:
    try:
        return raw.decode().isprintable() or b"\0" not in raw
    except UnicodeDecodeError:
        return False


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
