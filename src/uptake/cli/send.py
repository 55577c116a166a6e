"""`uptake send`: files to an endpoint, every item once."""

from collections.abc import Callable

import typer

from uptake.cli import send_check
from uptake.cli.send_options import (
    DocumentFiles,
    ImageFiles,
    ItemFiles,
    SampleFiles,
    SendOptions,
    Sources,
    TableFiles,
)
from uptake.cli.send_run import send
from uptake.http.parameter_groups import expand_groups

app = typer.Typer(
    help="Send files to Uptake or to a vendor: every item once, with the help of a ledger.",
    no_args_is_help=True,
)
app.command("status")(send_check.status)
app.command("verify")(expand_groups(send_check.verify))

COMMANDS: dict[str, tuple[type[ItemFiles], str]] = {
    "samples": (SampleFiles, "Send samples: exports of devices and apps, NDJSON, CSV, Parquet."),
    "profiles": (
        TableFiles,
        "Send attributes: CSV, NDJSON or Parquet with user_id and a column for each attribute.",
    ),
    "documents": (
        DocumentFiles,
        "Send documents of a type: NDJSON, or a folder of JSON files.",
    ),
    "images": (ImageFiles, "Send images: a folder of them, or a table of users and paths."),
}
"""For each kind of items, the options of its files and the help text of its command."""


def _command(items: str, group: type[ItemFiles]) -> Callable[..., int]:
    def command(sources: Sources, options: SendOptions, files: ItemFiles) -> int:
        arguments = files.arguments()
        return send(options, lambda uploader: uploader.send(items, *sources, **arguments))

    command.__annotations__["files"] = group
    return expand_groups(command)


for name, (group, text) in COMMANDS.items():
    app.command(name, help=text)(_command(name, group))
