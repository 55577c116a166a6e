"""`uptake projects`: the tenants of an installation."""

import re
from typing import Annotated

import typer

from uptake.cli.options import StoreOptions, require_project
from uptake.cli.terminal import Failed, Json, print_list, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock
from uptake.store.definitions import PROJECT_NAME

Name = Annotated[str, typer.Argument(metavar="NAME", help="Project name.", show_default=False)]

app = typer.Typer(help="Manage projects. Each has its own users, API keys and document types.")


@app.command()
@expand_groups
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Letters, digits, dots, dashes; at most 63.")
    ],
    options: StoreOptions,
    *,
    json: Json = False,
) -> None:
    """Create a project."""
    from uptake.store.base import AlreadyExists

    if not re.fullmatch(PROJECT_NAME, name):
        raise typer.BadParameter(f"{name!r}: a name has 1 to 63 letters, digits, '.', '_' or '-'")
    with options.open() as store:
        try:
            store.add_project(name, clock.now())
        except AlreadyExists:
            raise Failed(f"project {name!r} already exists") from None
    print_result({"name": name}, f"Created project {name}.", json=json)


@app.command()
@expand_groups
def update(
    name: Name,
    required: Annotated[
        bool,
        typer.Option(
            "--require-registration/--no-require-registration",
            help="Whether samples of users who are not registered are 404 (Gerosense).",
            show_default=False,
        ),
    ],
    options: StoreOptions,
    *,
    json: Json = False,
) -> None:
    """Change a project. Servers follow within seconds."""
    with options.open() as store:
        require_project(store, name)
        store.require_registration(name, required=required)
    line = f"Project {name} {'requires' if required else 'does not require'} registration."
    print_result({"name": name, "require_registration": required}, line, json=json)


@app.command("list")
@expand_groups
def list_projects(options: StoreOptions, *, json: Json = False) -> None:
    """List the projects."""
    with options.open() as store:
        names = store.projects()
    print_result([{"name": name} for name in names], *names, json=json)


@app.command()
@expand_groups
def show(
    name: Name,
    options: StoreOptions,
    *,
    json: Json = False,
) -> None:
    """Show a project's settings, API keys, document types and retention rules."""
    now = clock.now()
    with options.open() as store:
        require_project(store, name)
        keys = [key for key in store.keys() if key.project == name]  # noqa: SIM118 - not a dict
        types = [known.name for known in store.document_types(name)]
        rules = store.retention(name)
        registering = name in store.registering_projects()
    valid = [key for key in keys if key.is_valid(now)]
    shown = {"name": name, "keys": len(valid), "types": types, "retention_rules": len(rules)}
    shown |= {"require_registration": registering}
    rows = (
        ("valid API keys", len(valid)),
        ("document types", ", ".join(types) or "none"),
        ("retention rules", len(rules)),
        ("registration required", "yes" if registering else "no"),
    )
    print_list(shown, ("what", name), rows, json=json)
