"""`uptake send`: files to an endpoint, every item once."""

from pathlib import Path
from typing import Annotated

import typer

from uptake.cli import send_check
from uptake.cli.send_options import ItemFiles, SampleFiles, SendOptions, Sources, TableFiles
from uptake.cli.send_run import send
from uptake.http.parameter_groups import expand_groups

app = typer.Typer(
    help="Send files to Uptake or to a vendor: every item once, with the help of a ledger.",
    no_args_is_help=True,
)
app.command("status")(send_check.status)
app.command("verify")(expand_groups(send_check.verify))


@app.command("samples")
@expand_groups
def samples(sources: Sources, options: SendOptions, files: SampleFiles) -> int:
    """Send samples: Apple Health exports, NDJSON, CSV, Parquet."""
    arguments = files.arguments()
    return send(options, lambda uploader: uploader.send_samples(*sources, **arguments))


@app.command("profiles")
@expand_groups
def profiles(sources: Sources, options: SendOptions, files: TableFiles) -> int:
    """Send attributes: CSV, NDJSON or Parquet with user_id and a column for each attribute."""
    arguments = files.arguments()
    return send(options, lambda uploader: uploader.send_profiles(*sources, **arguments))


@app.command("documents")
@expand_groups
def documents(
    sources: Sources,
    type_name: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Document type of all of them.")
    ],
    options: SendOptions,
    files: ItemFiles,
) -> int:
    """Send documents of a type: NDJSON, or a folder of JSON files."""
    arguments = files.arguments()
    return send(options, lambda uploader: uploader.send_documents(type_name, *sources, **arguments))


@app.command("images")
@expand_groups
def images(
    sources: Sources,
    options: SendOptions,
    files: TableFiles,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            help="Folder below which the files named by a table must be; default: the table's own.",
        ),
    ] = None,
) -> int:
    """Send images: a folder of them, or a table of users and paths."""
    arguments = files.arguments()
    return send(options, lambda uploader: uploader.send_images(*sources, root=root, **arguments))
