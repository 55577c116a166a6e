"""Backups of blobs in an object store, and into one."""

from pathlib import Path
from uuid import uuid4

import pytest

from uptake.testing.seaweedfs import SeaweedFS

from .conftest import done
from .test_restore import rows_of


def test_from_a_folder_to_an_object_store_and_back(
    backup: Path, seaweedfs: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every blob arrives, each time."""
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    bucket = seaweedfs.url(f"backup-{uuid4().hex}")
    done("restore", backup, "--data-dir", tmp_path / "data", "--blobs", bucket)
    assert not (tmp_path / "data" / "blobs").exists()
    there = tmp_path / "there"
    done("backup", there, "--data-dir", tmp_path / "data", "--blobs", bucket)
    assert rows_of(backup) == rows_of(there)
    done("restore", there, "--data-dir", tmp_path / "back")
    done("backup", tmp_path / "again", "--data-dir", tmp_path / "back")
    assert rows_of(backup) == rows_of(tmp_path / "again")
