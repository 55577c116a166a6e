"""The command line: one file a verb, and one line for every error."""

import io
import os
import sys

import typer
from typer import _click as click  # Typer carries its own Click and exports no base of errors

from uptake.cli.commands import MODULES, command_line, told
from uptake.cli.terminal import warn

DONE, FAILED, WRONG_USAGE = 0, 1, 2

PRIVATE = 0o077
"""The file mode creation mask of every command: databases, blobs, backups, exports, ledgers and
files of rejected items hold data of users, so nobody but their owner may read them."""


def main() -> None:
    """Run the command that was asked for, and leave with its status."""
    os.umask(PRIVATE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show must not end a command.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; 0 done, 1 failed or incomplete, 2 wrong usage."""
    named = [name for name in arguments[:1] if name in MODULES]
    try:
        app = command_line(named or MODULES)
        status = app(arguments, prog_name="uptake", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stdout.write(f"{error.format_message()}\n")
        return WRONG_USAGE
    except click.ClickException as error:
        return _fail(error.format_message(), WRONG_USAGE)
    except UnicodeEncodeError:
        # What is no text comes as characters that no database takes (PEP 383).
        return _fail("an argument is not UTF-8", WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    except Exception as error:
        if not told(error):
            raise
        return _fail(str(error), FAILED)
    return status if isinstance(status, int) else DONE


def _fail(message: str, status: int) -> int:
    warn(" ".join(message.split()))
    return status
