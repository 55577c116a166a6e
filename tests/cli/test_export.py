"""`uptake export`: a file or a folder, whole or not there at all."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from exports.opening import by_duckdb, parsed
from exports.project import batch, commit, sample
from faults.test_exports import fill as fill_up
from uptake.store import sqlite
from uptake.store.definitions import Segment
from uptake.testing.store.making import NOON

from .conftest import Uptake

SECONDS = 30.0
NOT_TEXT = "\udcff"
"""How a program is given the byte FF, which is not UTF-8 (PEP 383)."""


@pytest.fixture
def much(tmp_path: Path) -> Path:
    """The same with so much that it takes a while."""
    folder = tmp_path / "uptake-data"
    folder.mkdir()
    fill_up(folder / "uptake.db")
    return folder


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("samples.parquet", b"PAR1"),
        ("samples.csv", b'"user_id"'),
        ("SAMPLES.CSV.GZ", b"\x1f\x8b"),
        ("samples.ndjson", b'{"user_id"'),
        ("samples.ndjson.zst", b"\x28\xb5\x2f\xfd"),
        ("new/samples.arrows", b"\xff\xff\xff\xff"),
    ],
)
@pytest.mark.usefixtures("data")
def test_a_file_has_the_form_of_its_suffix(
    uptake: Uptake, tmp_path: Path, name: str, begin: bytes
) -> None:
    """And what was written is reported, with where the next one goes on."""
    done = uptake("export", "samples", name)
    assert (done.status, done.err) == (0, "")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(begin)
    first, second = done.out.splitlines()
    assert first == f"{name}: 6 samples, {len(content):,} bytes."
    assert second.startswith("Next incremental export: --since g")


@pytest.mark.usefixtures("data")
def test_options_override_the_suffix(uptake: Uptake, tmp_path: Path) -> None:
    """Of the form and of the compression; a file that is there is replaced."""
    (tmp_path / "dump").write_text("before")
    assert uptake("export", "users", "dump", "--form", "csv").status == 0
    assert (tmp_path / "dump").read_bytes().startswith(b'"user_id","first_seen","last_seen"\n')
    assert uptake("export", "users", "x.csv", "--compression", "gzip").status == 0
    assert (tmp_path / "x.csv").read_bytes().startswith(b"\x1f\x8b")


@pytest.mark.usefixtures("data")
def test_a_folder_is_read_as_it_is(uptake: Uptake, tmp_path: Path) -> None:
    """Parquet by metric and month, with its manifest; `--json` shows the same."""
    summary_of = uptake("export", "samples", "out", "--json").json
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert summary_of == {
        "kind": "samples",
        "destination": "out",
        "rows": 6,
        "files": 5,
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "cursor": manifest["cursor"],
    }
    assert len(by_duckdb(f"'{tmp_path}/out/samples/**/*.parquet'")) == 6
    assert pq.read_table(tmp_path / "out" / "samples").num_rows == 6
    again = uptake("export", "samples", "out")
    again.assert_failed(1, "out is not empty")
    (tmp_path / "empty").mkdir()
    assert uptake("export", "documents", "empty").status == 0
    assert (tmp_path / "empty" / "documents" / "part-00000.parquet").is_file()


@pytest.mark.usefixtures("data")
def test_standard_output_is_for_the_next_program(uptake: Uptake) -> None:
    """Lines alone; the cursor is reported beside them."""
    done = uptake("export", "rejections", "-")
    assert done.status == 0
    assert [row["rejection_id"] for row in parsed(done.out.encode())] == ["r-3", "r-1", "r-2"]
    assert done.err.startswith("cursor: g")
    assert uptake("export", "users", "-", "--format", "csv").out.count("\n") == 4


def test_an_export_goes_on(uptake: Uptake, data: Path, tmp_path: Path) -> None:
    """From the cursor of the one before."""
    cursor = uptake("export", "samples", "one.ndjson", "--json").json["cursor"]
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        commit(store, batch("dora", [sample("2020-01-01T00:00:00Z")]), at=NOON - 5)
    done = uptake("export", "samples", "two.ndjson", "--since", cursor, "--json").json
    assert done["rows"] == 1
    assert parsed((tmp_path / "two.ndjson").read_bytes())[0]["user_id"] == "dora"


def test_days_are_of_the_zone_that_is_named(uptake: Uptake, data: Path) -> None:
    """Times without an offset are local there; without a zone, UTC."""
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        commit(store, batch("late", [sample("2024-05-01T23:58:00Z")]))
    options = ("rollups", "-", "--user", "late", "--from", "2024-05-02")
    without, berlin = (
        uptake("export", *options),
        uptake("export", *options, "--zone", "Europe/Berlin"),
    )
    assert (without.status, without.out) == (0, ""), without
    assert berlin.status == 0, berlin
    (row,) = parsed(berlin.out.encode())
    assert (row["day"], row["zone"]) == ("2024-05-02", "Europe/Berlin")


def test_a_part_can_be_asked_for(uptake: Uptake, data: Path) -> None:
    """By user, segment, time, metric and type."""
    counted = {
        ("samples", "--user", "bert"): 1,
        ("samples", "--metric", "bpm"): 1,
        ("samples", "--from", "2025-02-01", "--to", "2026-01-01"): 1,
        ("documents", "--type", "mood"): 1,
        ("rollups", "--user", "bert"): 1,
        ("rollups", "--segment", "with-x"): 5,
        ("rollups", "--from", "2025-02-01", "--to", "2026-01-01", "--metric", "steps"): 1,
        ("samples", "--segment", "with-x"): 5,
        ("profiles", "--segment", "with-x"): 1,
    }
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        wanted = '{"attribute": "=x", "op": "exists"}'
        store.put_segment("default", Segment("with-x", wanted, NOON, NOON))
    for arguments, rows in counted.items():
        kind, *options = arguments
        assert uptake("export", kind, "-", *options).out.count("\n") == rows, arguments


@pytest.mark.usefixtures("data")
def test_documents_of_a_type_that_does_not_exist_are_an_error(uptake: Uptake) -> None:
    """It lists the registered types; a type that only has documents is no error."""
    uptake("types", "add", "check-in")
    uptake("types", "add", "walk")
    known = "project 'default' has no document type 'nap'; it has: check-in, walk"
    uptake("export", "documents", "-", "--type", "nap").assert_failed(1, known)
    assert uptake("export", "documents", "-", "--type", "walk").out == ""
    assert uptake("export", "documents", "-", "--type", "mood").out.count("\n") == 1
    for number in range(20):
        uptake("types", "add", f"a-{number:02}")
    named = ", ".join(f"a-{number:02}" for number in range(20))
    done = uptake("export", "documents", "-", "--type", "nap")
    done.assert_failed(1, f"it has: {named}, ...")


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["everything", "x.csv"], 2, "everything"),
        (["samples"], 2, "DEST"),
        (["samples", "x.xlsx"], 2, "unknown file ending '.xlsx'; expected .parquet, .csv, .ndjson"),
        (["samples", "x.csv", "--metric", "step"], 2, "'steps', 'bpm'"),
        (["samples", "x.csv", "--format", "xml"], 2, "'parquet', 'csv', 'ndjson', 'arrow'"),
        (["samples", "folder", "--compression", "lz4"], 2, "lz4"),
        (["samples", "x.arrows", "--compression", "gzip"], 2, "arrow can be compressed with"),
        (["samples", ".", "--format", "csv"], 2, "a folder contains Parquet"),
        (["samples", "x.csv", "--from", "yesterday"], 2, "--from 'yesterday'"),
        (["samples", "x.csv", "--since", "x"], 2, "--since"),
        (["samples", "x.csv", "--zone", "UTC"], 2, "--zone is only for rollups"),
        (["rollups", "x.csv", "--zone", "berlin"], 2, "did you mean Europe/Berlin?"),
        (["samples", "x.csv", "--user", "a", "--segment", "b"], 2, "mutually exclusive"),
        (["samples", "x.csv", "--user", "unknown"], 1, "no user 'unknown'"),
        (["samples", "x.csv", "--segment", "none"], 1, "no segment 'none'"),
        (["samples", "x.csv", "--user", NOT_TEXT], 2, "not UTF-8"),
        (["samples", "x.csv", "--segment", NOT_TEXT], 2, "not UTF-8"),
        (["documents", "x.csv", "--type", NOT_TEXT], 2, "not UTF-8"),
        (["documents", "x.csv", "--type", "nap"], 1, "no document type 'nap'; list them: uptake"),
        (["samples", "x.csv", "--project", "acme"], 1, "project 'acme' does not exist"),
        (["samples", "uptake-data/uptake.db/x.csv"], 1, "uptake.db"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_cannot_be_done_is_reported_in_a_line(
    uptake: Uptake, tmp_path: Path, arguments: list[str], status: int, word: str
) -> None:
    """And no file is made."""
    uptake("export", *arguments).assert_failed(status, word)
    assert [path.name for path in tmp_path.iterdir()] == ["uptake-data"]


def start(tmp_path: Path, destination: str) -> subprocess.Popen[bytes]:
    """An export that has begun to write."""
    command = [sys.executable, "-m", "uptake", "export", "samples", destination]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until = time.monotonic() + SECONDS
    while not any(path.name.endswith(".part") for path in tmp_path.iterdir()):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    return process


@pytest.mark.parametrize("destination", ["out", "out.ndjson"])
@pytest.mark.usefixtures("much")
def test_an_export_that_is_stopped_leaves_nothing(tmp_path: Path, destination: str) -> None:
    """Ctrl-C: 130, and no file that looks whole."""
    with start(tmp_path, destination) as process:
        process.send_signal(signal.SIGINT)
        _, summary_of = process.communicate(timeout=SECONDS)
    assert (process.returncode, summary_of) == (130, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["uptake-data"]


@pytest.mark.parametrize("destination", ["out", "out.ndjson"])
def test_an_export_that_is_killed_leaves_nothing_that_looks_whole(
    much: Path, tmp_path: Path, destination: str
) -> None:
    """What it leaves has a name that states so; the next one is not hindered."""
    with start(tmp_path, destination) as process:
        process.kill()
        process.communicate(timeout=SECONDS)
    left = [path.name for path in tmp_path.iterdir() if path != much]
    assert all(name.startswith(f".{destination}.") and name.endswith(".part") for name in left)
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.usefixtures("much")
def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    """How many rows were read, until it is done."""
    terminal, end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "export", "samples", "out.ndjson.gz"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=end,
        env={**os.environ, "TERM": "xterm"},
        check=False,
    )
    os.set_blocking(terminal, False)
    shown = os.read(terminal, 100_000).decode(errors="replace")
    assert done.returncode == 0
    assert ",000 samples" in shown or "samples" in shown
    assert b"500,000 samples" in done.stdout
