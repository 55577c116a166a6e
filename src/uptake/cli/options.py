"""Options that several commands share, and the store that they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uptake.cli.terminal import Failed, Json
from uptake.model.acting import COMMAND_LINE, Act, acting
from uptake.reading import DEFAULT_LIMIT, MAX_LIMIT, BadCursor, Page, Unknown
from uptake.settings import Settings, variable
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.time_units import TICKS_PER_MICROSECOND

if TYPE_CHECKING:
    from uptake.store.base import Store
    from uptake.store.project_ports import Projects
    from uptake.wiring import Services


def option(name: str, meaning: str, *, env: bool = False, **properties: Any) -> Any:
    """A Typer option; with `env` it can also be set by the variable `UPTAKE_NAME`."""
    envvar = variable(name) if env else None
    return typer.Option(name, envvar=envvar, help=meaning, **properties)


STORAGE = "Storage"
"""A group of options in the help."""

DataDir = Annotated[
    Path,
    option(
        "--data-dir", "Folder of the database and the images.", env=True, rich_help_panel=STORAGE
    ),
]
Database = Annotated[
    str,
    option(
        "--database",
        "Database URL. Default: SQLite in `--data-dir`.",
        env=True,
        rich_help_panel=STORAGE,
    ),
]
BlobsUrl = Annotated[
    str,
    option(
        "--blobs",
        "Object store URL for images. Default: a folder in `--data-dir`.",
        env=True,
        rich_help_panel=STORAGE,
    ),
]
DATA_DIR = Settings().data_dir

Cursor = Annotated[str | None, option("--cursor", "Continue after this cursor of an earlier list.")]
Limit = Annotated[int, option("--limit", "Maximum number of entries.", min=1, max=MAX_LIMIT)]
User = Annotated[str, typer.Argument(metavar="USER", help="User id.", show_default=False)]


@dataclass(frozen=True)
class PageOptions(Page):
    """Options of commands that print a page of a list."""

    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT
    json: Json = False


@dataclass(frozen=True)
class _Project:
    project: Annotated[str, option("--project", "Project name.")] = DEFAULT_PROJECT


@dataclass(frozen=True)
class StoreOptions:
    """Options of commands that open the database."""

    data_dir: DataDir = DATA_DIR
    database: Database = ""

    @property
    def settings(self) -> Settings:
        """Settings with these options."""
        return Settings(data_dir=self.data_dir, database=self.database)

    @contextmanager
    def open(self) -> "Iterator[Store]":
        """Open the store while the block runs.

        Raises:
            Missing: there is no database.
            Unusable: it cannot be opened.
        """
        from uptake import wiring

        store = wiring.open_store(self.settings)
        try:
            with acting(Act(COMMAND_LINE)):
                yield store
        finally:
            store.close()


@dataclass(frozen=True)
class ProjectOptions(StoreOptions, _Project):
    """Options of commands on one project's rows in the database."""

    @contextmanager
    def open_project(self) -> "Iterator[Store]":
        """Open the store of a project that exists; errors of queries become one line.

        Raises:
            Failed: the project or the entry does not exist, or a query failed.
        """
        with self.open() as store, reporting_errors(self.project):
            require_project(store, self.project)
            yield store


@dataclass(frozen=True)
class InstallationOptions(StoreOptions):
    """Options of commands that open the database and the images."""

    blobs: BlobsUrl = ""

    @property
    def settings(self) -> Settings:
        """Settings with these options."""
        return Settings(data_dir=self.data_dir, database=self.database, blobs=self.blobs)


@dataclass(frozen=True)
class ServicesOptions(InstallationOptions, ProjectOptions):
    """Options of commands on one project's rows and images."""

    @contextmanager
    def open_services(self) -> "Iterator[Services]":
        """As `open_project`, with all services of a server.

        Raises:
            Failed: the project or the entry does not exist, or a query failed.
        """
        import logging

        import structlog

        from uptake import wiring

        # The command reports an error in one line, so the services do not log it too.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        services = wiring.open_services(self.settings)
        try:
            with reporting_errors(self.project), acting(Act(COMMAND_LINE)):
                require_project(services.store, self.project)
                yield services
        finally:
            services.close()


@dataclass(frozen=True)
class ReceivedOptions:
    """Options that select what was received."""

    format_: Annotated[
        str | None, option("--format", "Only from this endpoint, e.g. gerosense-v2.2.")
    ] = None
    key: Annotated[str | None, option("--key", "Only sent with this key id.")] = None
    user: Annotated[str | None, option("--user", "Only of this user.")] = None
    from_: Annotated[
        str | None, option("--from", "Received at or after this time (ISO 8601; default zone UTC).")
    ] = None
    to: Annotated[str | None, option("--to", "Received before this time.")] = None

    def check(self) -> None:
        """Check the endpoint.

        Raises:
            BadParameter: it does not exist.
        """
        from uptake.formats.registry import UPLOADS

        if self.format_ is not None and self.format_ not in UPLOADS:
            raise typer.BadParameter(
                f"--format: must be one of {', '.join(UPLOADS)} (got {self.format_!r})"
            )

    def times(self) -> tuple[int | None, int | None]:
        """The times, in microseconds.

        Raises:
            BadParameter: a time is not ISO 8601.
        """
        return moment("--from", self.from_), moment("--to", self.to)


LISTS = {
    "document type": "uptake types list; create one: uptake types add NAME",
    "segment": "uptake segments list",
    "rejection": "uptake rejections list",
    "erasure": "uptake erasures list",
    "relay": "uptake relay list",
    "webhook": "uptake webhooks list",
    "failed event": "uptake webhooks failed ID",
}
"""The command that lists what there is, by what does not exist; that of types also what to do."""


@contextmanager
def reporting_errors(project: str) -> Iterator[None]:
    """Turn errors of queries into errors of the command line.

    Raises:
        Failed: the entry does not exist, or storage cannot be reached.
        BadParameter: the cursor is invalid.
    """
    from uptake.blobs import BlobsUnavailable
    from uptake.model.problems import Problem

    try:
        yield
    except BadCursor as error:
        raise typer.BadParameter(f"--cursor: {error}") from None
    except Unknown as error:
        known = f"; list them: {LISTS[error.noun]}" if error.noun in LISTS else ""
        if error.known:
            known = f"; it has: {', '.join(error.known)}"
        raise Failed(f"project {project!r} has no {error.noun} {error.name!r}{known}") from None
    except (BlobsUnavailable, Problem) as error:
        raise Failed(str(error)) from error


def require_project(store: "Projects", name: str) -> None:
    """Check that a project exists.

    Raises:
        Failed: it does not.
    """
    if name not in store.projects():
        raise Failed(f"project {name!r} does not exist; create it: uptake projects create {name}")


def instant(option: str, text: str | None) -> int | None:
    """The time given by an option, in ticks (`TICKS_PER_SECOND`); None without one.

    Raises:
        BadParameter: it is not an ISO 8601 timestamp.
    """
    return None if text is None else zoned_instant(option, text)[0]


def moment(option: str, text: str | None) -> int | None:
    """The time given by an option, in microseconds; None without one.

    Raises:
        BadParameter: it is not an ISO 8601 timestamp.
    """
    ticks = instant(option, text)
    return None if ticks is None else ticks // TICKS_PER_MICROSECOND


def zoned_instant(option: str, text: str) -> tuple[int, bool]:
    """The time given by an option, in ticks, and whether it has an offset or `Z`.

    Raises:
        BadParameter: it is not an ISO 8601 timestamp.
    """
    from uptake.samples import times

    try:
        return times.read_zoned(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{option} {text!r}: {error}; expected e.g. 2024-05-01 or 2024-05-01T10:00:00+02:00"
        ) from None


def zone_of(name: str) -> str | None:
    """The zone given by `--zone`; None for the local time of each sample.

    Raises:
        BadParameter: it is not an IANA time zone.
    """
    from uptake.reading.rollup_rows import zone_named

    try:
        return zone_named(name)
    except ValueError as error:
        raise typer.BadParameter(f"--zone: {error}") from None
