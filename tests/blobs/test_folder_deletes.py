"""When a deletion returns, no file is deleted any more."""

from collections.abc import Sequence
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore

from uptake.blobs.folder import FolderBlobs


def test_files_are_deleted_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several, obstore still deletes some in its threads after it has raised for a missing one.

    A blob that is stored again in that moment was lost, although its upload was acknowledged.
    """
    calls: list[list[str]] = []
    delete = obstore.delete

    def counted(store: LocalStore, names: str | Sequence[str]) -> None:
        calls.append([names] if isinstance(names, str) else list(names))
        delete(store, names)

    monkeypatch.setattr(obstore, "delete", counted)
    blobs = FolderBlobs(tmp_path)
    for name in ("a/1", "a/2"):
        blobs.put(name, b"x")
    blobs.delete(["a/missing", "a/1", "a/2"])
    assert list(blobs.names("")) == []
    assert {len(names) for names in calls} == {1}
    assert {name for names in calls for name in names} == {"a/missing", "a/1", "a/2"}
