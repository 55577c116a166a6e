"""A folder of an export is read as it is, and never seen half made."""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from uptake.blobs import Blobs
from uptake.exports import KINDS, ExportQuery, Kind, Progress
from uptake.exports import folder as module
from uptake.exports.folder import Target, write_folder
from uptake.files import HashedFile, atomic_write
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT

from .opening import by_duckdb, rows
from .project import batch, commit, sample

MONTHS = ["2024-11", "2024-12", "2025-01"]


def written(store: Store, blobs: Blobs, folder: Path, kind: Kind = "samples", **asked: Any) -> Any:
    """Export into a folder; the manifest as it was written."""
    query = ExportQuery(kind, DEFAULT_PROJECT, **asked)
    progress = Progress()
    manifest = write_folder(store, blobs, query, Target(folder, "zstd", progress))
    read = msgspec.json.decode((folder / "manifest.json").read_bytes())
    assert read == msgspec.to_builtins(manifest)
    assert progress.rows == manifest.rows
    return read


def months(store: Store, users: int = 3) -> None:
    """Samples of three months in two metrics for each user."""
    for user in range(users):
        some = [sample(f"{month}-{day:02}T12:00:00Z", day) for month in MONTHS for day in (1, 28)]
        commit(store, batch(f"u{user}", some), batch(f"u{user}", some, "bpm"))


def test_samples_are_partitioned_by_metric_and_month(
    empty: Store, blobs: Blobs, tmp_path: Path
) -> None:
    """Following Hive, with a manifest of the rows, size and digest of every file."""
    months(empty)
    manifest = written(empty, blobs, tmp_path / "out")
    names = [
        f"samples/metric={metric}/month={month}/part-00000.parquet"
        for metric in ("bpm", "steps")
        for month in MONTHS
    ]
    assert [file["path"] for file in manifest["files"]] == names
    assert [file["rows"] for file in manifest["files"]] == [6] * 6
    for file in manifest["files"]:
        content = (tmp_path / "out" / file["path"]).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert (manifest["kind"], manifest["project"], manifest["since"]) == (
        "samples",
        "default",
        None,
    )
    assert manifest["rows"] == 36
    found = sorted(str(file.relative_to(tmp_path / "out")) for file in tmp_path.glob("out/**/*.*"))
    assert found == ["manifest.json", *names]


def test_duckdb_and_pyarrow_read_the_folder(empty: Store, blobs: Blobs, tmp_path: Path) -> None:
    """All rows, with the columns from the names of the folders."""
    months(empty)
    written(empty, blobs, tmp_path / "out")
    expected = rows(empty, blobs, "samples")
    folder = tmp_path / "out" / "samples"
    order = "ORDER BY user_id, metric, start_utc"
    found = by_duckdb(f"(FROM '{folder}/**/*.parquet' {order})")
    assert [row | {"month": row["start_date"][:7]} for row in expected] == found
    table = pq.read_table(folder)
    assert table.num_rows == 36
    assert set(table["metric"].to_pylist()) == {"steps", "bpm"}
    with duckdb.connect() as database:
        counted = database.sql(
            f"FROM '{folder}/**/*.parquet' SELECT month, count(*)"
            " WHERE metric = 'steps' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert counted == [(month, 6) for month in MONTHS]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "samples"])
def test_every_other_kind_is_one_file(
    store: Store, blobs: Blobs, tmp_path: Path, kind: Kind
) -> None:
    """With the same rows as in other forms."""
    manifest = written(store, blobs, tmp_path / "out", kind)
    (file,) = manifest["files"]
    assert file["path"] == f"{kind}/part-00000.parquet"
    found = pq.read_table(tmp_path / "out" / kind)
    assert found.num_rows == file["rows"] == len(rows(store, blobs, kind))


def test_the_month_is_that_of_the_start_in_utc(empty: Store, blobs: Blobs, tmp_path: Path) -> None:
    """Whatever the offset of the sample is."""
    commit(
        empty, batch("anna", [sample("2025-01-01T00:30:00+01:00"), sample("2025-01-01T00:30:00Z")])
    )
    manifest = written(empty, blobs, tmp_path / "out")
    assert [file["path"].split("/")[2] for file in manifest["files"]] == [
        "month=2024-12",
        "month=2025-01",
    ]


def test_an_increment_is_a_folder_of_its_own(empty: Store, blobs: Blobs, tmp_path: Path) -> None:
    """It begins at the cursor in the manifest of the folder before."""
    months(empty, 1)
    first = written(empty, blobs, tmp_path / "one")
    commit(empty, batch("late", [sample("2024-11-05T00:00:00Z")]))
    second = written(empty, blobs, tmp_path / "two", since=first["cursor"])
    assert second["rows"] == 1
    assert second["since"] == first["cursor"]


def test_more_months_than_open_files_are_written_in_parts(
    empty: Store, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And more samples than are buffered; no sample is lost."""
    monkeypatch.setattr(module, "MAX_OPEN_FILES", 2)
    monkeypatch.setattr(module, "MAX_BUFFERED", 3)
    months(empty, 2)
    manifest = written(empty, blobs, tmp_path / "out")
    assert any(file["path"].endswith("part-00001.parquet") for file in manifest["files"])
    found = by_duckdb(
        f"(FROM '{tmp_path}/out/samples/**/*.parquet' ORDER BY user_id, metric, start_utc)"
    )
    expected = rows(empty, blobs, "samples")
    assert [row | {"month": row["start_date"][:7]} for row in expected] == found


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    """Neither a file nor a folder, and the file before it is unchanged."""
    (tmp_path / "file").write_text("before")
    for name in ("file", "new", "folder"):
        with pytest.raises(KeyboardInterrupt):
            _break_off(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def _break_off(place: Path) -> None:
    with atomic_write(place) as making:
        if place.name == "folder":
            making.mkdir()
            (making / "part").write_text("half")
        else:
            making.write_text("half")
        raise KeyboardInterrupt


def test_an_unfinished_file_is_hidden(tmp_path: Path) -> None:
    """Its name begins with a dot and ends with `.part`."""
    with atomic_write(tmp_path / "deep" / "samples.parquet") as making:
        assert making.parent == tmp_path / "deep"
        assert making.name.startswith(".samples.parquet.")
        assert making.name.endswith(".part")
        with HashedFile(making) as file:
            file.write(b"all of it")
    assert (tmp_path / "deep" / "samples.parquet").read_bytes() == b"all of it"
    assert file.sha256 == hashlib.sha256(b"all of it").hexdigest()
