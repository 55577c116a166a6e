"""The server that answers: its settings, its database, and what is degraded."""

from collections.abc import Iterator
from functools import cache

from msgspec import Struct

from uptake import __version__
from uptake.blobs import BlobsUnavailable
from uptake.diagnosis import Check, check_relay, check_space
from uptake.http.api.dependencies import Call, operation
from uptake.http.api.projects import OPERATE_ALL
from uptake.settings import Settings, hide_secrets
from uptake.store.base import StoreUnavailable
from uptake.wiring import Unusable, inspect_database, local_folders

PROBE = "probe"
"""A name that no blob has. To look for it shows whether the blob store answers."""


class SettingView(Struct, frozen=True):
    """A setting of the process, without secrets.

    Attributes:
        name: as in `uptake.toml`.
        value: its value; empty for none.
        default: the value if it is not set.
    """

    name: str
    value: str
    default: str


class ServerView(Struct, frozen=True):
    """The process that answers.

    Attributes:
        version: of the program.
        database: the engine and its version; empty if it cannot be read.
        settings: with which the process was started.
        checks: of the database, the relays, the blob store, and the disks of local folders.
    """

    version: str
    database: str
    settings: list[SettingView]
    checks: list[Check]


@operation("GET", "/server", OPERATE_ALL, "Get the settings and the state of the server", slow=True)
def get_server(call: Call) -> ServerView:
    """Passwords and keys in URLs are replaced by `***`. Scope `operator`."""
    settings = call.services.settings
    defaults = Settings().to_dict()
    shown = [
        SettingView(name.replace("_", "-"), hide_secrets(str(value)), str(defaults[name]))
        for name, value in settings.to_dict().items()
    ]
    checks = [*_checks(call)]
    try:
        database = _database(settings)
    except Unusable:
        database = ""
    return ServerView(__version__, database, shown, checks)


@cache
def _database(settings: Settings) -> str:
    """The engine and its version, read once: that takes a connection of its own."""
    facts = inspect_database(settings)
    return "" if facts is None else f"{facts.engine} {facts.version}"


def _checks(call: Call) -> Iterator[Check]:
    services = call.services
    store = services.store
    try:
        store.ping()
        yield Check("database", "ok", "answers")
        for relay in store.relays():
            yield check_relay(relay, store.outbox_state(relay))
    except StoreUnavailable as error:
        yield Check("database", "fault", str(error))
    try:
        services.blobs.read(PROBE, 0, 1)
        yield Check("blobs", "ok", "the blob store answers")
    except BlobsUnavailable as error:
        action = "Check the URL, the credentials and the permissions; until then, images fail."
        yield Check("blobs", "fault", str(error), action)
    database, blobs = local_folders(services.settings)
    # By default, the blobs are inside of the folder of the database.
    if blobs is not None and database is not None and database in blobs.parents:
        blobs = None
    for folder in dict.fromkeys((database, blobs)):
        if folder is not None and folder.is_dir():
            yield check_space(folder)
