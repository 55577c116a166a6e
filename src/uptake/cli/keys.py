"""`uptake keys`: API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import asdict, replace

from uptake.cli.durations import parse_duration
from uptake.cli.options import ProjectOptions, StoreOptions, option
from uptake.cli.terminal import Failed, Json, Yes, confirm, note, print_list, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock
from uptake.store.definitions import Key, Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from uptake.intake.keys import KeyManager, KeyStore

SCOPES = (
    "user-data:write",
    "profiles:write",
    "images:write",
    "samples:write",
    "data:read",
    "data:erase",
    "admin",
    "operator",
)
"""The scopes that the help lists, without those of formats of other packages: loading the formats
takes a tenth of a second. A test compares them with `uptake.http.access.SCOPES`."""

SCOPE_HELP = f"Scope: {', '.join(SCOPES)}."

OVERLAP = "24h"
"""`uptake.intake.keys.DEFAULT_OVERLAP`, which takes as long to load."""

BOUND_NOTE = (
    "Note: a key bound to a user has {scopes} for that user's data only; "
    "operations on the whole project need a key without --user."
)

app = typer.Typer(help="Manage API keys. A key is shown once; only its hash is stored.")


@dataclass(frozen=True)
class KeyOptions:
    """Properties of a new key."""

    name: Annotated[str | None, option("--name", "Name, for lists.")] = None
    user: Annotated[str | None, option("--user", "Bind the key to one user (Gerosense v1.1).")] = (
        None
    )
    expires: Annotated[
        str | None, option("--expires", "Period of validity: 90d, 12h, 30m, 45s, 2w.")
    ] = None
    rate: Annotated[
        list[str] | None,
        option("--rate", "Maximum number of requests: 300/60s. May be repeated: 3000/1d."),
    ] = None


@dataclass(frozen=True)
class ChangeOptions(KeyOptions):
    """Properties of a key to replace or to remove."""

    scope: Annotated[list[str] | None, option("--scope", SCOPE_HELP)] = None
    no_name: Annotated[bool, option("--no-name", "Remove the name.")] = False
    no_user: Annotated[bool, option("--no-user", "Do not bind the key to a user.")] = False
    no_expires: Annotated[bool, option("--no-expires", "Let the key not expire.")] = False
    no_rate: Annotated[bool, option("--no-rate", "Remove the rates.")] = False

    def changes(self) -> dict[str, Any]:
        """The properties to replace, by the names of those of a `Key`.

        Raises:
            BadParameter: there is none, or a value is invalid or also removed.
        """
        changes: dict[str, Any] = {}
        for name, value, removed in (
            ("name", self.name, self.no_name),
            ("user", self.user, self.no_user),
            ("expires", self.expires, self.no_expires),
            ("rate", self.rate, self.no_rate),
        ):
            if value and removed:
                raise typer.BadParameter(f"--{name} and --no-{name} are mutually exclusive")
            if removed:
                changes[name] = None
            elif value is not None and value != []:
                changes[name] = value
        if "expires" in changes:
            changes["expires_at"] = _end(changes.pop("expires"))
        if "rate" in changes:
            changes["rates"] = _rates(changes.pop("rate"))
        if self.scope:
            changes["scopes"] = tuple(dict.fromkeys(self.scope))
        if not changes:
            raise typer.BadParameter(
                "nothing to change: give --name, --scope, --user, --expires or --rate"
            )
        return changes


@app.command()
@expand_groups
def create(
    scope: Annotated[list[str], option("--scope", SCOPE_HELP)],
    properties: KeyOptions,
    options: ProjectOptions,
    *,
    json: Json = False,
) -> None:
    """Create a key. The secret is shown only now."""
    user = properties.user
    bare, secret = new_key(options.project, scope, user=user)
    rates, end = _rates(properties.rate), _end(properties.expires)
    key = _checked(replace(bare, name=properties.name, rates=rates, expires_at=end))
    if user is not None and (limited := sorted({"admin", "data:erase"} & set(scope))):
        note(BOUND_NOTE.format(scopes=" and ".join(limited)))
    with options.open_project() as store:
        _manager(store).create(key)
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
    from uptake.intake import keys

    bare, secret = keys.new_key(project, scopes)
    end = None if seconds is None else bare.created_at + seconds * MICROSECONDS_PER_SECOND
    return replace(bare, user=user, rates=() if rate is None else (rate,), expires_at=end), secret


def parse_rate(text: str) -> Rate:
    """Parse a rate such as `300/60s`.

    Raises:
        BadParameter: it is not a rate.
    """
    from uptake.intake.keys import read_rate

    try:
        return read_rate(text)
    except ValueError as error:
        raise typer.BadParameter(f"--rate {text!r}: {error}") from None


def _rates(texts: Sequence[str] | None) -> tuple[Rate, ...]:
    return tuple(map(parse_rate, texts or ()))


def _end(text: str | None) -> int | None:
    if text is None:
        return None
    return clock.now() + parse_duration("--expires", text) * MICROSECONDS_PER_SECOND


OPTIONS = {"scopes": "--scope", "rates": "--rate", "user": "--user", "name": "--name"}
"""The option of each property of a key."""


def _checked(key: Key) -> Key:
    from uptake.http import access
    from uptake.intake.keys import faults_of

    for name, fault in faults_of(key, access.SCOPES):
        raise typer.BadParameter(f"{OPTIONS[name]} {fault}")
    return key


def _manager(store: "KeyStore") -> "KeyManager":
    """What manages keys for an operator on this machine, who may give every scope."""
    from uptake.intake.keys import KeyManager

    return KeyManager(store, None, ())


@app.command("list")
@expand_groups
def list_keys(options: StoreOptions, *, json: Json = False) -> None:
    """List all keys, without their secrets."""
    with options.open() as store:
        shown = [_view(key) for key in store.keys()]  # noqa: SIM118 - not a dict
    headings = [
        *("id", "name", "project", "scopes", "user", "rate"),
        *("expires_at", "revoked_at", "last_used_at"),
    ]
    texts = map(_texts, shown)
    print_list(shown, headings, ([text[name] for name in headings] for text in texts), json=json)


KeyId = Annotated[str, typer.Argument(metavar="ID", help="Id from `uptake keys list`.")]


@app.command()
@expand_groups
def show(key_id: KeyId, options: StoreOptions, *, json: Json = False) -> None:
    """Show a key, without its secret."""
    with options.open() as store:
        shown = _view(_key(store, key_id))
    print_list(shown, ("what", "value"), _texts(shown).items(), json=json)


@app.command()
@expand_groups
def update(
    key_id: KeyId, changed: ChangeOptions, options: StoreOptions, *, json: Json = False
) -> None:
    """Change properties of a key; `--scope` replaces all. Servers apply it within seconds."""
    changes = changed.changes()
    # Of any key: what is wrong with them does not depend on the others.
    _checked(replace(new_key("", ("admin",))[0], **changes))
    with options.open() as store:
        _key(store, key_id)
        key = _manager(store).change(key_id, lambda known: _checked(replace(known, **changes)))
    print_result(_view(key), f"Changed key {key_id}.", json=json)


@app.command()
@expand_groups
def rotate(
    key_id: KeyId,
    options: StoreOptions,
    overlap: Annotated[
        str,
        option("--overlap", "How long the old secret stays valid: 24h, 7d; 0s ends it at once."),
    ] = OVERLAP,
    *,
    json: Json = False,
) -> None:
    """Replace the secret of a key. The new one is shown only now; both work during the overlap."""
    from uptake.intake.keys import read_overlap
    from uptake.model.problems import Problem

    try:
        seconds = read_overlap(overlap)
    except ValueError as error:
        raise typer.BadParameter(f"--overlap {overlap!r}: {error}") from None
    with options.open() as store:
        _key(store, key_id)
        try:
            key, secret = _manager(store).rotate(key_id, seconds)
        except Problem as error:
            raise Failed(str(error)) from None
    print_result(_view(key) | {"key": secret}, secret, json=json)


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
        _manager(store).revoke(key_id)
    print_result({"id": key_id, "revoked": True}, f"Revoked key {key_id}.", json=json)


def _key(store: "KeyStore", key_id: str) -> Key:
    key = store.key_with_id(key_id)
    if key is None:
        raise Failed(f"no key has the id {key_id!r}; list them: uptake keys list")
    return key


def _view(key: Key) -> dict[str, Any]:
    """A key as JSON shows it; `rate`, the first of the rates, is the old name of `rates`."""
    from uptake.reading import keys

    view = asdict(keys.view(key))
    return view | {"rate": view["rates"][0] if view["rates"] else None}


def _texts(view: dict[str, Any]) -> dict[str, Any]:
    """A key as tables show it."""
    texts = {**view, "scopes": ", ".join(view["scopes"]), "rate": ", ".join(view["rates"])}
    del texts["rates"]
    return texts
