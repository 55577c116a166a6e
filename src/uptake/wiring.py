"""The only place that names concrete things: which store, which blobs, put together how."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uptake.blobs import Blobs, BlobsUnavailable, BlobsUnusable, open_blobs
from uptake.intake.accept import Intake
from uptake.intake.commit import GroupCommit
from uptake.intake.schemas import DocumentTypes
from uptake.intake.upkeep import Upkeep, chores
from uptake.reading.segments.pool import MEGABYTE
from uptake.reading.segments.questions import Segments
from uptake.settings import Settings
from uptake.store import sqlite
from uptake.store.base import Store, StoreUnusable
from uptake.store.contents import Contents

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
    upkeep: Upkeep
    public_url: str
    segments: Segments

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self.upkeep.close()
        self.commit.close()
        self.segments.pool.close()
        self.store.close()


def open_store(settings: Settings) -> Store:
    """The store that the settings name, brought up to date.

    Raises:
        Unusable: it cannot be opened.
    """
    try:
        return sqlite.open_store(_database_file(settings))
    except (StoreUnusable, OSError) as error:
        raise Unusable(str(error)) from error
    except ValueError as error:
        raise Unusable(f"--database {settings.database}: {error}") from error


def open_contents(settings: Settings, *, make: bool = False) -> Contents:
    """What is in the store that the settings name, whatever version wrote it.

    Args:
        settings: of a server.
        make: whether to make an empty store where there is none.

    Raises:
        Unusable: it cannot be opened.
    """
    try:
        return sqlite.open_contents(_database_file(settings, make=make), make=make)
    except (StoreUnusable, OSError) as error:
        raise Unusable(str(error)) from error
    except ValueError as error:
        raise Unusable(f"--database {settings.database}: {error}") from error


def _database_file(settings: Settings, *, make: bool = True) -> Path:
    if not settings.database:
        if make:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        return settings.data_dir / DATABASE_FILE
    url = urlsplit(settings.database)
    if url.scheme != "sqlite":
        raise Unusable(f"--database {url.scheme}://: only sqlite:///FILE is known")
    # As everywhere with SQLite: three slashes for a relative path, four for an absolute one.
    return Path(unquote(url.path[1:]))


def open_named_blobs(settings: Settings) -> Blobs:
    """The blobs that the settings name.

    Raises:
        Unusable: they cannot be opened.
    """
    try:
        return open_blobs(settings.blobs_url)
    except BlobsUnusable as error:
        raise Unusable(str(error)) from error


def check_blobs(settings: Settings) -> None:
    """See that blobs can be written, read, listed and deleted where the settings say.

    A process that serves does without: while blobs are out of reach images are too, and nothing
    else.

    Raises:
        Unusable: they cannot.
    """
    try:
        open_named_blobs(settings).check()
    except BlobsUnavailable as error:
        raise Unusable(f"{settings.blobs_url}: {error}") from error


def open_services(settings: Settings) -> Services:
    """Everything, ready to serve.

    Raises:
        Unusable: the store or the blobs cannot be opened.
    """
    store = open_store(settings)
    try:
        blobs = open_named_blobs(settings)
    except Unusable:
        store.close()
        raise
    types = DocumentTypes(store)
    return Services(
        store,
        blobs,
        Intake(types, blobs),
        GroupCommit(store),
        Upkeep(store, chores(store, blobs)),
        settings.public_url.rstrip("/"),
        Segments(store, settings.segment_memory * MEGABYTE),
    )
