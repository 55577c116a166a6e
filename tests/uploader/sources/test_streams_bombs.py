"""Compressed files that expand to many times their size are not read to their end."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from uptake.uploader.sources import Unreadable, opening, streams

ROW = b'{"user_id": "1", "plan": "pro"}\n'
ZEROS = bytes(3 << 20)


def _gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(ROW + ZEROS))


def _zstd(path: Path) -> None:
    path.write_bytes(pa.compress(ROW + ZEROS, "zstd", asbytes=True))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ndjson", ROW + ZEROS)


@pytest.mark.parametrize("make", [_gzip, _zstd, _zip], ids=["gzip", "zstd", "zip"])
def test_a_bomb_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object) -> None:
    """Reading ends with the reason; the limit is lowered for the test."""
    monkeypatch.setattr(streams, "UNSUSPICIOUS_BYTES", 1 << 20)
    path = tmp_path / ("bomb.zip" if make is _zip else "bomb.ndjson")
    make(path)  # type: ignore[operator]
    found = list(opening.profiles(path)())
    faults = [one.reason for one in found if isinstance(one, Unreadable)]
    assert any("more than 500 times the size of the file" in reason for reason in faults)


def test_repetitive_rows_are_not_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of similar rows expands to far less than five hundred times its size."""
    monkeypatch.setattr(streams, "UNSUSPICIOUS_BYTES", 1 << 20)
    path = tmp_path / "rows.ndjson.gz"
    rows = b"".join(b'{"user_id": "%d", "plan": "pro"}\n' % number for number in range(50_000))
    path.write_bytes(gzip.compress(rows))
    found = list(opening.profiles(path)())
    assert len(found) == 50_000
