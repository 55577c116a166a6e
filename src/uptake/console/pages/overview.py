"""The overview: what the server is, whether it works, and where to look next."""

from asyncio import gather

from uptake.console.sessions import READ
from uptake.console.visit import ApiFailed, Page, Visit


async def show(visit: Visit) -> Page:
    """The state of the server and of the project."""
    service, health = await gather(visit.get(), _health(visit))
    types = []
    if READ in visit.session.key.scopes:
        types = (await visit.get("document-types", limit=20))["types"]
    return Page("overview.html", {"service": service, "health": health, "types": types})


async def _health(visit: Visit) -> str:
    """`ok`, or why requests cannot be served."""
    try:
        return str((await visit.get("health", "ready"))["status"])
    except ApiFailed as error:
        return error.detail
