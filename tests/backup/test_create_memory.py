"""However much there is, a backup needs little memory."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from uptake.model.submission import Fault
from uptake.store import sqlite
from uptake.store.records import DocumentRecord, Entry, RejectionRecord

MIB = 1024 * 1024
DOCUMENTS = 200
ALLOWED = 100 * MIB
"""Half of what is copied; the program with nothing to do uses about as much."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 200 MiB that do not compress."""
    folder = tmp_path_factory.mktemp("large")
    store = sqlite.open_store(folder / "uptake.db")
    noise = random.Random(1)
    for number in range(DOCUMENTS):
        content = noise.randbytes(MIB)
        rejection = RejectionRecord("1", f"r{number}", "f", "k", None, (Fault("c", "m"),), b"")
        document = DocumentRecord("1", f"d{number}", "diary", content)
        store.commit([Entry("default", "r", 1, (document,), (rejection,))])
    store.close()
    return folder


def _peak(*arguments: object) -> int:
    """The most memory that a run of `uptake` had, in bytes."""
    command = [sys.executable, "-m", "uptake", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_memory_does_not_grow_with_the_size_of_the_data(large: Path, tmp_path: Path) -> None:
    """Neither for a backup nor for a restore."""
    assert _peak("init", "--data-dir", tmp_path / "small") > 0
    small = _peak("backup", tmp_path / "a", "--data-dir", tmp_path / "small")
    assert _peak("backup", tmp_path / "b", "--data-dir", large) < small + ALLOWED
    small = _peak("restore", tmp_path / "a", "--data-dir", tmp_path / "c")
    assert _peak("restore", tmp_path / "b", "--data-dir", tmp_path / "d") < small + ALLOWED
