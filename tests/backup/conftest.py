"""A data folder with something of everything, and the command line to back it up."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from uptake.testing.live import serving

from .filling import fill

Ran = subprocess.CompletedProcess[str]
Uptake = Callable[..., Ran]


def run(*arguments: object, **variables: str) -> Ran:
    """Run `uptake`; keywords are environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "uptake", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
        timeout=60,
    )


def done(*arguments: object) -> Any:
    """Run `uptake` with `--json`; what it printed. It must succeed and say nothing else."""
    ran = run(*arguments, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    return msgspec.json.decode(ran.stdout)


def refused(*arguments: object) -> str:
    """Run `uptake`; the one line in which it says why it failed."""
    ran = run(*arguments)
    assert (ran.returncode, ran.stdout) == (1, ""), ran.stderr
    assert ran.stderr.startswith("uptake: ")
    assert ran.stderr.count("\n") == 1
    return ran.stderr


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
