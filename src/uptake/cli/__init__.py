"""The command line: one module for each command, one line on standard error for each error."""

import io
import os
import sys

import typer

from uptake.cli.commands import HelpWanted, UsageError, command_line

DONE, FAILED, WRONG_USAGE = 0, 1, 2

PRIVATE = 0o077
"""The umask of every command. Databases, images, backups, exports, ledgers and files of rejected
items hold personal data: only their owner may read them."""


def main() -> None:
    """Run the command of `sys.argv` and exit with its status."""
    os.umask(PRIVATE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding lacks must not abort the command.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; 0 done, 1 failed or incomplete, 2 wrong usage."""
    try:
        app = command_line()
        status = app(arguments, prog_name="uptake", standalone_mode=False)
    except HelpWanted as error:
        sys.stdout.write(f"{error.format_message()}\n")
        return WRONG_USAGE
    except UsageError as error:
        return _fail(error.format_message(), WRONG_USAGE)
    except UnicodeEncodeError:
        # Bytes that are not text arrive as surrogates, which no database accepts (PEP 383).
        return _fail("an argument is not UTF-8", WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    except Exception as error:
        if not _is_expected(error):
            raise
        return _fail(str(error), FAILED)
    return status if isinstance(status, int) else DONE


def _is_expected(error: Exception) -> bool:
    """Whether an error's message is written for the user and shown in one line."""
    from uptake.cli.terminal import Failed  # noqa: PLC0415 - slow to load
    from uptake.formats.base import UnusableFormat  # noqa: PLC0415
    from uptake.store.base import StoreUnavailable  # noqa: PLC0415
    from uptake.wiring import Unusable  # noqa: PLC0415

    return isinstance(error, Failed | Unusable | UnusableFormat | StoreUnavailable | OSError)


def _fail(message: str, status: int) -> int:
    from uptake.cli.terminal import warn  # noqa: PLC0415 - slow to load

    warn(" ".join(message.split()))
    return status
