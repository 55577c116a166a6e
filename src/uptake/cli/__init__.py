"""The command line: one module for each command, one line on standard error for each error."""

import io
import os
import sys
from collections.abc import Iterable
from importlib import import_module

import typer
from typer import _click as click  # Typer carries its own Click and exports no base of errors

DONE, FAILED, WRONG_USAGE = 0, 1, 2

PRIVATE = 0o077
"""The umask of every command. Databases, images, backups, exports, ledgers and files of rejected
items hold personal data: only their owner may read them."""

MODULES = {
    "serve": "serve",
    "demo": "demo",
    "backup": "backup",
    "restore": "backup",
    "export": "export",
    "sql": "sql",
    "keys": "keys",
    "projects": "projects",
    "types": "types",
    "users": "users",
    "erasures": "erasures",
    "rejections": "rejections",
    "segments": "segments",
    "retention": "retention",
    "db": "db",
    "send": "send",
}
"""The module of each command: it has `app` with subcommands, or a function of the same name."""


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
        # Bytes that are not text arrive as surrogates, which no database accepts (PEP 383).
        return _fail("an argument is not UTF-8", WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    except Exception as error:
        if not _is_expected(error):
            raise
        return _fail(str(error), FAILED)
    return status if isinstance(status, int) else DONE


def command_line(names: Iterable[str] = tuple(MODULES)) -> typer.Typer:
    """The `uptake` program with these commands; loading the others would slow down the start."""
    app = typer.Typer(
        name="uptake",
        help="A self-hosted intake for user data.",
        callback=_no_options,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in names:
        module = import_module(f"uptake.cli.{MODULES[name]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _no_options() -> None:
    # Without a callback, Typer would make a single command the whole program.
    return


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
