"""`uptake keys`: who may send and read."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from uptake.cli.printing import Failed, Json, print_json, print_table
from uptake.cli.spans import parse_span
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.cli.terminal import note, say
from uptake.http.access import SCOPES
from uptake.model import clock, ids
from uptake.model.items import user_id_fault
from uptake.store.base import DEFAULT_PROJECT, Keys
from uptake.store.definitions import Key, Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

MAX_REQUESTS = 1_000_000_000

BOUND_NOTE = (
    "Note: a key bound to a user has {scopes} for that user's data alone; "
    "operations on the whole project need a key without --user."
)

app = typer.Typer(help="Keys: made for a project, told once, kept only as a hash.")


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter an option
    scope: Annotated[
        list[str], typer.Option("--scope", help=f"What it may do: {', '.join(SCOPES)}.")
    ],
    project: Annotated[str, typer.Option("--project", help="Whose it is.")] = DEFAULT_PROJECT,
    user: Annotated[
        str | None, typer.Option("--user", help="Bind it to one user, as Gerosense v1.1 needs.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="How long it is valid: 90d, 12h, 30m, 45s, 2w.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", help="How often it may be used: 300/60s.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Make a key. It is shown now and never again."""
    for name in scope:
        if name not in SCOPES:
            raise typer.BadParameter(f"--scope {name!r}: one of {', '.join(SCOPES)}")
    if user is not None and (fault := user_id_fault(user)):
        raise typer.BadParameter(f"--user {fault}")
    if user is not None and (limited := sorted({"admin", "data:erase"} & set(scope))):
        note(BOUND_NOTE.format(scopes=" and ".join(limited)))
    allowed = None if rate is None else parse_rate(rate)
    seconds = None if expires is None else parse_span(expires)
    with opened(data_dir, database) as store:
        require_project(store, project)
        key, secret = issue(store, project, scope, user=user, rate=allowed, seconds=seconds)
    if json:
        told = ("id", "key", "project", "scopes", "user", "expires_at")
        shown = _shown(key) | {"key": secret}
        print_json({name: shown[name] for name in told})
    else:
        say(secret)


def issue(  # noqa: PLR0913 - one argument a property
    store: Keys,
    project: str,
    scopes: Sequence[str],
    *,
    user: str | None = None,
    rate: Rate | None = None,
    seconds: int | None = None,
) -> tuple[Key, str]:
    """A new key of a project, kept, and its secret; valid for so many seconds or for ever."""
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
    store.add_key(key)
    return key, secret


def parse_rate(text: str) -> Rate:
    """A rate such as `300/60s`.

    Raises:
        BadParameter: it is none.
    """
    requests, slash, span = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9][0-9]{0,9}", requests) or int(requests) > MAX_REQUESTS:
        raise typer.BadParameter(f"--rate {text!r}: requests and a span: 300/60s")
    return Rate(int(requests), parse_span(span))


@app.command("list")
def list_keys(data_dir: DataDir = DATA_DIR, database: Database = "", *, json: Json = False) -> None:
    """List all keys, without their secrets."""
    with opened(data_dir, database) as store:
        shown = [_shown(key) for key in store.keys()]  # noqa: SIM118 - not a dict
    if json:
        print_json(shown)
    else:
        headings = ["id", "project", "scopes", "user", "rate", "expires_at", "revoked_at"]
        lines = [{**key, "scopes": ", ".join(key["scopes"])} for key in shown]
        print_table(headings, [[line[name] for name in headings] for line in lines])


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `uptake keys list` shows it.")],
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """End a key; every server takes notice within seconds."""
    with opened(data_dir, database) as store:
        if not store.revoke_key(key_id, clock.now()):
            raise Failed(f"there is no key with the id {key_id!r}; 'uptake keys list' shows them")
    if json:
        print_json({"id": key_id, "revoked": True})
    else:
        say(f"Key {key_id} is revoked.")


def _shown(key: Key) -> dict[str, Any]:
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
