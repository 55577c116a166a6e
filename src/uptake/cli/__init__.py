"""The command line: one module for each command, one line on standard error for each error."""

import io
import os
import sys

FAILED = 1

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
        from uptake.cli.running import run_command

        return run_command(arguments)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module in {"", "uptake"}:
            raise
        # An installation that only sends has only the packages of requirements-send.lock.
        command = " ".join(["uptake", *arguments[:1]])
        sys.stderr.write(
            f"uptake: `{command}` needs the Python module {module!r}, which is not installed;"
            " install all packages of Uptake: pip install uptake\n"
        )
        return FAILED
