"""`uptake retention`: how long a project's data is kept."""

from typing import Annotated, get_args

import msgspec
import typer

from uptake.cli.printing import Json, print_json, print_table
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.intake.retain import Due, due, faults_of
from uptake.model import clock
from uptake.store.base import DEFAULT_PROJECT, Retention
from uptake.store.definitions import RetentionKind, RetentionRule

KINDS: tuple[RetentionKind, ...] = get_args(RetentionKind)

app = typer.Typer(help="How long data is kept after it was received. Servers apply it every hour.")
Project = Annotated[str, typer.Option("--project", help="The project it holds for.")]
Kind = Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")]
Type = Annotated[
    str,
    typer.Option(
        "--type", help="A metric, a document type, or unknown-user of rejections; else all."
    ),
]


@app.command("set")
def set_rule(  # noqa: PLR0913, PLR0917 - one parameter an option
    kind: Kind,
    days: Annotated[int, typer.Argument(help="How many days.")],
    type_: Type = "",
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take away now.")
    ] = False,
    json: Json = False,
) -> None:
    """Keep data of a kind for so many days."""
    rule = RetentionRule(_kind(kind), days, type_)
    for fault in faults_of([rule]):
        raise typer.BadParameter(fault)
    with opened(data_dir, database) as store:
        require_project(store, project)
        if not dry_run:
            store.put_retention(project, [*_others(store, project, rule), rule])
        _tell(due(store, project, [rule], clock.now()), json=json)


@app.command("remove")
def remove_rule(
    kind: Kind,
    type_: Type = "",
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
) -> None:
    """Keep data of a kind for ever."""
    rule = RetentionRule(_kind(kind), 1, type_)
    with opened(data_dir, database) as store:
        require_project(store, project)
        store.put_retention(project, _others(store, project, rule))


@app.command("list")
def list_rules(
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """List the rules, and what they would take away now."""
    with opened(data_dir, database) as store:
        require_project(store, project)
        _tell(due(store, project, store.retention(project), clock.now()), json=json)


def _kind(name: str) -> RetentionKind:
    for kind in KINDS:
        if kind == name:
            return kind
    raise typer.BadParameter(f"{name!r} is none of {', '.join(KINDS)}")


def _others(store: Retention, project: str, rule: RetentionRule) -> list[RetentionRule]:
    about = (rule.kind, rule.type)
    return [other for other in store.retention(project) if (other.kind, other.type) != about]


def _tell(rules: list[Due], *, json: bool) -> None:
    if json:
        print_json([msgspec.structs.asdict(rule) for rule in rules])
        return
    lines = [(rule.kind, rule.type or "all", rule.days, rule.due) for rule in rules]
    print_table(("kind", "type", "days", "due now"), lines)
