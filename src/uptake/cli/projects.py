"""`uptake projects`: the tenants of a server."""

import re
from typing import Annotated

import typer

from uptake.cli.printing import Failed, Json, print_json
from uptake.cli.store import DATA_DIR, Database, DataDir, opened
from uptake.cli.terminal import say
from uptake.model import clock
from uptake.store.base import AlreadyExists

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Names go into blob paths and URLs, so they are plain."""

app = typer.Typer(help="Projects: each has its own users, keys and document types.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes; at most 63.")],
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Make a project."""
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r}: a name has 1 to 63 letters, digits, '.', '_' or '-'")
    with opened(data_dir, database) as store:
        try:
            store.add_project(name, clock.now())
        except AlreadyExists:
            raise Failed(f"there is a project {name!r} already") from None
    if json:
        print_json({"name": name})
    else:
        say(f"Project {name} is there.")


@app.command("list")
def list_projects(
    data_dir: DataDir = DATA_DIR, database: Database = "", *, json: Json = False
) -> None:
    """List the projects."""
    with opened(data_dir, database) as store:
        names = store.projects()
    if json:
        print_json([{"name": name} for name in names])
    else:
        say(*names)
