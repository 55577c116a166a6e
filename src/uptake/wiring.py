"""The only place that names concrete things: which store, which blobs, put together how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uptake.blobs import Blobs, BlobsUnusable, open_blobs
from uptake.intake.accept import Intake
from uptake.intake.commit import GroupCommit
from uptake.intake.schemas import DocumentTypes
from uptake.settings import Settings
from uptake.store import postgres, sqlite
from uptake.store.base import Store, StoreUnusable

DATABASE_FILE = "uptake.db"


class Unusable(Exception):
    """The server cannot work with these settings; the message says why."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a server works with."""

    store: Store
    blobs: Blobs
    intake: Intake
    commit: GroupCommit
    public_url: str

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self.commit.close()
        self.store.close()


def open_store(settings: Settings) -> Store:
    """The store that the settings name, brought up to date.

    Raises:
        Unusable: it cannot be opened.
    """
    try:
        if not settings.database:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            return sqlite.open_store(settings.data_dir / DATABASE_FILE)
        scheme = urlsplit(settings.database).scheme
        if scheme not in BACK_ENDS:
            raise Unusable(f"--database: {scheme!r} is none of {', '.join(BACK_ENDS)}")
        return BACK_ENDS[scheme](settings.database)
    except (StoreUnusable, OSError) as error:
        raise Unusable(str(error)) from error
    except ValueError as error:
        # What was given is not told: it may hold a password.
        raise Unusable(f"--database: {error}") from error


def _open_sqlite(url: str) -> Store:
    # As everywhere with SQLite: three slashes for a relative path, four for an absolute one.
    return sqlite.open_store(Path(unquote(urlsplit(url).path[1:])))


BACK_ENDS: Mapping[str, Callable[[str], Store]] = {
    "sqlite": _open_sqlite,
    "postgresql": postgres.open_store,
    "postgres": postgres.open_store,
}
"""How a store is opened, by the scheme of its URL."""


def open_services(settings: Settings) -> Services:
    """Everything, ready to serve.

    Raises:
        Unusable: the store or the blobs cannot be opened.
    """
    store = open_store(settings)
    try:
        blobs = open_blobs(settings.blobs_url)
    except BlobsUnusable as error:
        store.close()
        raise Unusable(str(error)) from error
    types = DocumentTypes(store)
    return Services(
        store, blobs, Intake(types, blobs), GroupCommit(store), settings.public_url.rstrip("/")
    )
