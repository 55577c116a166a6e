"""`uptake types`: which JSON documents a project takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Raw

from uptake.cli.printing import Failed, Json, print_json, print_table
from uptake.cli.showing import counting
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.cli.terminal import say
from uptake.intake.dry_run import EXAMPLES, START, Trial, try_schema
from uptake.intake.schemas import (
    MAX_BYTES,
    Check,
    InvalidName,
    InvalidSchema,
    Schema,
    SchemaWorkers,
    compile_schema,
    register,
)
from uptake.reading import Unknown
from uptake.reading.types import all_versions
from uptake.store.base import DEFAULT_PROJECT, Snapshots
from uptake.store.definitions import DocumentType

PORTION_SECONDS = 1.0
"""Of a dry run, between two steps of its progress; so long a state of the database is held."""

app = typer.Typer(help="Document types: what may be sent to /v1/user-data/NAME.")
Name = Annotated[str, typer.Argument(help="As in the address it is sent to.")]
Project = Annotated[str, typer.Option("--project", help="The project it belongs to.")]


@app.command()
def add(  # noqa: PLR0913 - one parameter an option
    name: Name,
    schema: Annotated[
        Path | None, typer.Option("--schema", help="A JSON Schema that documents must fulfil.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Register a document type, or give it another schema, which is its next version."""
    workers = SchemaWorkers()
    text = None if schema is None else _compiled(schema, workers).text
    with opened(data_dir, database) as store:
        require_project(store, project)
        try:
            stands = register(store, project, name, text, workers)
        except InvalidName as error:
            raise typer.BadParameter(str(error)) from None
    if json:
        print_json(_told(stands, project))
    else:
        version = f", version {stands.version}" if stands.version > 1 else ""
        say(f"Project {project} takes documents of the type {name}{version}.")


@app.command("list")
def list_types(
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """List a project's document types."""
    with opened(data_dir, database) as store:
        require_project(store, project)
        found = store.document_types(project)
    if json:
        print_json([_told(known, project) for known in found])
    else:
        print_table(
            ["name", "schema", "version"],
            [(known.name, "yes" if known.schema else "no", known.version) for known in found],
        )


@app.command()
def versions(
    name: Name,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """List the schemas that a type has had, and what is kept of the documents that each judged."""
    with opened(data_dir, database) as store:
        require_project(store, project)
        try:
            found = all_versions(store, project, name)
        except Unknown:
            raise _unknown(project, name) from None
    if json:
        print_json(found)
        return
    print_table(
        ["version", "schema", "created", "documents", "first received", "last received"],
        [
            (
                one.version,
                "no" if one.schema is None else "yes",
                one.created_at,
                f"{one.documents:,}",
                one.first_received,
                one.last_received,
            )
            for one in found
        ],
    )


@app.command("dry-run")
def dry_run(  # noqa: PLR0913 - one parameter an option
    name: Name,
    schema: Annotated[Path, typer.Option("--schema", help="The JSON Schema to try.")],
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> int:
    """Say which of the documents that are kept a schema would reject; nothing is changed.

    Ends with 1 when it would reject any.
    """
    check = _compiled(schema, SchemaWorkers())
    with opened(data_dir, database) as store:
        require_project(store, project)
        if store.document_type(project, name) is None:
            raise _unknown(project, name)
        stock = store.document_versions(project, name)
        with counting("documents", sum(kept.count for kept in stock)) as advance:
            trial = _try(store, project, name, check, advance)
    if json:
        told = {name: getattr(trial, name) for name in ("documents", "failing", "examples")}
        print_json(told)
    else:
        _show(trial)
    return 1 if trial.failing else 0


def _try(
    store: Snapshots, project: str, name: str, check: Check, advance: Callable[[int], None]
) -> Trial:
    """A trial of all documents, in portions: no state of the database is held for long."""
    whole = Trial(0, 0, [], START)
    while whole.next is not None:
        part = try_schema(store, project, name, check, whole.next, PORTION_SECONDS)
        advance(part.documents)
        whole = Trial(
            whole.documents + part.documents,
            whole.failing + part.failing,
            [*whole.examples, *part.examples][:EXAMPLES],
            part.next,
        )
    return whole


def _show(trial: Trial) -> None:
    failing = f"{trial.failing:,}" if trial.failing else "None"
    say(f"{failing} of {trial.documents:,} documents would fail.")
    if not trial.examples:
        return
    lines = [
        (example.user_id, example.upload_id, example.version, reason.path, reason.reason)
        for example in trial.examples
        for reason in example.reasons
    ]
    print_table(["user", "upload id", "version", "path", "reason"], lines)


def _compiled(path: Path, workers: SchemaWorkers) -> Schema:
    try:
        with path.open(encoding="utf-8-sig") as file:
            # One character more than a schema may have: then it is rejected, whatever follows.
            return compile_schema(file.read(MAX_BYTES + 1), workers)
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"--schema {path}: {error}") from error
    except InvalidSchema as error:
        raise Failed(f"--schema {path}: not a JSON Schema: {error}") from error


def _told(known: DocumentType, project: str) -> dict[str, object]:
    schema = None if known.schema is None else Raw(known.schema.encode())
    return {"name": known.name, "project": project, "schema": schema, "version": known.version}


def _unknown(project: str, name: str) -> Failed:
    return Failed(f"the project {project} has no document type {name!r}")
