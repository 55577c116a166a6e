"""`uptake export`: what a project holds, as a file or a folder of files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, Json, print_json
from uptake.cli.store import DATA_DIR, BlobsUrl, Database, DataDir, opened_services, require_project
from uptake.cli.writing import to_file, to_folder, to_output
from uptake.exports import (
    FORMS,
    PACKED_AS_A_WHOLE,
    PACKED_SUFFIXES,
    SUFFIXES,
    Compression,
    Form,
    Kind,
    NotPossible,
    Question,
)
from uptake.model.items import METRICS, Metric
from uptake.reading import BadCursor, Unknown
from uptake.reading.users import require
from uptake.samples import times
from uptake.store.base import DEFAULT_PROJECT, Store

Moment = "ISO 8601; without an offset, UTC."


def export(  # noqa: PLR0913, PLR0917 - one parameter an option
    kind: Annotated[Kind, typer.Argument(help="What to export.")],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="A file, a folder, or - for standard output.")
    ],
    project: Annotated[str, typer.Option("--project", help="Whose data.")] = DEFAULT_PROJECT,
    form: Annotated[
        Form | None, typer.Option("--form", help="Of a file; else what its name ends with.")
    ] = None,
    compression: Annotated[
        Compression | None,
        typer.Option("--compression", help="Else what the name ends with; zstd inside of Parquet."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Only what is about this user.")
    ] = None,
    metric: Annotated[Metric | None, typer.Option("--metric", help="Only these samples.")] = None,
    type_name: Annotated[
        str | None, typer.Option("--type", help="Only documents of this type.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", help=f"Inclusive. {Moment}")] = None,
    to: Annotated[str | None, typer.Option("--to", help=f"Exclusive. {Moment}")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what was received after the export with this cursor."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    json: Json = False,
) -> None:
    """Write what a project holds to a file or a folder.

    A folder gets Parquet files, samples one for each metric and month, and a manifest.
    """
    place = Path(destination)
    asked_form = form or _form_of(place)
    question = Question(
        kind,
        project,
        users=None if user is None else lambda: [user],
        start=_instant("--from", from_),
        end=_instant("--to", to),
        since=since,
        metrics=METRICS if metric is None else (metric,),
        type_name=type_name,
    )
    with opened_services(data_dir, database, blobs) as services:
        require_project(services.store, project)
        if user is not None:
            _require_user(services.store, project, user)
        with _telling_why():
            if destination == "-":
                told = to_output(services, question, form or "ndjson", compression)
            elif asked_form is None or place.is_dir():
                told = to_folder(services, question, place, form, compression)
            else:
                packed = compression or _compression_of(place, asked_form)
                told = to_file(services, question, place, asked_form, packed)
    _tell(told, kind, destination, json=json)


def _form_of(place: Path) -> Form | None:
    """The form that a file's name tells, as `steps.csv.gz` tells CSV."""
    name = place.name.lower()
    for packed in PACKED_SUFFIXES.values():
        for form in FORMS:
            if name.endswith(SUFFIXES[form] + packed) and (not packed or form in PACKED_AS_A_WHOLE):
                return form
    return None


def _compression_of(place: Path, form: Form) -> Compression | None:
    if form not in PACKED_AS_A_WHOLE:
        return None
    for compression, suffix in PACKED_SUFFIXES.items():
        if suffix and place.name.lower().endswith(suffix):
            return compression
    return None


def _instant(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else times.read(text)[0]
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text}: {error}") from None


def _require_user(store: Store, project: str, user: str) -> None:
    try:
        require(store, project, user)
    except Unknown:
        raise Failed(f"there is no user {user!r} in the project {project}") from None


@contextmanager
def _telling_why() -> Iterator[None]:
    try:
        yield
    except NotPossible as error:
        raise typer.BadParameter(str(error)) from None
    except BadCursor as error:
        raise typer.BadParameter(f"--since: {error}") from None
    except BlobsUnavailable as error:
        raise Failed(str(error)) from error


def _tell(told: dict[str, Any], kind: str, destination: str, *, json: bool) -> None:
    if destination == "-":
        sys.stderr.write(f"cursor: {told['cursor']}\n")
    elif json:
        print_json({"kind": kind, "destination": destination, **told})
    else:
        files = f" in {told['files']:,} files" if "files" in told else ""
        typer.echo(f"{destination}: {told['rows']:,} {kind}{files}, {told['bytes']:,} bytes.")
        typer.echo(f"What comes later: --since {told['cursor']}")
