"""Runs the command line as its users do, in a process of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exports.project import blobs_in, fill
from uptake.settings import Settings
from uptake.store import sqlite
from uptake.testing.forked import run_forked
from uptake.wiring import open_store

from .in_process import run_in_process

SECONDS = 60.0


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON that it printed."""
        assert self.out.count("\n") == 1
        return msgspec.json.decode(self.out)

    def assert_failed(self, status: int, *words: str) -> None:
        """It ended with this status, said why in one line with these words, and nothing else."""
        assert (self.status, self.out) == (status, ""), self
        assert self.err.startswith("uptake: ")
        assert self.err.count("\n") == 1
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err


Uptake = Callable[..., Done]


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database, to be copied."""
    folder = tmp_path_factory.mktemp("new") / "uptake-data"
    open_store(Settings(data_dir=folder), make=True).close()
    return folder


@pytest.fixture
def database(new_database: Path, tmp_path: Path) -> Path:
    """An empty database in the folder of the test, where commands look for it."""
    return Path(shutil.copytree(new_database, tmp_path / "uptake-data"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder where commands look for the data, with something of every kind."""
    folder = tmp_path / "uptake-data"
    folder.mkdir()
    with closing(sqlite.open_store(folder / "uptake.db")) as store:
        fill(store, blobs_in(folder))
    return folder


@pytest.fixture
def uptake(tmp_path: Path) -> Uptake:
    """Runs `uptake` in a folder of the test's own; keywords are environment variables."""

    def run(*arguments: object, **variables: str) -> Done:
        status, out, err = run_forked(
            [str(one) for one in arguments], tmp_path, {**os.environ, **variables}, SECONDS
        )
        return Done(status, out.decode(), err.decode())

    return run


@pytest.fixture
def in_process(tmp_path: Path) -> Uptake:
    """The same in the process of the tests, for commands that only fail."""

    def run(*arguments: object, **variables: str) -> Done:
        given = [str(one) for one in arguments]
        return Done(*run_in_process(given, tmp_path, {**os.environ, **variables}))

    return run


@pytest.fixture
def installed(tmp_path: Path) -> Uptake:
    """The same, with everything loaded again."""

    def run(*arguments: object, **variables: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "uptake", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **variables},
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
