"""What the commands share that work on a store: its options, and how they tell what they did."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.cells import cell_len, set_cell_size

from uptake import wiring
from uptake.settings import Settings
from uptake.store.base import Store
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
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DATA_DIR = Settings().data_dir


class Failed(Exception):
    """The work could not be done; the message is for the person at the terminal."""


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
    services = wiring.open_services(Settings(data_dir=data_dir, database=database, blobs=blobs))
    try:
        yield services
    finally:
        services.close()


def require_project(store: Store, name: str) -> None:
    """Make sure that a project exists.

    Raises:
        Failed: it does not.
    """
    if name not in store.projects():
        raise Failed(f"there is no project {name!r}; 'uptake projects create {name}' makes it")


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def print_table(headings: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Print lines under headings, every cell whole however narrow the terminal is."""
    cells = [headings, *(["" if cell is None else str(cell) for cell in line] for line in lines)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
