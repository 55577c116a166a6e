"""API keys of a project, or of all projects for an operator."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from uptake.formats import registry
from uptake.http.access import SCOPES
from uptake.http.api.dependencies import (
    MAX_STRUCT,
    OPERATE,
    Body,
    Call,
    PageParameters,
    Text,
    check_id,
    component,
    operation,
    query,
    valid_json,
)
from uptake.http.api.projects import permitted_project
from uptake.http.api.time_parameters import microseconds
from uptake.intake.keys import (
    DEFAULT_OVERLAP,
    KeyManager,
    faults_of,
    new_key,
    read_overlap,
    read_rate,
)
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.reading import keys
from uptake.reading.keys import KeyPage, KeyView
from uptake.store.definitions import Key, Rate

Moment = Annotated[str, msgspec.Meta(description="ISO 8601; the default zone is UTC")]
Rates = Annotated[list[str], msgspec.Meta(description="Each as requests and duration: `300/60s`")]


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to create.

    Attributes:
        scopes: what it permits.
        name: for lists.
        project: its project; that of the calling key if absent.
        user: the only user that it may act for; any if absent or null.
        rates: its rate limits.
        expires_at: its end; that of the calling key if absent.
    """

    scopes: list[str]
    name: str | None = None
    project: str | None = None
    user: str | None = None
    rates: Rates = msgspec.field(default_factory=list)
    expires_at: Moment | UnsetType | None = UNSET


class KeyChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Properties of a key to replace; the others stay. Null removes a name, a user or an end."""

    name: str | UnsetType | None = UNSET
    scopes: list[str] | UnsetType = UNSET
    user: str | UnsetType | None = UNSET
    rates: Rates | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secret that is replaced stays valid: `24h`, at most `90d`; `0s` ends it now."""

    overlap: str = DEFAULT_OVERLAP


class KeyWithSecret(KeyView, frozen=True):
    """A key with its secret, which is shown only once.

    Attributes:
        key: the secret.
    """

    key: str


NEW = Body(MAX_STRUCT, component(NewKey.__name__))
CHANGE = Body(MAX_STRUCT, component(KeyChange.__name__))
ROTATION = Body(MAX_STRUCT, component(Rotation.__name__), required=False)


@operation("GET", "/keys", OPERATE, "List API keys")
def list_keys(
    call: Call,
    page: PageParameters,
    *,
    project: Annotated[
        Text, query("Only keys of this project. Default for `operator`: all")
    ] = None,
) -> KeyPage:
    """In order of creation, with keys that were revoked or have expired. No secrets."""
    if project is None and manager(call).is_operator:
        return keys.page(call.store, None, page)
    return keys.page(call.store, permitted_project(call, project), page)


@operation("POST", "/keys", OPERATE, "Create an API key", changes=True, body=NEW)
def create_key(call: Call) -> KeyWithSecret:
    """Returns the secret, which is shown only now. A key gives no scope that it does not have."""
    with valid_json():
        wanted = msgspec.json.decode(call.content, type=NewKey)
    bare, secret = new_key(permitted_project(call, wanted.project), wanted.scopes)
    end = call.key.expires_at if wanted.expires_at is UNSET else _end(wanted.expires_at)
    rates = _rates(wanted.rates)
    key = replace(bare, name=wanted.name, user=wanted.user, rates=rates, expires_at=end)
    manager(call).create(_checked(key))
    return _with_secret(key, secret)


@operation("GET", "/keys/{key_id:str}", OPERATE, "Get an API key")
def get_key(call: Call, key_id: str) -> KeyView:
    """Returns the key without its secret."""
    return keys.view(manager(call).find(check_id("API key", key_id)))


@operation("PATCH", "/keys/{key_id:str}", OPERATE, "Change an API key", changes=True, body=CHANGE)
def change_key(call: Call, key_id: str) -> KeyView:
    """Servers apply the change within a second."""
    with valid_json():
        wanted = msgspec.json.decode(call.content, type=KeyChange)
    changes = {
        name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET
    }
    if "scopes" in changes:
        changes["scopes"] = tuple(dict.fromkeys(changes["scopes"]))
    if "rates" in changes:
        changes["rates"] = _rates(changes["rates"])
    if "expires_at" in changes:
        changes["expires_at"] = _end(changes["expires_at"])
    changed = manager(call).change(
        check_id("API key", key_id), lambda key: _checked(replace(key, **changes))
    )
    return keys.view(changed)


@operation("DELETE", "/keys/{key_id:str}", OPERATE, "Revoke an API key", changes=True)
def revoke_key(call: Call, key_id: str) -> KeyView:
    """Servers reject the key within a second. It stays in the list."""
    return keys.view(manager(call).revoke(check_id("API key", key_id)))


@operation(
    "POST",
    "/keys/{key_id:str}/rotate",
    OPERATE,
    "Replace the secret of an API key",
    changes=True,
    body=ROTATION,
)
def rotate_key(call: Call, key_id: str) -> KeyWithSecret:
    """Returns the new secret, which is shown only now. Both are valid during the overlap."""
    with valid_json():
        wanted = msgspec.json.decode(call.content, type=Rotation) if call.content else Rotation()
    try:
        overlap = read_overlap(wanted.overlap)
    except ValueError as error:
        raise Problem(Kinds.BAD_REQUEST, f"overlap: {error}") from None
    return _with_secret(*manager(call).rotate(check_id("API key", key_id), overlap))


def manager(call: Call) -> KeyManager:
    """What manages keys on behalf of the calling key."""
    return KeyManager(call.store, call.key, registry.SCOPES)


def _with_secret(key: Key, secret: str) -> KeyWithSecret:
    return KeyWithSecret(**msgspec.structs.asdict(keys.view(key)), key=secret)


def _rates(texts: Sequence[str]) -> tuple[Rate, ...]:
    try:
        return tuple(read_rate(text) for text in texts)
    except ValueError as error:
        raise Problem(Kinds.BAD_REQUEST, f"rates: {error}") from None


def _end(text: str | None) -> int | None:
    if text is None:
        return None
    moment = microseconds("expires_at", text)
    if moment is None or moment <= clock.now():
        raise Problem(Kinds.BAD_REQUEST, "expires_at: must be in the future")
    return moment


def _checked(key: Key) -> Key:
    for name, fault in faults_of(key, SCOPES):
        raise Problem(Kinds.BAD_REQUEST, f"{name}: {fault}")
    return key
