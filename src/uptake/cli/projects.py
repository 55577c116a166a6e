"""`uptake projects`: the tenants of an installation."""

import re
from typing import Annotated

import typer

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import Failed, Json, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Names are used in blob paths and URLs, so their characters are restricted."""

app = typer.Typer(help="Manage projects. Each has its own users, API keys and document types.")


@app.command()
@expand_groups
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes; at most 63.")],
    options: StoreOptions,
    *,
    json: Json = False,
) -> None:
    """Create a project."""
    from uptake.store.base import AlreadyExists

    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r}: a name has 1 to 63 letters, digits, '.', '_' or '-'")
    with options.open() as store:
        try:
            store.add_project(name, clock.now())
        except AlreadyExists:
            raise Failed(f"project {name!r} already exists") from None
    print_result({"name": name}, f"Created project {name}.", json=json)


@app.command("list")
@expand_groups
def list_projects(options: StoreOptions, *, json: Json = False) -> None:
    """List the projects."""
    with options.open() as store:
        names = store.projects()
    print_result([{"name": name} for name in names], *names, json=json)
