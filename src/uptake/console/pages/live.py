"""Requests as they come."""

from uptake.console.visit import Page, Passed, Visit

SHOWN = 100
"""Requests of a page; scripts add new ones up to twice as many."""

KEYS = 200
FILTERS = ("format", "status", "key", "user")


async def show(visit: Visit) -> Page:
    """The last requests, to which scripts add new ones."""
    found, form, error = await visit.filtered("requests", "requests", FILTERS, SHOWN)
    keys = await visit.get("keys", project=visit.session.key.project, limit=KEYS)
    service = await visit.get()
    values = {
        "found": found,
        "form": form,
        "chosen": {name: value for name, value in form.items() if value},
        "error": error,
        "endpoints": [one["name"] for one in service["endpoints"]],
        "keys": {one["id"]: one["name"] or f"...{one['id'][-8:]}" for one in keys["keys"]},
    }
    return Page("live.html", values, 422 if error else 200)


async def stream(visit: Visit) -> Passed:
    """New requests of the project, as server-sent events."""
    sent = visit.chosen(*FILTERS, "last_event_id")
    query = {name: value for name, value in sent.items() if value}
    return Passed(("requests", "stream"), {"project": visit.session.key.project, **query})
