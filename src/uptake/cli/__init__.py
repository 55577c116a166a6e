"""The command line: one module for each command, one line on standard error for each error."""

import gc
import io
import os
import sys

FAILED = 1

PRIVATE = 0o077
"""The umask of every command. Databases, images, backups, exports, ledgers and files of rejected
items hold personal data: only their owner may read them."""

GC_THRESHOLD = 100_000
"""New objects after which Python searches for cycles. With the default, 700, a tenth of a command's
time would go into searches while modules are imported, which create objects and no garbage."""

BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""Without this variable, numpy starts a thread for each processor (see `uptake.samples`). It is set
here because a command may import numpy first."""


def main() -> None:
    """Run the command of `sys.argv` and exit with its status."""
    os.umask(PRIVATE)
    gc.set_threshold(GC_THRESHOLD)
    os.environ.setdefault(BLAS_THREADS, "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding lacks must not abort the command.
            stream.reconfigure(errors="backslashreplace")
    status = run(sys.argv[1:])
    # Python searches for cycles when it exits, which would take a quarter of a command's time.
    gc.freeze()
    sys.exit(status)


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
