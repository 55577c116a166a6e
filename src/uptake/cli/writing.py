"""Where an export goes: standard output, a file or a folder; and how far it has come."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from uptake.cli.printing import Failed
from uptake.cli.terminal import binary_output
from uptake.exports import (
    Compression,
    Export,
    Form,
    NotPossible,
    Progress,
    Question,
    compression_of,
)
from uptake.wiring import Services

SHOWN_EVERY_SECOND = 4


def to_output(
    services: Services, question: Question, form: Form, compression: Compression | None
) -> dict[str, Any]:
    """Write an export to standard output; how many rows it has, and its cursor.

    Raises:
        NotPossible: that form cannot be compressed with that.
    """
    from uptake.exports.exporting import opened  # noqa: PLC0415 - Arrow takes a while to load

    packed = compression_of(form, compression)
    with opened(services.store, services.blobs, question, form, packed) as running:
        out = binary_output()
        for part in running.parts:
            out.write(part)
        out.flush()
        return {"rows": running.progress.rows, "cursor": running.cursor}


def to_file(
    services: Services,
    question: Question,
    place: Path,
    form: Form,
    compression: Compression | None,
) -> dict[str, Any]:
    """Write an export to a file; its rows, size, digest and cursor.

    Raises:
        NotPossible: that form cannot be compressed with that.
    """
    from uptake.exports.exporting import opened  # noqa: PLC0415 - Arrow takes a while to load

    packed = compression_of(form, compression)
    with opened(services.store, services.blobs, question, form, packed) as running:
        kept = keep(running, place, _shown(question.kind, running.progress))
        return {"rows": running.progress.rows, **kept, "cursor": running.cursor}


def keep(running: Export, place: Path, shown: AbstractContextManager[None]) -> dict[str, Any]:
    """Write an export to a file that is there whole or not at all; its size and digest.

    Args:
        running: the export.
        place: where to.
        shown: tells meanwhile how far it has come.
    """
    from uptake.files import HashedFile, atomic_write  # noqa: PLC0415 - only for who writes files

    with atomic_write(place) as making, shown, HashedFile(making) as out:
        for part in running.parts:
            out.write(part)
    return {"bytes": out.size, "sha256": out.sha256}


def to_folder(
    services: Services,
    question: Question,
    place: Path,
    form: Form | None,
    compression: Compression | None,
) -> dict[str, Any]:
    """Write an export into a folder; its rows, files, size and cursor.

    Raises:
        NotPossible: a folder gets Parquet alone.
        Failed: there is something in the folder.
    """
    from uptake.exports.folder import write_folder  # noqa: PLC0415 - as above
    from uptake.files import atomic_write  # noqa: PLC0415 - as above

    if form not in {None, "parquet"}:
        raise NotPossible(f"a folder gets Parquet; name a file, {place}.{form}, to get {form}")
    packed = compression_of("parquet", compression)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise Failed(f"{place} is not empty: an export gets a folder of its own")
    progress = Progress()
    with atomic_write(place) as making, _shown(question.kind, progress):
        manifest = write_folder(services.store, services.blobs, question, making, packed, progress)
    size = sum(file.bytes for file in manifest.files)
    return {
        "rows": manifest.rows,
        "files": len(manifest.files),
        "bytes": size,
        "cursor": manifest.cursor,
    }


@contextmanager
def _shown(kind: str, progress: Progress) -> Iterator[None]:
    """Show on a terminal how far an export has come."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    done = threading.Event()
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def show() -> None:
            while not done.wait(1 / SHOWN_EVERY_SECOND):
                live.update(Text(f"{progress.rows:,} {kind}"), refresh=True)

        thread = threading.Thread(target=show, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
