"""Runs a command: its exit status, and its errors as one line on standard error."""

import sys

import typer

from uptake.cli import FAILED
from uptake.cli.commands import HelpWanted, UsageError, command_line, describe

DONE, WRONG_USAGE, INTERRUPTED = 0, 2, 130

EXPECTED = (
    ("uptake.cli.terminal", "Failed"),
    ("uptake.formats", "UnusableFormat"),
    ("uptake.store.base", "StoreUnavailable"),
    ("uptake.wiring", "Unusable"),
)
"""Errors that are no defects, by module: their messages are for the user, in one line."""

USAGE = (("uptake.wiring", "InvalidSetting"),)
"""Those of them that are wrong usage."""


def run_command(arguments: list[str]) -> int:
    """Run a command; 0 done, 1 failed or incomplete, 2 wrong usage, 130 interrupted."""
    try:
        status = command_line()(arguments, prog_name="uptake", standalone_mode=False)
    except HelpWanted as error:
        sys.stdout.write(f"{error.format_message()}\n")
        return WRONG_USAGE
    except UsageError as error:
        return _fail(describe(error), WRONG_USAGE)
    except UnicodeEncodeError:
        # Bytes that are not text arrive as surrogates, which no database accepts (PEP 383).
        return _fail("an argument is not UTF-8", WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", INTERRUPTED)
    except Exception as error:
        if not isinstance(error, (OSError, *_loaded(EXPECTED))):
            raise
        return _fail(_reason(error), WRONG_USAGE if isinstance(error, _loaded(USAGE)) else FAILED)
    return status if isinstance(status, int) else DONE


def _loaded(errors: tuple[tuple[str, str], ...]) -> tuple[type[Exception], ...]:
    """The classes of errors. A module that is not loaded has raised none."""
    modules = ((sys.modules.get(module), name) for module, name in errors)
    return tuple(getattr(module, name) for module, name in modules if module is not None)


def _reason(error: Exception) -> str:
    """The message of an error, and of the operating system's errors the file and the reason."""
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _fail(message: str, status: int) -> int:
    from uptake.cli.terminal import warn

    warn(" ".join(message.split()))
    return status
