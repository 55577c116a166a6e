"""The settings of the server, its database and its state; nothing is changed here."""

from uptake.console.visit import Page, Visit


async def show(visit: Visit) -> Page:
    """The settings with which the server was started, and what is degraded."""
    return Page("settings.html", {"server": await visit.get("server")})
