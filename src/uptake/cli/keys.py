"""`uptake keys`: API keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uptake.cli.durations import parse_duration
from uptake.cli.options import ProjectOptions, StoreOptions, option
from uptake.cli.terminal import Failed, Json, Yes, confirm, note, print_list, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock, ids
from uptake.store.definitions import Key, Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from uptake.store.base import Keys

SCOPES = (
    "user-data:write",
    "profiles:write",
    "images:write",
    "samples:write",
    "data:read",
    "data:erase",
    "admin",
)
"""The scopes that the help lists, without those of formats of other packages: loading the formats
takes a tenth of a second. A test compares them with `uptake.http.access.SCOPES`."""

MAX_REQUESTS = 1_000_000_000

BOUND_NOTE = (
    "Note: a key bound to a user has {scopes} for that user's data only; "
    "operations on the whole project need a key without --user."
)

app = typer.Typer(help="Manage API keys. A key is shown once; only its hash is stored.")


@dataclass(frozen=True)
class KeyOptions:
    """Properties of a new key."""

    user: Annotated[str | None, option("--user", "Bind the key to one user (Gerosense v1.1).")] = (
        None
    )
    expires: Annotated[
        str | None, option("--expires", "Period of validity: 90d, 12h, 30m, 45s, 2w.")
    ] = None
    rate: Annotated[str | None, option("--rate", "Maximum number of requests: 300/60s.")] = None


@app.command()
@expand_groups
def create(
    scope: Annotated[list[str], option("--scope", f"Scope: {', '.join(SCOPES)}.")],
    properties: KeyOptions,
    options: ProjectOptions,
    *,
    json: Json = False,
) -> None:
    """Create a key. The secret is shown only now."""
    from uptake.http import access
    from uptake.model.items import user_id_fault

    user = properties.user
    for name in scope:
        if name not in access.SCOPES:
            known = ", ".join(access.SCOPES)
            raise typer.BadParameter(f"--scope {name!r}: must be one of {known}")
    if user is not None and (fault := user_id_fault(user)):
        raise typer.BadParameter(f"--user {fault}")
    if user is not None and (limited := sorted({"admin", "data:erase"} & set(scope))):
        note(BOUND_NOTE.format(scopes=" and ".join(limited)))
    rate = None if properties.rate is None else parse_rate(properties.rate)
    seconds = (
        None if properties.expires is None else parse_duration("--expires", properties.expires)
    )
    key, secret = new_key(options.project, scope, user=user, rate=rate, seconds=seconds)
    with options.open_project() as store:
        store.add_key(key)
    shown = _view(key) | {"key": secret}
    names = ("id", "key", "project", "scopes", "user", "expires_at")
    print_result({name: shown[name] for name in names}, secret, json=json)


def new_key(
    project: str,
    scopes: Sequence[str],
    *,
    user: str | None = None,
    rate: Rate | None = None,
    seconds: int | None = None,
) -> tuple[Key, str]:
    """Return a new key and its secret; without `seconds` it does not expire."""
    secret, now = ids.new_key(), clock.now()
    key = Key(
        id=ids.time_ordered(),
        digest=ids.key_digest(secret),
        project=project,
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        user=user,
        rate=rate,
        expires_at=None if seconds is None else now + seconds * MICROSECONDS_PER_SECOND,
    )
    return key, secret


def parse_rate(text: str) -> Rate:
    """Parse a rate such as `300/60s`.

    Raises:
        BadParameter: it is not a rate.
    """
    requests, slash, duration = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9][0-9]{0,9}", requests) or int(requests) > MAX_REQUESTS:
        raise typer.BadParameter(f"--rate {text!r}: must be REQUESTS/DURATION, e.g. 300/60s")
    return Rate(int(requests), parse_duration("--rate", duration))


@app.command("list")
@expand_groups
def list_keys(options: StoreOptions, *, json: Json = False) -> None:
    """List all keys, without their secrets."""
    with options.open() as store:
        shown = [_view(key) for key in store.keys()]  # noqa: SIM118 - not a dict
    headings = ["id", "project", "scopes", "user", "rate", "expires_at", "revoked_at"]
    texts = ({**key, "scopes": ", ".join(key["scopes"])} for key in shown)
    print_list(shown, headings, ([text[name] for name in headings] for text in texts), json=json)


KeyId = Annotated[str, typer.Argument(metavar="ID", help="Id from `uptake keys list`.")]


@app.command()
@expand_groups
def show(key_id: KeyId, options: StoreOptions, *, json: Json = False) -> None:
    """Show a key, without its secret."""
    with options.open() as store:
        shown = _view(_key(store, key_id))
    texts = {**shown, "scopes": ", ".join(shown["scopes"])}
    print_list(shown, ("what", "value"), texts.items(), json=json)


@app.command()
@expand_groups
def revoke(
    key_id: KeyId,
    options: StoreOptions,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Revoke a key. Servers reject it within seconds."""
    with options.open() as store:
        key = _key(store, key_id)
        scopes = ", ".join(key.scopes)
        confirm(
            f"Revoke key {key_id} of project {key.project!r} with the scopes {scopes}?"
            " It cannot be undone.",
            yes=yes,
        )
        store.revoke_key(key_id, clock.now())
    print_result({"id": key_id, "revoked": True}, f"Revoked key {key_id}.", json=json)


def _key(store: "Keys", key_id: str) -> Key:
    key = next((key for key in store.keys() if key.id == key_id), None)  # noqa: SIM118
    if key is None:
        raise Failed(f"no key has the id {key_id!r}; list them: uptake keys list")
    return key


def _view(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "project": key.project,
        "scopes": list(key.scopes),
        "user": key.user,
        "expires_at": None if key.expires_at is None else clock.iso(key.expires_at),
        "rate": None if key.rate is None else f"{key.rate.requests}/{key.rate.seconds}s",
        "created_at": clock.iso(key.created_at),
        "revoked_at": None if key.revoked_at is None else clock.iso(key.revoked_at),
    }
