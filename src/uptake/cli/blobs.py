"""`uptake blobs`: find and delete bytes that no row refers to."""

from typing import Annotated

import typer

from uptake.cli.options import InstallationOptions, option
from uptake.cli.terminal import Failed, Json, Yes, confirm, print_result, quantity
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock

DELETED_AT_ONCE = 1000
"""Blobs of one request: as many as S3 deletes in one."""

app = typer.Typer(help="Delete blobs that no row refers to.")


@app.command()
@expand_groups
def prune(
    options: InstallationOptions,
    *,
    dry_run: Annotated[
        bool, option("--dry-run", "Delete nothing. With --json, list the blobs.")
    ] = False,
    force: Annotated[
        bool, option("--force", "Delete also if most blobs of the store have no row.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete blobs that no row refers to, if they are older than a day.

    A server that is killed between the write of an image and the commit of its row leaves one.
    Servers may run at the same time.
    """
    from uptake import wiring
    from uptake.blobs import BlobsUnavailable
    from uptake.store.base import StoreUnusable
    from uptake.unused_blobs import find_unused

    settings = options.settings
    contents = wiring.open_contents(settings)
    try:
        blobs = wiring.open_named_blobs(settings)
        unused, used = find_unused(contents, blobs, clock.now())
        count = f"{len(unused):,} of {quantity(len(unused) + used, 'blob')}"
        if len(unused) > used and not dry_run and not force:
            raise Failed(
                f"{count} in {settings.blobs_url} have no row; check that this is their database,"
                " then run the command again with --force"
            )
        if unused and not dry_run:
            confirm(f"Delete {count}? No row refers to them. It cannot be undone.", yes=yes)
            for at in range(0, len(unused), DELETED_AT_ONCE):
                blobs.delete(unused[at : at + DELETED_AT_ONCE])
    except (StoreUnusable, BlobsUnavailable) as error:
        raise Failed(str(error)) from error
    finally:
        contents.close()
    found = {"unused": unused, "used": used, "deleted": not dry_run}
    shown = f"No row refers to {count}; none was deleted." if dry_run else f"Deleted {count}."
    print_result(found, shown, json=json)
