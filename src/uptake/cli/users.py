"""`uptake users`: list users; show, archive, erase and readmit one user."""

from pathlib import Path
from typing import Annotated

import typer

from uptake.cli.options import PageOptions, ProjectOptions, ServicesOptions, User, option
from uptake.cli.terminal import (
    Failed,
    Json,
    Yes,
    confirm,
    echo,
    print_json,
    print_list,
    print_result,
    print_table,
    quantity,
    spinner,
)
from uptake.http.parameter_groups import expand_groups

app = typer.Typer(help="List users; show, archive, erase and readmit one user.")


@app.command("list")
@expand_groups
def list_users(
    options: ProjectOptions,
    paging: PageOptions,
    *,
    prefix: Annotated[
        str, option("--prefix", "Only users with an id that starts with this text.")
    ] = "",
) -> None:
    """List a project's users in order of id."""
    from uptake.reading import users

    with options.open_project() as store:
        page = users.page(store, options.project, prefix, paging)
    rows = ((one.user_id, one.first_seen, one.last_seen) for one in page.users)
    headings = ("user", "first seen", "last seen")
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def show(user: User, options: ProjectOptions, *, json: Json = False) -> None:
    """Show a user's attributes and the number of stored samples, documents and images."""
    from uptake.reading import users
    from uptake.reading.series import UserData

    with options.open_project() as store:
        profile = users.profile(UserData(store, options.project, user))
    rows = (
        ("first seen", profile.first_seen),
        ("last seen", profile.last_seen),
        ("documents", profile.documents),
        ("images", profile.images),
        *((f"{metric} samples", stock.count) for metric, stock in profile.samples.items()),
        *(("attribute " + name, value) for name, value in sorted(profile.attributes.items())),
    )
    print_list(profile, ("user", user), rows, json=json)


@app.command()
@expand_groups
def archive(
    user: User,
    destination: Annotated[
        Path, typer.Argument(metavar="FILE", help="Zip file to create. It must not exist.")
    ],
    options: ServicesOptions,
    *,
    json: Json = False,
) -> None:
    """Write all data of a user to a zip file."""
    from uptake.cli.export import write_file
    from uptake.exports.archive import open_archive
    from uptake.reading.audit import record_export

    with options.open_services() as services:
        if destination.exists():
            raise Failed(f"{destination} already exists")
        record_export(services.store, options.project, user, {"kind": "archive"})
        with open_archive(services.store, services.blobs, options.project, user) as export:
            written = write_file(export, destination, spinner("writing the archive"))
    print_result(written, f"{destination}: {quantity(written['bytes'], 'byte')}", json=json)


@app.command()
@expand_groups
def erase(
    user: User,
    options: ServicesOptions,
    *,
    unknown: Annotated[bool, option("--unknown", "Allow a user without stored data.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Erase all data of a user and reject later uploads for the user."""
    from uptake.intake.erase import Eraser
    from uptake.model.items import user_id_fault
    from uptake.reading.erasures import erasure_receipt
    from uptake.reading.series import UserData

    with options.open_services() as services:
        fault = user_id_fault(user)
        if fault is not None:
            raise typer.BadParameter(f"USER {fault}")
        if not unknown:
            UserData(services.store, options.project, user).require()
        confirm(
            f"Erase all data of user {user!r} in project {options.project!r}? It cannot be undone.",
            yes=yes,
        )
        with spinner("erasing"):
            erasure = Eraser(services.store, services.blobs).erase(options.project, user)
            receipt = erasure_receipt(erasure, services.store.secrets())
    if json:
        print_json(receipt)
        return
    print_table(("erased", "how many"), list(receipt.counts.items()))
    echo(f"Receipt: {receipt.erasure_id}")
    if receipt.finished_at is None:
        echo("The object store cannot be reached. A server will erase the images later.")


@app.command()
@expand_groups
def readmit(
    user: User,
    options: ProjectOptions,
    *,
    after_erasure: Annotated[
        bool, option("--after-erasure", "Required. Confirms that the user consented again.")
    ] = False,
    json: Json = False,
) -> None:
    """Accept data of an erased user again. Erased data is not restored."""
    if not after_erasure:
        raise typer.BadParameter("--after-erasure is required: the user must have consented again")
    with options.open_project() as store:
        if not store.readmit(options.project, user):
            raise Failed(f"user {user!r} is not erased")
    readmitted = {"user_id": user, "readmitted": True}
    print_result(readmitted, f"Data of user {user} is accepted again.", json=json)
