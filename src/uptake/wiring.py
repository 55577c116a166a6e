"""The only place that names concrete things: which store, which blobs, put together how."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from uptake.blobs import Blobs, BlobsUnavailable, BlobsUnusable, open_blobs
from uptake.model.submission import NOBODY, Owners
from uptake.settings import AnswerLimits, Settings
from uptake.store.base import Store, StoreUnusable

# What a command does without is not loaded for it: most only open a store, and one kind of it.
if TYPE_CHECKING:
    from uptake.backup.ports import Contents
    from uptake.intake.accept import Intake
    from uptake.intake.commit import GroupCommit
    from uptake.intake.images.pool import ImagePool
    from uptake.intake.schemas import DocumentTypes, SchemaWorkers
    from uptake.intake.upkeep import Upkeep
    from uptake.reading.segments.questions import Segments

DATABASE_FILE = "uptake.db"
PRIVATE_FOLDER = 0o700
"""Mode of a data folder when it is made. That of an existing folder stays as it is: a group may
have been given access on purpose, for backups."""


class Unusable(Exception):
    """The server cannot work with these settings; the message says why."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a server works with."""

    store: Store
    blobs: Blobs
    intake: "Intake"
    commit: "GroupCommit"
    upkeep: "Upkeep"
    public_url: str
    segments: "Segments"
    answers: AnswerLimits
    images: "ImagePool"
    types: "DocumentTypes"
    schema_workers: "SchemaWorkers"

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self.images.close()
        self.upkeep.close()
        self.commit.close()
        self.segments.pool.close()
        self.schema_workers.close()
        self.store.close()


def open_store(settings: Settings) -> Store:
    """The store that the settings name, brought up to date.

    Raises:
        Unusable: it cannot be opened.
    """
    with _told():
        back_end, place = _database(settings, make=True)
        return back_end.load().open_store(place)


def open_contents(settings: Settings, *, make: bool = False) -> "Contents":
    """What is in the store that the settings name, whatever version wrote it.

    Args:
        settings: of a server.
        make: whether to make an empty store where there is none.

    Raises:
        Unusable: it cannot be opened.
    """
    with _told():
        back_end, place = _database(settings, make=make)
        return back_end.load().open_contents(place, make=make)


def distribute(settings: Settings) -> Iterator[tuple[str, str]]:
    """Spread the tables of a store over the nodes of its database.

    Yields:
        The name of each table that was placed, and the statement that did it.

    Raises:
        Unusable: the store is none that can be distributed.
    """
    with _told():
        back_end, place = _database(settings, make=False)
        distribute_tables = getattr(back_end.load(), "distribute", None)
        if distribute_tables is None:
            raise StoreUnusable("only PostgreSQL with the extension citus can be distributed")
        yield from distribute_tables(place)


def _database(settings: Settings, *, make: bool) -> "tuple[BackEnd, Any]":
    """What keeps the database, and where."""
    if not settings.database:
        if make:
            settings.data_dir.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        return BACK_ENDS["sqlite"], settings.data_dir / DATABASE_FILE
    scheme = urlsplit(settings.database).scheme
    if scheme not in BACK_ENDS:
        raise Unusable(f"--database: {scheme!r} is none of {', '.join(BACK_ENDS)}")
    return BACK_ENDS[scheme], BACK_ENDS[scheme].place(settings.database)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (StoreUnusable, OSError) as error:
        raise Unusable(str(error)) from error
    except ValueError as error:
        # What was given is not told: it may hold a password.
        raise Unusable(f"--database: {error}") from error


def _file(url: str) -> Path:
    # As everywhere with SQLite: three slashes for a relative path, four for an absolute one.
    return Path(unquote(urlsplit(url).path[1:]))


class Opening(Protocol):
    """What the module of a back end has; and a function `distribute`, if it can be distributed."""

    def open_store(self, place: Any, /) -> Store:
        """A store, brought up to date."""

    def open_contents(self, place: Any, /, *, make: bool = False) -> "Contents":
        """What is in a store, whatever version wrote it."""


@dataclass(frozen=True, slots=True)
class BackEnd:
    """What can keep a database: the module that opens it, and what its URL becomes for that."""

    module: str
    place: Callable[[str], Any] = str

    def load(self) -> Opening:
        """Its module."""
        return cast("Opening", import_module(self.module))


BACK_ENDS = {
    "sqlite": BackEnd("uptake.store.sqlite", _file),
    "postgresql": BackEnd("uptake.store.postgres"),
    "postgres": BackEnd("uptake.store.postgres"),
}
"""By the scheme of its URL."""


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


def find_users(name: str, body: bytes, context: dict[str, str]) -> Owners:
    """The users of a rejected request, from the name of its operation, its body and its context.

    A format that this installation does not have any more finds nobody.
    """
    from uptake.formats.redecode import users_of_rejection  # noqa: PLC0415
    from uptake.formats.registry import UPLOADS  # noqa: PLC0415 - see above

    operation = UPLOADS.get(name)
    return NOBODY if operation is None else users_of_rejection(operation, body, context)


def open_services(settings: Settings) -> Services:
    """Everything, ready to serve.

    Raises:
        Unusable: the store or the blobs cannot be opened.
    """
    from uptake.intake.accept import Intake  # noqa: PLC0415 - see above
    from uptake.intake.commit import GroupCommit  # noqa: PLC0415
    from uptake.intake.images.pool import ImagePool  # noqa: PLC0415
    from uptake.intake.schemas import DocumentTypes, SchemaWorkers  # noqa: PLC0415
    from uptake.intake.upkeep import Upkeep, chores  # noqa: PLC0415
    from uptake.reading.segments.pool import MEGABYTE  # noqa: PLC0415
    from uptake.reading.segments.questions import Segments  # noqa: PLC0415

    store = open_store(settings)
    try:
        blobs = open_named_blobs(settings)
    except Unusable:
        store.close()
        raise
    schema_workers = SchemaWorkers()
    types = DocumentTypes(store, schema_workers)
    images = ImagePool(settings.image_rate)
    commit = GroupCommit(store, blobs)
    intake = Intake(types, images, blobs, commit, store.user_hash)
    return Services(
        store,
        blobs,
        intake,
        commit,
        Upkeep(store, chores(store, blobs, intake.rejections, find_users)),
        settings.public_url.rstrip("/"),
        Segments(store, settings.segment_memory * MEGABYTE),
        settings.answers,
        images,
        types,
        schema_workers,
    )
