"""`uptake backup` and `uptake restore`: everything into a folder, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from uptake import wiring
from uptake.backup.create import NotEmpty, create
from uptake.backup.manifest import Damaged, Manifest, read_manifest
from uptake.backup.restore import check
from uptake.backup.restore import restore as restore_backup
from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, Json, print_json
from uptake.cli.showing import progress
from uptake.cli.store import DATA_DIR, BlobsUrl, Database, DataDir
from uptake.cli.terminal import say
from uptake.settings import Settings
from uptake.store.base import StoreUnusable

MAX_TOLD = 3
"""Missing blobs that are named, of however many there are."""


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made, or empty.", show_default=False)
    ],
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    json: Json = False,
) -> None:
    """Copy everything that is kept into a folder, while servers run and write.

    What was answered with success before it began is in it. It restores into any database.
    """
    settings = Settings(data_dir=data_dir, database=database, blobs=blobs)
    contents = wiring.open_contents(settings)
    with _shown() as shown:
        try:
            created = create(contents, wiring.open_named_blobs(settings), folder, shown)
        finally:
            contents.close()
    _tell(created.manifest, f"{folder} holds", json=json)
    if missing := created.missing:
        count = f"{len(missing)} of {len(missing) + created.manifest.blobs.rows} blobs"
        some = ", ".join(missing[:MAX_TOLD])
        raise Failed(f"not there, though rows name them: {count}, {some}")


def restore(  # noqa: PLR0913 - one parameter an option
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Of a backup.", show_default=False)
    ],
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    check_only: Annotated[
        bool, typer.Option("--check", help="Only check that the backup is whole.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring a backup back into an empty database, of the same engine or another.

    The backup is checked first, to the last byte; one that is damaged changes nothing.
    """
    settings = Settings(data_dir=data_dir, database=database, blobs=blobs)
    with _shown() as shown:
        if check_only:
            _tell(check(folder, shown), f"{folder} is whole:", json=json)
            return
        read_manifest(folder)  # before anything is made for what may not be there
        contents = wiring.open_contents(settings, make=True)
        try:
            manifest = restore_backup(folder, contents, wiring.open_named_blobs(settings), shown)
        finally:
            contents.close()
    _tell(manifest, f"{folder} is restored:", json=json)


class _Shown:
    """A line of progress for each part of the work, on a terminal."""

    def __init__(self, lines: Progress) -> None:
        self._lines = lines
        self._task = lines.add_task("", visible=False)

    def begin(self, what: str, total: int | None) -> None:
        """See `Progress.begin`."""
        self._task = self._lines.add_task(what, total=total)

    def advance(self, steps: int) -> None:
        """See `Progress.advance`."""
        self._lines.advance(self._task, steps)


@contextmanager
def _shown() -> Iterator[_Shown]:
    """Show how far the work is; what may go wrong with it becomes a line.

    Raises:
        Failed: it did.
    """
    try:
        with progress() as lines:
            yield _Shown(lines)
    except (Damaged, NotEmpty, StoreUnusable, BlobsUnavailable) as error:
        raise Failed(str(error)) from error


def _tell(manifest: Manifest, what: str, *, json: bool) -> None:
    if json:
        print_json(
            {
                "created_at": manifest.created_at,
                "revision": manifest.revision,
                "rows": {name: file.rows for name, file in manifest.tables.items()},
                "blobs": manifest.blobs.rows,
                "bytes": manifest.bytes,
            }
        )
        return
    count = f"{manifest.rows:,} rows and {manifest.blobs.rows:,} blobs"
    say(f"{what} {count} as of {manifest.created_at}, {manifest.bytes:,} bytes")
