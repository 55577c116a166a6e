"""`uptake export`: what a project holds, as a file or a folder of files."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace
from rich.console import Console

from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, Json, print_json
from uptake.cli.store import (
    DATA_DIR,
    BlobsUrl,
    Database,
    DataDir,
    instant,
    opened_services,
    require_project,
)
from uptake.cli.terminal import note, say
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
    Users,
)
from uptake.reading import BadCursor, Unknown
from uptake.reading.segments.answers import TakesLonger, TooLarge
from uptake.reading.users import require
from uptake.samples.metrics import METRICS, Metric
from uptake.store.base import DEFAULT_PROJECT
from uptake.wiring import Services

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
    segment: Annotated[
        str | None, typer.Option("--segment", help="Only what is about the users of this segment.")
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
    if user is not None and segment is not None:
        raise typer.BadParameter("--user or --segment, not both")
    place = Path(destination)
    asked_form = form or _form_of(place)
    question = Question(
        kind,
        project,
        start=instant("--from", from_),
        end=instant("--to", to),
        since=since,
        metrics=tuple(METRICS) if metric is None else (metric,),
        type_name=type_name,
    )
    with opened_services(data_dir, database, blobs) as services:
        require_project(services.store, project)
        with _telling_why():
            question = replace(question, users=_users(services, project, user, segment))
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


def _users(services: Services, project: str, user: str | None, segment: str | None) -> Users | None:
    """Whom an export is about; None for everybody.

    Raises:
        Failed: there is no such user, or no such segment.
    """
    try:
        if user is not None:
            require(services.store, project, user)
            return lambda: [user]
        return None if segment is None else _members(services, project, segment)
    except Unknown as error:
        kind = "segment" if user is None else "user"
        raise Failed(f"there is no {kind} {str(error)!r} in the project {project}") from None
    except TooLarge:
        raise Failed(f"the users of the project {project} do not fit into memory") from None


def _members(services: Services, project: str, segment: str) -> Users:
    with Console(stderr=True).status("finding the users of the segment"):
        while True:
            with suppress(TakesLonger):  # it goes on from where it was
                return services.segments.user_ids(project, segment)


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
        note(f"cursor: {told['cursor']}")
    elif json:
        print_json({"kind": kind, "destination": destination, **told})
    else:
        files = ""
        if "files" in told:
            files = f" in {told['files']:,} file{'' if told['files'] == 1 else 's'}"
        say(f"{destination}: {told['rows']:,} {kind}{files}, {told['bytes']:,} bytes.")
        say(f"What comes later: --since {told['cursor']}")
