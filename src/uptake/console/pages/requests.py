"""Requests: a list with filters, the newest first."""

from uptake.console.visit import Page, Visit

PAGE_SIZE = 100
FILTERS = ("format", "status", "key", "user", "from", "to")


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
