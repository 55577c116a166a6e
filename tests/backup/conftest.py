"""A data folder with something of everything, and the command line to back it up."""

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from uptake.cli import run as uptake_run
from uptake.testing.live import serving

from .filling import fill


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str


def run(*arguments: object) -> Ran:
    """Run `uptake` in this process, which takes a tenth of the time of one of its own."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = uptake_run([str(argument) for argument in arguments])
    return Ran(status, out.getvalue(), err.getvalue())


def done(*arguments: object) -> Any:
    """Run `uptake` with `--json` and return its output. It must succeed and print nothing else."""
    ran = run(*arguments, "--json")
    assert (ran.status, ran.err) == (0, "")
    return msgspec.json.decode(ran.out)


def rejected(*arguments: object) -> str:
    """Run `uptake`, which must fail, and return its one line of error."""
    ran = run(*arguments)
    assert (ran.status, ran.out) == (1, ""), ran.err
    assert ran.err.startswith("uptake: ")
    assert ran.err.count("\n") == 1
    return ran.err


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a server that has been sent something of everything, and stopped."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    with serving(folder) as server:
        fill(server)
        assert server.stop() == 0
    return folder


@pytest.fixture(scope="session")
def backup(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its backup; copy it before changing it."""
    folder = tmp_path_factory.mktemp("backup") / "monday"
    done("backup", folder, "--data-dir", filled)
    return folder
