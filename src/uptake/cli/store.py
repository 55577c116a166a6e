"""What the commands share that work on a store: its options, and the store that they name."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from uptake import wiring
from uptake.cli.printing import Failed
from uptake.samples import times
from uptake.settings import Settings
from uptake.store.base import Projects, Store
from uptake.wiring import Services

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="UPTAKE_DATA_DIR", help="Folder of the database and the images."
    ),
]
Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="UPTAKE_DATABASE", help="URL of the database; else in --data-dir."
    ),
]
BlobsUrl = Annotated[
    str,
    typer.Option("--blobs", envvar="UPTAKE_BLOBS", help="URL of the images; else in --data-dir."),
]

DATA_DIR = Settings().data_dir


def instant(option: str, text: str | None) -> int | None:
    """The moment that an option names, in ticks (`TICKS_PER_SECOND` a second); None without one.

    Raises:
        typer.BadParameter: it is no ISO 8601 timestamp.
    """
    try:
        return None if text is None else times.read(text)[0]
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text}: {error}") from None


@contextmanager
def opened(data_dir: Path, database: str) -> Iterator[Store]:
    """The store that the options name.

    Raises:
        Unusable: it cannot be opened.
    """
    store = wiring.open_store(Settings(data_dir=data_dir, database=database))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_services(data_dir: Path, database: str, blobs: str) -> Iterator[Services]:
    """The store and the blobs that the options name.

    Raises:
        Unusable: one of them cannot be opened.
    """
    import structlog  # noqa: PLC0415 - without services nothing logs, and it takes long to load

    # What goes wrong is told by the command, in one line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    services = wiring.open_services(Settings(data_dir=data_dir, database=database, blobs=blobs))
    try:
        yield services
    finally:
        services.close()


def require_project(store: Projects, name: str) -> None:
    """Make sure that a project exists.

    Raises:
        Failed: it does not.
    """
    if name not in store.projects():
        raise Failed(f"there is no project {name!r}; 'uptake projects create {name}' makes it")
