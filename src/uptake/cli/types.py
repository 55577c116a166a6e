"""`uptake types`: document types and their schemas."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import ProjectOptions, option
from uptake.cli.terminal import (
    Failed,
    Json,
    counter,
    echo,
    print_json,
    print_list,
    print_result,
    print_table,
    quantity,
)
from uptake.http.parameter_groups import expand_groups
from uptake.reading import Unknown

if TYPE_CHECKING:
    from uptake.intake.dry_run import SchemaTrial, Trial
    from uptake.intake.schemas import Schema, SchemaWorkers
    from uptake.store.definitions import DocumentType

SNAPSHOT_SECONDS = 1.0
"""Part of a dry run that uses one snapshot of the database; then the progress bar is updated."""


app = typer.Typer(help="Manage document types: the NAME in /v1/user-data/NAME.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name, as in the upload path.")]


@app.command()
@expand_groups
def add(
    name: Name,
    options: ProjectOptions,
    schema: Annotated[
        Path | None, option("--schema", "JSON Schema file that documents must match.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Register a document type, or change its schema, which creates a new version."""
    from uptake.intake.schemas import InvalidName, SchemaWorkers, register

    workers = SchemaWorkers()
    text = None if schema is None else _compiled(schema, workers).text
    with options.open_project() as store:
        try:
            registered = register(store, options.project, name, text, workers)
        except InvalidName as error:
            raise typer.BadParameter(str(error)) from None
    version = f", version {registered.version}" if registered.version > 1 else ""
    accepts = f"Project {options.project} accepts documents of type {name}{version}."
    print_result(_view(registered, options.project), accepts, json=json)


@app.command("list")
@expand_groups
def list_types(options: ProjectOptions, *, json: Json = False) -> None:
    """List a project's document types."""
    with options.open_project() as store:
        found = store.document_types(options.project)
    views = [_view(known, options.project) for known in found]
    rows = ((known.name, "yes" if known.schema else "no", known.version) for known in found)
    print_list(views, ["name", "schema", "version"], rows, json=json)


@app.command()
@expand_groups
def show(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Show a document type and its current schema."""
    with options.open_project() as store:
        known = store.document_type(options.project, name)
        if known is None:
            raise Unknown("document type", name)
    view = _view(known, options.project)
    if json:
        print_json(view)
        return
    accepts = "accepts any JSON object" if known.schema is None else "accepts this schema:"
    echo(f"{name}, version {known.version}, {accepts}")
    if known.schema is not None:
        print_json(view["schema"], indent=True)


@app.command()
@expand_groups
def versions(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """List the schema versions of a type and the documents stored for each."""
    from uptake.reading.types import all_versions

    with options.open_project() as store:
        found = all_versions(store, options.project, name)
    rows = (
        (
            one.version,
            "no" if one.schema is None else "yes",
            one.created_at,
            f"{one.documents:,}",
            one.first_received,
            one.last_received,
        )
        for one in found
    )
    headings = ["version", "schema", "created", "documents", "first received", "last received"]
    print_list(found, headings, rows, json=json)


@app.command("dry-run")
@expand_groups
def dry_run(
    name: Name,
    options: ProjectOptions,
    schema: Annotated[Path, option("--schema", "JSON Schema file to try.")],
    *,
    json: Json = False,
) -> int:
    """Show which stored documents a schema would reject. Changes nothing.

    Exits with 1 if it would reject any.
    """
    from uptake.intake.dry_run import SchemaTrial
    from uptake.intake.schemas import SchemaWorkers

    check = _compiled(schema, SchemaWorkers())
    with options.open_project() as store:
        if store.document_type(options.project, name) is None:
            raise Unknown("document type", name)
        stock = store.document_versions(options.project, name)
        with counter("documents", sum(version.count for version in stock)) as advance:
            trial = _try(SchemaTrial(store, options.project, name, check), advance)
    if json:
        print_json({name: getattr(trial, name) for name in ("documents", "failing", "examples")})
    else:
        _print_trial(trial)
    return 1 if trial.failing else 0


def _try(trial: "SchemaTrial", advance: Callable[[int], None]) -> "Trial":
    """Try all documents in several runs, so that no snapshot is held for long."""
    from uptake.intake.dry_run import EXAMPLES, START, Trial

    total = Trial(0, 0, [], START)
    while total.next is not None:
        part = trial.run(total.next, SNAPSHOT_SECONDS)
        advance(part.documents)
        total = Trial(
            total.documents + part.documents,
            total.failing + part.failing,
            [*total.examples, *part.examples][:EXAMPLES],
            part.next,
        )
    return total


def _print_trial(trial: "Trial") -> None:
    failing = f"{trial.failing:,}" if trial.failing else "None"
    echo(f"{failing} of {quantity(trial.documents, 'document')} would be rejected.")
    if not trial.examples:
        return
    rows = [
        (example.user_id, example.upload_id, example.version, reason.path, reason.reason)
        for example in trial.examples
        for reason in example.reasons
    ]
    print_table(["user", "upload id", "version", "path", "reason"], rows)


def _compiled(path: Path, workers: "SchemaWorkers") -> "Schema":
    from uptake.intake.schemas import MAX_BYTES, InvalidSchema, compile_schema
    from uptake.model.problems import json_reason

    try:
        with path.open(encoding="utf-8-sig") as file:
            # One character over the limit is enough to reject a schema that is too long.
            return compile_schema(file.read(MAX_BYTES + 1), workers)
    except OSError as error:
        raise Failed(f"--schema {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Failed(f"--schema {path}: {json_reason(error)}") from error
    except InvalidSchema as error:
        raise Failed(f"--schema {path}: not a JSON Schema: {error}") from error


def _view(known: "DocumentType", project: str) -> dict[str, object]:
    from msgspec import Raw

    schema = None if known.schema is None else Raw(known.schema.encode())
    return {"name": known.name, "project": project, "schema": schema, "version": known.version}
