"""API keys, as operators see them."""

from functools import partial

from msgspec import Struct

from uptake.model import clock
from uptake.reading import Page, Uuid
from uptake.reading.bounds import Listing
from uptake.store.definitions import Key
from uptake.store.project_ports import ManagedKeys


class KeyView(Struct, frozen=True):
    """An API key, without its secret.

    Attributes:
        id: its identity, which a rotation does not change.
        name: chosen by the operator; null without one.
        project: the project that its requests belong to.
        scopes: what it permits.
        user: the only user it may act for; null for any.
        rates: its rate limits, each as requests and seconds: `300/60s`.
        created_at: RFC 3339.
        expires_at: RFC 3339; null if it does not expire.
        revoked_at: RFC 3339; null if it was not revoked.
        last_used_at: RFC 3339; at most a minute before the last use; null without one.
    """

    id: str
    name: str | None
    project: str
    scopes: list[str]
    user: str | None
    rates: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class KeyPage(Struct, frozen=True):
    """API keys in order of creation."""

    keys: list[KeyView]
    next: str | None


def page(store: ManagedKeys, project: str | None, page: Page) -> KeyPage:
    """Return a page of a project's keys; of all keys without a project.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.keys_after, project),
        key=lambda key: key.id,
        cursor_type=Uuid,
        start="",
    )
    found, following = listing.page(page)
    return KeyPage([view(key) for key in found], following)


def view(key: Key) -> KeyView:
    """Return a key as the API and the command line show it."""
    return KeyView(
        key.id,
        key.name,
        key.project,
        list(key.scopes),
        key.user,
        [str(rate) for rate in key.rates],
        clock.iso(key.created_at),
        _iso(key.expires_at),
        _iso(key.revoked_at),
        _iso(key.last_used_at),
    )


def _iso(moment: int | None) -> str | None:
    return None if moment is None else clock.iso(moment)
