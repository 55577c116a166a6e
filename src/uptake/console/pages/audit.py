"""The audit log: who changed or exported what."""

from typing import Any

from uptake.console.visit import Page, Visit

PAGE_SIZE = 100
FILTERS = ("actor", "action", "from", "to")

ACTIONS = (
    *("project.create", "project.change", "key.create", "key.change", "key.rotate", "key.revoke"),
    *("issuer.add", "issuer.remove", "document_type.put", "segment.put", "segment.delete"),
    *("retention.replace", "rejection.replay", "document.delete", "image.delete"),
    *("samples.delete", "user.erase", "user.readmit", "maintenance.begin", "maintenance.end"),
    *("relay.add", "relay.remove", "relay.pause", "relay.resume", "relay.retry"),
    *("webhook.add", "webhook.remove", "webhook.rotate", "webhook.resume", "webhook.redeliver"),
    *("export", "database.distribute"),
)
"""Suggestions; the field takes any other."""

PAGES = {
    "key": "keys",
    "document_type": "types",
    "segment": "segments",
    "rejection": "rejections",
}
"""Sections with a page for the target of actions, by the first word of the action."""


async def show(visit: Visit) -> Page:
    """A page of entries, the latest first."""
    found, chosen, error = await visit.filtered("audit", "entries", FILTERS, PAGE_SIZE)
    entries = [{**one, "section": _section(one)} for one in found["entries"]]
    is_latest = not any(chosen.values()) and "cursor" not in visit.query
    values = {
        "entries": entries,
        "next": found["next"],
        "chosen": chosen,
        "chosen_query": {name: value for name, value in chosen.items() if value},
        "actions": ACTIONS,
        "latest": entries[0] if entries and is_latest else None,
        "error": error,
    }
    return Page("audit.html", values, 422 if error else 200)


def _section(entry: dict[str, Any]) -> str | None:
    """The section with a page for the target."""
    is_gone = entry["action"].endswith(".delete")
    return None if is_gone or not entry["target"] else PAGES.get(entry["action"].split(".")[0])
