"""`uptake export`: write a project's data to a file, a folder or standard output."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from uptake.cli.options import ServicesOptions, option, zone_of, zoned_instant
from uptake.cli.terminal import (
    Failed,
    Json,
    binary_output,
    echo,
    note,
    print_json,
    quantity,
    spinner,
)
from uptake.exports import KINDS, Export, ExportQuery, InvalidExport, Kind, Progress
from uptake.exports.forms import FORMS, Compression, FormName, compression_of, form_of_file
from uptake.http.parameter_groups import expand_groups
from uptake.reading import SAMPLE_ZONE, BadCursor
from uptake.samples.metrics import METRICS, Metric

if TYPE_CHECKING:
    from uptake.reading.rollup_rows import Bound
    from uptake.wiring import Services

REFRESHES = 4
"""Updates of the displayed row count, per second."""

Time = "ISO 8601; the default zone is UTC."


@dataclass(frozen=True)
class SelectionOptions:
    """Options that select the exported rows and the format of the file."""

    form: Annotated[
        FormName | None,
        typer.Option(
            "--format",
            "--form",
            help="File format. Default: by the ending of the file name. --form is the old name.",
        ),
    ] = None
    compression: Annotated[
        Compression | None,
        option(
            "--compression",
            "Compression of the files. Default: by the suffix of the file name; zstd in Parquet.",
        ),
    ] = None
    user: Annotated[str | None, option("--user", "Only data of this user.")] = None
    segment: Annotated[str | None, option("--segment", "Only data of users in this segment.")] = (
        None
    )
    metric: Annotated[
        Metric | None, option("--metric", "Only samples or rollups of this metric.")
    ] = None
    type_name: Annotated[str | None, option("--type", "Only documents of this type.")] = None
    zone: Annotated[
        str | None,
        option(
            "--zone",
            "Time zone of the days of rollups, and of --from and --to without an offset. "
            f"IANA name, or {SAMPLE_ZONE} for the local time of each sample. Default: UTC.",
        ),
    ] = None
    from_: Annotated[str | None, option("--from", f"Inclusive. {Time}")] = None
    to: Annotated[str | None, option("--to", f"Exclusive. {Time}")] = None
    since: Annotated[
        str | None, option("--since", "Only data received after the export with this cursor.")
    ] = None

    def query(self, kind: Kind, services: "Services", project: str) -> ExportQuery:
        """The query of these options.

        Raises:
            BadParameter: a time is not ISO 8601, or the zone does not exist.
            Unknown: the user, the segment or the type of documents does not exist.
            TooLarge: the segment's users do not fit into memory.
        """
        from uptake.reading import types
        from uptake.reading.segments import DeadlineExceeded
        from uptake.reading.series import UserData

        query = ExportQuery(
            kind,
            project,
            start=_bound("--from", self.from_),
            end=_bound("--to", self.to),
            since=self.since,
            metrics=tuple(METRICS) if self.metric is None else (self.metric,),
            type_name=self.type_name,
            zone=zone_of(self.zone or "UTC"),
        )
        if kind == "documents" and self.type_name is not None:
            types.require(services.store, project, self.type_name)
        if self.user is not None:
            user = self.user
            UserData(services.store, project, user).require()
            return replace(query, users=lambda: [user])
        if self.segment is not None:
            with spinner("finding the users of the segment"):
                while True:
                    with suppress(DeadlineExceeded):  # the next call continues
                        users = services.segments.user_ids(project, self.segment)
                        return replace(query, users=users)
        return query


def _bound(name: str, text: str | None) -> "Bound | None":
    from uptake.reading.rollup_rows import Bound

    if text is None:
        return None
    ticks, with_offset = zoned_instant(name, text)
    return Bound(ticks, local=not with_offset)


@expand_groups
def export(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help=f"Kind of data: {', '.join(KINDS)}.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="File, folder, or - for standard output.")
    ],
    selection: SelectionOptions,
    options: ServicesOptions,
    *,
    json: Json = False,
) -> None:
    """Write a project's data to a file or a folder.

    A folder gets Parquet files (for samples, one for each metric and month) and a manifest.
    """
    from uptake.reading.audit import record_export

    if selection.user is not None and selection.segment is not None:
        raise typer.BadParameter("--user and --segment are mutually exclusive")
    if selection.zone is not None and kind != "rollups":
        raise typer.BadParameter("--zone is only for rollups")
    path = Path(destination)
    form = selection.form or form_of_file(path.name)
    if form is None and path.suffix and not destination.endswith("/") and not path.is_dir():
        raise typer.BadParameter(
            f"DEST {destination!r}: unknown file ending {path.suffix!r}; expected"
            f" {', '.join(form.suffix for form in FORMS.values())}, with .gz or .zst where it is"
            " compressed; for a folder add a slash, or choose the format with --format"
        )
    with options.open_services() as services, _reporting_errors(options.project):
        query = selection.query(kind, services, options.project)
        selected = {"kind": kind, "format": form, "segment": selection.segment}
        record_export(services.store, options.project, selection.user, selected)
        if destination == "-":
            result = _to_output(services, query, selection)
        elif form is None or path.is_dir():
            result = _to_folder(services, query, path, selection)
        else:
            packed = selection.compression or FORMS[form].compression_of_file(path.name)
            result = _to_file(services, query, path, form, packed)
    if destination == "-":
        note(f"cursor: {result['cursor']}")
    elif json:
        print_json({"kind": kind, "destination": destination, **result})
    else:
        files = ""
        if "files" in result:
            files = f" in {quantity(result['files'], 'file')}"
        rows = quantity(result["rows"], kind.removesuffix("s"))
        echo(f"{destination}: {rows}{files}, {quantity(result['bytes'], 'byte')}.")
        echo(f"Next incremental export: --since {result['cursor']}")


@contextmanager
def _reporting_errors(project: str) -> Iterator[None]:
    from uptake.reading.bounds import TooMuch
    from uptake.reading.segments import TooLarge

    try:
        yield
    except InvalidExport as error:
        raise typer.BadParameter(str(error)) from None
    except TooMuch as error:
        raise Failed(str(error)) from None
    except BadCursor as error:
        raise typer.BadParameter(f"--since: {error}") from None
    except TooLarge:
        raise Failed(f"the users of project {project!r} do not fit into memory") from None


def _to_output(
    services: "Services", query: ExportQuery, selection: SelectionOptions
) -> dict[str, Any]:
    form = selection.form or "ndjson"
    packed = compression_of(form, selection.compression)
    with _opened(services, query, form, packed) as export:
        out = binary_output()
        for part in export.parts:
            out.write(part)
        out.flush()
        return {"rows": export.progress.rows, "cursor": export.cursor}


def _to_file(
    services: "Services", query: ExportQuery, path: Path, form: FormName, asked: Compression | None
) -> dict[str, Any]:
    packed = compression_of(form, asked)
    with _opened(services, query, form, packed) as export:
        written = write_file(export, path, _row_count(query.kind, export.progress))
        return {"rows": export.progress.rows, **written, "cursor": export.cursor}


def _to_folder(
    services: "Services", query: ExportQuery, path: Path, selection: SelectionOptions
) -> dict[str, Any]:
    from uptake.exports.folder import Target, write_folder
    from uptake.files import atomic_write

    form = selection.form
    if form not in {None, "parquet"}:
        raise InvalidExport(f"a folder contains Parquet; for {form} name a file: {path}.{form}")
    packed = compression_of("parquet", selection.compression)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Failed(f"{path} is not empty; an export needs a new or empty folder")
    progress = Progress()
    with atomic_write(path) as temporary, _row_count(query.kind, progress):
        target = Target(temporary, packed, progress)
        manifest = write_folder(services.store, services.blobs, query, target)
    return {
        "rows": manifest.rows,
        "files": len(manifest.files),
        "bytes": sum(file.bytes for file in manifest.files),
        "cursor": manifest.cursor,
    }


def _opened(
    services: "Services", query: ExportQuery, form: FormName, packed: Compression
) -> AbstractContextManager[Export]:
    from uptake.exports.writers import open_export

    return open_export(services.store, services.blobs, query, form, packed)


def write_file(
    export: Export, path: Path, progress: AbstractContextManager[object]
) -> dict[str, Any]:
    """Write an export to a file atomically, and return its size and SHA-256.

    Args:
        export: the export.
        path: the file, which is replaced.
        progress: shows the progress while the file is written.
    """
    from uptake.files import HashedFile, atomic_write

    with atomic_write(path) as temporary, progress, HashedFile(temporary) as out:
        for part in export.parts:
            out.write(part)
    return {"bytes": out.size, "sha256": out.sha256}


def _row_count(kind: str, progress: Progress) -> AbstractContextManager[object]:
    """Show the number of exported rows on a terminal."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    return Live(
        get_renderable=lambda: Text(f"{progress.rows:,} {kind}"),
        console=console,
        transient=True,
        refresh_per_second=REFRESHES,
    )
