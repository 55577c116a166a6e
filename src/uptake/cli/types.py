"""`uptake types`: which JSON documents a project takes."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Raw

from uptake.cli.printing import Failed, Json, print_json, print_table
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.intake.schemas import InvalidSchema, compile_schema
from uptake.model import clock
from uptake.store.base import DEFAULT_PROJECT
from uptake.store.records import DocumentType

app = typer.Typer(help="Document types: what may be sent to /v1/user-data/NAME.")
Project = Annotated[str, typer.Option("--project", help="The project it belongs to.")]


@app.command()
def add(  # noqa: PLR0913 - one parameter an option
    name: Annotated[str, typer.Argument(help="As in the address it is sent to.")],
    schema: Annotated[
        Path | None, typer.Option("--schema", help="A JSON Schema that documents must fulfil.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Register a document type, or give it another schema."""
    if not name or len(name) > 256 or "\0" in name:
        raise typer.BadParameter("a name has 1 to 256 characters")
    text = None if schema is None else _read(schema)
    with opened(data_dir, database) as store:
        require_project(store, project)
        store.put_type(project, DocumentType(name, text, clock.now()))
    if json:
        print_json({"name": name, "project": project, "schema": text and Raw(text.encode())})
    else:
        typer.echo(f"Project {project} takes documents of the type {name}.")


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        compile_schema(text)
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"--schema {path}: {error}") from error
    except InvalidSchema as error:
        raise Failed(f"--schema {path}: not a JSON Schema: {error}") from error
    return text


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
        schemas = [None if known.schema is None else Raw(known.schema.encode()) for known in found]
        print_json(
            [
                {"name": known.name, "project": project, "schema": schema}
                for known, schema in zip(found, schemas, strict=True)
            ]
        )
    else:
        print_table(
            ["name", "schema"], [(known.name, "yes" if known.schema else "no") for known in found]
        )
