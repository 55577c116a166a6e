"""Opens the store, the blobs and the services; no other module names a back end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from uptake.blobs import Blobs, BlobsUnavailable, BlobsUnusable, UnknownBlobs, folder_of, open_blobs
from uptake.settings import AnswerLimits, Settings
from uptake.store.base import NoDatabase, Store, StoreUnusable

# Commands start faster without these: most of them only open a store, and only one kind of it.
if TYPE_CHECKING:
    from uptake.backup.ports import Contents
    from uptake.delivery.relaying import Relaying
    from uptake.delivery.webhooks import EventDelivery
    from uptake.intake.accept import Intake
    from uptake.intake.commit import GroupCommit
    from uptake.intake.images.pool import ImagePool
    from uptake.intake.schemas import DocumentTypes, SchemaWorkers
    from uptake.intake.upkeep import Upkeep
    from uptake.reading.segments.queries import Segments
    from uptake.reading.segments.warm_up import WarmUp
    from uptake.store.distribution import DistributionFacts
    from uptake.store.facts import DatabaseFacts

DATABASE_FILE = "uptake.db"
PRIVATE_FOLDER = 0o700
"""Mode of a new data folder. The mode of an existing folder is not changed: a group may have access
to it on purpose, for backups."""


class Unusable(Exception):
    """The server cannot use these settings; the message is the reason."""


class InvalidSetting(Unusable):
    """A setting has a value that is not one of its kind; the message has its option."""


class Missing(Unusable):
    """There is no database yet; the message has the place, and how to choose another."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a server.

    Attributes:
        rehearsal: accepts submissions as `intake` does, and stores nothing.
    """

    store: Store
    blobs: Blobs
    intake: "Intake"
    rehearsal: "Intake"
    commit: "GroupCommit"
    upkeep: "Upkeep"
    public_url: str
    segments: "Segments"
    warm_up: "WarmUp"
    answers: AnswerLimits
    images: "ImagePool"
    types: "DocumentTypes"
    schema_workers: "SchemaWorkers"
    settings: Settings
    relaying: "Relaying"
    webhooks: "EventDelivery"

    def close(self) -> None:
        """Write waiting submissions, and close the store."""
        self.images.close()
        self.upkeep.close()
        self.relaying.close()
        self.webhooks.close()
        self.commit.close()
        self.warm_up.close()
        self.segments.pool.close()
        self.schema_workers.close()
        self.store.close()


def open_store(settings: Settings, *, make: bool = False) -> Store:
    """Open the store of the settings, and migrate it.

    Args:
        settings: of a server.
        make: whether to create an empty store if there is none.

    Raises:
        Missing: there is none, and `make` is false.
        Unusable: it cannot be opened.
    """
    with _reported(settings):
        back_end, place = _database(settings, make=make)
        return back_end.load().open_store(place, make=make)


def open_contents(settings: Settings, *, make: bool = False) -> "Contents":
    """Open the store of the settings for a backup or a restore, at any version.

    Args:
        settings: of a server.
        make: whether to create an empty store if there is none.

    Raises:
        Missing: there is none, and `make` is false.
        Unusable: it cannot be opened.
    """
    with _reported(settings):
        back_end, place = _database(settings, make=make)
        return back_end.load().open_contents(place, make=make)


def inspect_database(settings: Settings) -> "DatabaseFacts | None":
    """Read the facts about the database of the settings, and change nothing.

    Returns:
        The facts; None for a back end that reports none.

    Raises:
        Missing: there is no database.
        Unusable: it cannot be read.
    """
    with _reported(settings):
        back_end, place = _database(settings, make=False)
        inspect = getattr(back_end.load(), "inspect", None)
        return None if inspect is None else inspect(place)


def local_folders(settings: Settings) -> tuple[Path | None, Path | None]:
    """The folders of this machine with the database file and with the blobs, if they are here."""
    with _reported(settings):
        _, place = _database(settings, make=False)
    database = place.parent.resolve() if isinstance(place, Path) else None
    return database, folder_of(settings.blobs_url)


def distribute(settings: Settings, shards: int | None = None) -> Iterator[tuple[str, str]]:
    """Distribute the tables of a store over the nodes of its database.

    Args:
        settings: of a server.
        shards: of each table that is not distributed yet; None for the database's own choice.

    Yields:
        The name of each distributed table, and the statement.

    Raises:
        Missing: there is no store.
        Unusable: the store cannot be distributed.
    """
    with _reported(settings):
        back_end, place = _database(settings, make=False)
        yield from _distributing(back_end).distribute(place, shards)


def check_distribution(settings: Settings) -> "DistributionFacts":
    """Read how the tables of a store are distributed, and change nothing.

    Raises:
        Missing: there is no store.
        Unusable: it is not distributed.
    """
    with _reported(settings):
        back_end, place = _database(settings, make=False)
        facts: DistributionFacts = _distributing(back_end).check_distribution(place)
        return facts


def _distributing(back_end: "BackEnd") -> Any:
    module = back_end.load()
    if not hasattr(module, "distribute"):
        raise StoreUnusable(
            "only PostgreSQL with the extension citus can be distributed; name it with --database"
        )
    return module


def _database(settings: Settings, *, make: bool) -> "tuple[BackEnd, Any]":
    """The back end, and the location of the database."""
    if not settings.database:
        if make:
            try:
                settings.data_dir.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            except OSError as error:
                raise Unusable(
                    f"the folder {settings.data_dir} cannot be created: {error.strerror};"
                    " name another with --data-dir or UPTAKE_DATA_DIR"
                ) from error
        return BACK_ENDS["sqlite"], settings.data_dir / DATABASE_FILE
    scheme = urlsplit(settings.database).scheme
    if not scheme:
        raise InvalidSetting(
            "--database: is not a URL; expected sqlite:///FILE or postgresql://HOST/DATABASE"
        )
    if scheme not in BACK_ENDS:
        raise InvalidSetting(f"--database: {scheme!r} is none of {', '.join(BACK_ENDS)}")
    return BACK_ENDS[scheme], BACK_ENDS[scheme].place(settings.database)


@contextmanager
def _reported(settings: Settings) -> Iterator[None]:
    try:
        yield
    except NoDatabase as error:
        if settings.database:
            raise Missing(
                f"{error}; run `uptake init` to create the tables,"
                " or name another database with --database or UPTAKE_DATABASE"
            ) from error
        raise Missing(
            f"there is no database in {settings.data_dir.resolve()}; run `uptake init` to create"
            " one, or name another folder with --data-dir or UPTAKE_DATA_DIR"
        ) from error
    except StoreUnusable as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise Unusable(f"{place}{error.strerror or error}") from error
    except ValueError as error:
        # Without the URL, which may contain a password.
        raise InvalidSetting(f"--database: {error}") from error


def _file(url: str) -> Path:
    # As is usual for SQLite: three slashes for a relative path, four for an absolute one.
    return Path(unquote(urlsplit(url).path[1:]))


class Opening(Protocol):
    """The functions of a back end's module; `distribute` and `inspect` are optional."""

    def open_store(self, place: Any, /, *, make: bool = True) -> Store:
        """Open a store, and migrate it."""

    def open_contents(self, place: Any, /, *, make: bool = False) -> "Contents":
        """Open a store at any version."""


@dataclass(frozen=True, slots=True)
class BackEnd:
    """A back end: the module that opens it, and how its URL becomes a location."""

    module: str
    place: Callable[[str], Any] = str

    def load(self) -> Opening:
        """Import the module."""
        return cast("Opening", import_module(self.module))


BACK_ENDS = {
    "sqlite": BackEnd("uptake.store.sqlite", _file),
    "postgresql": BackEnd("uptake.store.postgres"),
    "postgres": BackEnd("uptake.store.postgres"),
}
"""By URL scheme."""


def open_named_blobs(settings: Settings) -> Blobs:
    """Open the blobs of the settings.

    Raises:
        Unusable: they cannot be opened.
    """
    try:
        return open_blobs(settings.blobs_url)
    except UnknownBlobs as error:
        raise InvalidSetting(f"--blobs: {error}") from error
    except BlobsUnusable as error:
        raise Unusable(str(error)) from error


def check_blobs(settings: Settings) -> None:
    """Check that blobs can be written, read, listed and deleted.

    A server process does not check: while the blob store is down, only images fail.

    Raises:
        Unusable: they cannot.
    """
    try:
        open_named_blobs(settings).check()
    except BlobsUnavailable as error:
        raise Unusable(f"{settings.blobs_url}: {error}") from error


def open_services(settings: Settings, *, make: bool = False) -> Services:
    """Open the services of a server.

    Args:
        settings: of the server.
        make: whether to create an empty store if there is none.

    Raises:
        Missing: there is none, and `make` is false.
        Unusable: the store or the blobs cannot be opened.
        UnusableFormat: an installed format cannot be served.
    """
    from uptake.delivery.relaying import Relaying  # noqa: PLC0415 - as above
    from uptake.delivery.webhooks import EventDelivery, Outlets  # noqa: PLC0415
    from uptake.formats.redecode import find_users  # noqa: PLC0415
    from uptake.intake.accept import Intake  # noqa: PLC0415
    from uptake.intake.commit import GroupCommit  # noqa: PLC0415
    from uptake.intake.images.pool import ImagePool  # noqa: PLC0415
    from uptake.intake.rehearsal import NoBlobs, Rehearsal  # noqa: PLC0415
    from uptake.intake.schemas import DocumentTypes, SchemaWorkers  # noqa: PLC0415
    from uptake.intake.upkeep import SEGMENTS_SECONDS, Chore, Upkeep, chores  # noqa: PLC0415
    from uptake.reading.segments.queries import MEGABYTE, Segments  # noqa: PLC0415
    from uptake.reading.segments.transitions import Transitions  # noqa: PLC0415
    from uptake.reading.segments.warm_up import WarmUp  # noqa: PLC0415

    store = open_store(settings, make=make)
    try:
        blobs = open_named_blobs(settings)
    except Unusable:
        store.close()
        raise
    schema_workers = SchemaWorkers()
    types = DocumentTypes(store, schema_workers)
    images = ImagePool(settings.image_rate)
    commit = GroupCommit(store, blobs)
    segments = Segments(store, settings.segment_memory * MEGABYTE)
    stop = threading.Event()
    intake = Intake(types, images, blobs, commit, store.user_hash)
    outlets = Outlets(intake.send_to)
    relaying = Relaying(store, blobs, outlets.of("relays"))
    webhooks = EventDelivery(store, outlets.of("webhooks"))
    for follower in (relaying, webhooks):
        follower.follow()
    transitions = Transitions(store, segments, stop.is_set)
    background = chores(store, blobs, intake.rejections, find_users, stop)
    return Services(
        store,
        blobs,
        intake,
        Intake(types, images, NoBlobs(), Rehearsal(store), store.user_hash),
        commit,
        Upkeep(store, (*background, Chore("segments", SEGMENTS_SECONDS, transitions.look)), stop),
        settings.public_url.rstrip("/"),
        segments,
        WarmUp(store, segments, settings.segment_warm),
        settings.answers,
        images,
        types,
        schema_workers,
        settings,
        relaying,
        webhooks,
    )
