"""The command line: one file a verb, and one line for every error."""

import io
import os
import sys

import typer
from typer import _click as click  # Typer carries its own Click and exports no base of errors

from uptake.cli import backup, db, demo, export, keys, projects, retention, send, serve, sql, types
from uptake.cli.store import Failed
from uptake.store.base import StoreUnavailable
from uptake.wiring import Unusable

app = typer.Typer(
    name="uptake",
    help="A self-hosted intake for data about users.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("export")(export.export)
app.command("sql")(sql.sql)
app.add_typer(keys.app, name="keys")
app.add_typer(projects.app, name="projects")
app.add_typer(types.app, name="types")
app.add_typer(retention.app, name="retention")
app.add_typer(db.app, name="db")
app.add_typer(send.app, name="send")

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main() -> None:
    """Run the command that was asked for, and leave with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show must not end a command.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; 0 done, 1 failed or incomplete, 2 wrong usage."""
    try:
        status = app(arguments, prog_name="uptake", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return WRONG_USAGE
    except click.ClickException as error:
        return _fail(error.format_message(), WRONG_USAGE)
    except (Failed, Unusable, StoreUnavailable, OSError) as error:
        return _fail(str(error), FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    return status if isinstance(status, int) else DONE


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"uptake: {' '.join(message.split())}{os.linesep}")
    return status
