"""`uptake users`: what is kept about one user, as a whole: seen, handed over, erased."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, Json, print_json, print_table
from uptake.cli.showing import waiting
from uptake.cli.store import (
    DATA_DIR,
    BlobsUrl,
    Database,
    DataDir,
    opened,
    opened_services,
    require_project,
)
from uptake.cli.terminal import say
from uptake.cli.writing import keep
from uptake.intake.erase import Eraser
from uptake.model.items import user_id_fault
from uptake.reading import Unknown, users
from uptake.reading.erasures import erasure_receipt
from uptake.store.base import DEFAULT_PROJECT

app = typer.Typer(help="One user: what is kept, everything as an archive, erasure.")
User = Annotated[str, typer.Argument(metavar="USER", help="The id.", show_default=False)]
Project = Annotated[str, typer.Option("--project", help="Whose data.")]


@app.command()
def show(
    user: User,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Show a user's attributes, and how much of everything else is kept."""
    with opened(data_dir, database) as store, _known(user):
        require_project(store, project)
        profile = users.profile(store, project, user)
    if json:
        print_json(profile)
        return
    lines = [
        ("first seen", profile.first_seen),
        ("last seen", profile.last_seen),
        ("documents", profile.documents),
        ("images", profile.images),
        *((f"{metric} samples", told.count) for metric, told in profile.samples.items()),
        *(("attribute " + name, value) for name, value in sorted(profile.attributes.items())),
    ]
    print_table(("what", user), lines)


@app.command()
def archive(  # noqa: PLR0913, PLR0917 - one parameter an option
    user: User,
    destination: Annotated[
        Path, typer.Argument(metavar="FILE", help="A zip file that is not there yet.")
    ],
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    json: Json = False,
) -> None:
    """Write everything about a user to a zip file."""
    from uptake.exports.archive import archived  # noqa: PLC0415 - Arrow takes a while to load

    with opened_services(data_dir, database, blobs) as services, _known(user):
        require_project(services.store, project)
        if destination.exists():
            raise Failed(f"{destination} is there already")
        with archived(services.store, services.blobs, project, user) as running:
            told = keep(running, destination, waiting("writing the archive"))
    if json:
        print_json(told)
    else:
        say(f"{destination}: {told['bytes']:,} bytes")


@app.command()
def erase(  # noqa: PLR0913 - one parameter an option
    user: User,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also someone of whom no data is kept.")
    ] = False,
    json: Json = False,
) -> None:
    """Erase all that is kept about a user, at once, and keep out what is still on its way."""
    with opened_services(data_dir, database, blobs) as services:
        require_project(services.store, project)
        fault = user_id_fault(user)
        if fault is not None:
            raise typer.BadParameter(f"USER {fault}")
        if not unknown:
            with _known(user):
                users.require(services.store, project, user)
        with waiting("erasing"):
            erasure = Eraser(services.store, services.blobs).erase(project, user)
            receipt = erasure_receipt(erasure, services.store.secrets())
    if json:
        print_json(receipt)
        return
    print_table(("erased", "how many"), list(receipt.counts.items()))
    say(f"Receipt: {receipt.erasure_id}")
    if receipt.finished_at is None:
        say("Images could not be reached: a server will erase them when they can be.")


@app.command()
def readmit(
    user: User,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    after_erasure: Annotated[
        bool, typer.Option("--after-erasure", help="Must be given: the user consents again.")
    ] = False,
) -> None:
    """Let an erased user in again; nothing of what was erased comes back."""
    if not after_erasure:
        raise typer.BadParameter("--after-erasure says that the user consents again")
    with opened(data_dir, database) as store:
        require_project(store, project)
        if not store.readmit(project, user):
            raise Failed(f"the user {user!r} was not kept out")


@contextmanager
def _known(user: str) -> Iterator[None]:
    try:
        yield
    except Unknown:
        raise Failed(f"there is no user {user!r} in this project") from None
    except BlobsUnavailable as error:
        raise Failed(str(error)) from error
