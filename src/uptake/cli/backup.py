"""`uptake backup` and `uptake restore`: copy an installation to a folder and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import InstallationOptions, option
from uptake.cli.terminal import Failed, Json, Yes, confirm, print_result, progress, quantity
from uptake.http.parameter_groups import expand_groups

if TYPE_CHECKING:
    from rich.progress import Progress

    from uptake.backup.manifest import Manifest

MAX_LISTED = 3
"""Missing blobs listed in an error."""


@expand_groups
def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="New or empty folder.", show_default=False)
    ],
    options: InstallationOptions,
    *,
    json: Json = False,
) -> None:
    """Copy all data to a folder while servers run.

    The backup has everything that was acknowledged before it started. It can be restored into any
    supported database.
    """
    from uptake import wiring
    from uptake.backup.create import create

    with _watched() as watcher:
        contents = wiring.open_contents(options.settings)
        try:
            created = create(contents, wiring.open_named_blobs(options.settings), folder, watcher)
        finally:
            contents.close()
    _print(created.manifest, f"{folder}: stored", json=json)
    if missing := created.missing:
        blobs = quantity(len(missing) + created.manifest.blobs.rows, "blob")
        count = f"{len(missing):,} of {blobs}"
        raise Failed(
            f"missing although rows refer to them: {count}, {', '.join(missing[:MAX_LISTED])}"
        )


@expand_groups
def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the backup.", show_default=False)
    ],
    options: InstallationOptions,
    *,
    check_only: Annotated[
        bool, option("--check", "Only check that the backup is complete and undamaged.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Restore a backup into an empty database, of the same engine or another.

    The complete backup is checked first; a damaged one changes nothing.
    """
    from uptake import wiring
    from uptake.backup.manifest import read_manifest
    from uptake.backup.restore import check
    from uptake.backup.restore import restore as restore_backup

    with _watched() as watcher:
        if check_only:
            _print(check(folder, watcher), f"{folder}: complete,", json=json)
            return
        manifest = read_manifest(folder)  # fails before the database is created
    settings = options.settings
    place = "the database" if settings.database else settings.data_dir.resolve()
    confirm(
        f"Restore {quantity(manifest.rows, 'row')} of {manifest.created_at} into {place}?", yes=yes
    )
    with _watched() as watcher:
        contents = wiring.open_contents(settings, make=True)
        try:
            manifest = restore_backup(folder, contents, wiring.open_named_blobs(settings), watcher)
        finally:
            contents.close()
    _print(manifest, f"{folder}: restored", json=json)


class _Watcher:
    """Shows one progress bar for each part of the work."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._task = bars.add_task("", visible=False)

    def begin(self, what: str, total: int | None) -> None:
        """See `Progress.begin`."""
        self._task = self._bars.add_task(what, total=total)

    def advance(self, steps: int) -> None:
        """See `Progress.advance`."""
        self._bars.advance(self._task, steps)


@contextmanager
def _watched() -> Iterator[_Watcher]:
    from uptake.backup.create import NotEmpty
    from uptake.backup.manifest import Damaged
    from uptake.blobs import BlobsUnavailable
    from uptake.store.base import StoreUnusable

    try:
        with progress() as bars:
            yield _Watcher(bars)
    except (Damaged, NotEmpty, StoreUnusable, BlobsUnavailable) as error:
        raise Failed(str(error)) from error


def _print(manifest: "Manifest", what: str, *, json: bool) -> None:
    value = {
        "created_at": manifest.created_at,
        "revision": manifest.revision,
        "rows": {name: file.rows for name, file in manifest.tables.items()},
        "blobs": manifest.blobs.rows,
        "bytes": manifest.bytes,
    }
    count = f"{quantity(manifest.rows, 'row')} and {quantity(manifest.blobs.rows, 'blob')}"
    shown = f"{what} {count} as of {manifest.created_at}, {quantity(manifest.bytes, 'byte')}"
    print_result(value, shown, json=json)
