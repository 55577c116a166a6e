"""The only place that names concrete things: which store, which blobs, put together how."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uptake.blobs import Blobs, BlobsUnusable, open_blobs
from uptake.intake.accept import Intake
from uptake.intake.commit import GroupCommit
from uptake.intake.schemas import DocumentTypes
from uptake.reading.segments.pool import MEGABYTE
from uptake.reading.segments.questions import Segments
from uptake.settings import Settings
from uptake.store import sqlite
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
    segments: Segments

    def close(self) -> None:
        """Write what waits and let go of the store."""
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


def _database_file(settings: Settings) -> Path:
    if not settings.database:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return settings.data_dir / DATABASE_FILE
    url = urlsplit(settings.database)
    if url.scheme != "sqlite":
        raise Unusable(f"--database {url.scheme}://: only sqlite:///FILE is known")
    # As everywhere with SQLite: three slashes for a relative path, four for an absolute one.
    return Path(unquote(url.path[1:]))


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
        store,
        blobs,
        Intake(types, blobs),
        GroupCommit(store),
        settings.public_url.rstrip("/"),
        Segments(store, settings.segment_memory * MEGABYTE),
    )
