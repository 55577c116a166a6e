"""Runs `uptake` in the process of the tests, for commands of which the process does not matter.

A process of its own, even a forked one, costs many times what such a command does.
"""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from uptake.cli import run


def run_in_process(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run a command in a folder; its exit status and what it wrote to either stream."""
    out, err = _stream(), _stream()
    with (
        chdir(folder),
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["uptake", *arguments]),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO())),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = run(list(arguments))
    return status, _written(out), _written(err)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), errors="backslashreplace", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
