"""Requests: a list with filters, the newest first, and what became of one."""

from asyncio import gather, to_thread
from typing import Any

import msgspec
from msgspec.structs import replace

from uptake.console.pages.rejections import MAX_SHOWN, item_text
from uptake.console.snippets import UPLOADS, Target, curl
from uptake.console.visit import ApiFailed, Page, Visit

PAGE_SIZE = 100
FILTERS = ("format", "status", "key", "user", "from", "to")

ITEMS = 200
"""Items of a request that a page lists."""


async def show(visit: Visit) -> Page:
    """A page of the requests of the project that match the filters."""
    found, chosen, error = await visit.filtered("requests", "requests", FILTERS, PAGE_SIZE)
    service = await visit.get()
    values = {
        "found": found,
        "chosen": chosen,
        "chosen_query": {name: value for name, value in chosen.items() if value},
        "endpoints": [one["name"] for one in service["endpoints"]],
        "error": error,
    }
    return Page("requests.html", values, 422 if error else 200)


async def show_one(visit: Visit, request_id: str) -> Page:
    """The receipt of a request: the outcome of every item, and a command that repeats it."""
    receipt = await visit.get("requests", request_id)
    commands = await gather(*(_command(visit, one) for one in receipt["submissions"]))
    return Page("request.html", {"receipt": receipt, "commands": commands, "limit": ITEMS})


async def _command(visit: Visit, submission: dict[str, Any]) -> dict[str, Any] | None:
    """A command that repeats a request; with its body if that is stored as it was sent."""
    upload = UPLOADS.get(submission["format"])
    if upload is None:
        return None
    target = Target(visit.origin, user=submission["user_id"] or "USER")
    whole = [one for one in submission["rejected"] if one["index"] is None]
    documents = [one["upload_id"] for one in submission["items"] if "upload_id" in one]
    body = None
    try:
        if len(whole) == 1:
            body = await to_thread(_body, await visit.get("rejections", whole[0]["rejection_id"]))
        elif len(documents) == 1:
            one = await visit.get("documents", documents[0])
            target = replace(target, type=one["type"])
            body = await to_thread(_document, one)
    except ApiFailed as error:
        # A document that was deleted, or a key that may not read data.
        if error.status not in {403, 404}:
            raise
    return {"text": curl(upload, target, body), "has_body": body is not None}


def _document(one: dict[str, Any]) -> str | None:
    """The body of a document."""
    body = {"user": {"userLabel": one["user_id"]}, "data": one["data"]}
    return _short(msgspec.json.encode(body))


def _short(encoded: bytes) -> str | None:
    text = msgspec.json.format(encoded, indent=2).decode()
    return text if len(text) <= MAX_SHOWN else None


def _body(rejection: dict[str, Any]) -> str | None:
    """The body of a rejected request, if a page can show it."""
    if rejection["raw_base64"] is None:
        return _short(msgspec.json.encode(rejection["item"]))
    text, is_text = item_text(rejection["raw_base64"])
    return text if is_text and len(text) <= MAX_SHOWN else None
