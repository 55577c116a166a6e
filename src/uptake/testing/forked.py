"""Runs `uptake` in a process of its own that has loaded already what commands load.

Loading takes half a second, which the hundreds of commands of the tests would all wait for.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from uptake.cli import main
from uptake.cli.commands import COMMANDS

LOADED = [
    *(f"uptake.cli.{module}" for module in dict.fromkeys(one.module for one in COMMANDS.values())),
    "uptake.backup.restore",
    "uptake.cli.demo_run",
    "uptake.cli.granian_server",
    "uptake.exports.query",
    "uptake.exports.writers",
    "uptake.http.app",
    "uptake.replay",
    "uptake.store.migrations.running",
    "uptake.store.sqlite",
]

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(LOADED)


def run_forked(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
) -> tuple[int, bytes, bytes]:
    """Run a command in a folder; its exit status and what it wrote to either stream.

    Raises:
        TimeoutError: it took too long, and was killed.
    """
    streams = [os.memfd_create(name) for name in ("out", "err")]
    places = [f"/proc/{os.getpid()}/fd/{stream}" for stream in streams]
    process = _forking.Process(
        target=_run, args=(list(arguments), str(folder), dict(environment), places)
    )
    try:
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"uptake {' '.join(arguments)} took longer than {seconds} seconds")
        out, err = (Path(place).read_bytes() for place in places)
        return process.exitcode, out, err
    finally:
        process.close()
        for stream in streams:
            os.close(stream)


def _run(arguments: list[str], folder: str, environment: dict[str, str], places: list[str]) -> None:
    for number, place in enumerate(places, 1):
        os.dup2(os.open(place, os.O_WRONLY | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["uptake", *arguments]
    main()
