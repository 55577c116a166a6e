"""Which files can be read, and the messages for other files."""

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from uptake.uploader.sources import UnknownSource, opening

from .found import EXAMPLES, read_samples

OPENERS: dict[str, Any] = {
    "samples": opening.samples,
    "profiles": opening.profiles,
    "documents": opening.documents,
    "images": opening.images,
}


@pytest.mark.parametrize("what", OPENERS)
def test_a_missing_file_is_rejected(what: str, tmp_path: Path) -> None:
    """The message has the path."""
    with pytest.raises(UnknownSource) as rejected:
        OPENERS[what](tmp_path / "none.csv")
    assert str(rejected.value) == f"{tmp_path}/none.csv: there is no such file or folder"


TWICE = gzip.compress(gzip.compress(b"a", mtime=0), mtime=0)
NO_KIND = "of no kind that can be read; "


@pytest.mark.parametrize(
    ("what", "name", "content", "reason"),
    [
        ("samples", "a.bin", b"\0", f"{NO_KIND}samples are read from an Apple Health export.xml, "),
        ("profiles", "a.xml", b"<a/>", f"{NO_KIND}profiles are read from CSV, NDJSON or Parquet"),
        ("documents", "a.csv", b"a,b\n", f"{NO_KIND}documents are read from NDJSON"),
        ("samples", "a.json", b" [{}]", "begins as a JSON array; NDJSON has one object on each "),
        ("samples", "a.csv", TWICE, "is compressed twice; unpack it"),
        ("samples", "a.parquet", b"PAR1 and no more", "not a Parquet file: "),
        ("samples", "a.xml", b"<a/>", "not an Apple Health export: it has no element HealthData"),
    ],
)
def test_a_file_of_another_format_is_rejected(
    what: str, name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    """The message lists the readable formats."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnknownSource) as rejected:
        OPENERS[what](path)
    assert str(rejected.value).startswith(f"{path}: {reason}")


def test_folders_are_rejected_for_profiles(tmp_path: Path) -> None:
    """Profiles are read from files."""
    with pytest.raises(UnknownSource, match="is a folder; profiles are read from CSV, NDJSON or P"):
        opening.profiles(tmp_path)


@pytest.mark.parametrize(
    "example", ["samples.ndjson", "samples.parquet", "export.xml", "export.zip"]
)
def test_the_format_is_recognized_by_the_first_bytes(example: str, tmp_path: Path) -> None:
    """For any name."""
    path = tmp_path / "download"
    path.write_bytes((EXAMPLES / example).read_bytes())
    assert read_samples(path) == read_samples(EXAMPLES / example)


def test_the_examples_are_read_completely() -> None:
    """All examples of the project, without an error."""
    tables = [read_samples(EXAMPLES / f"samples.{kind}") for kind in ("csv", "ndjson", "parquet")]
    lines = [[row.pop("line") for row in rows] for rows, _ in tables]
    assert lines == [list(range(2, 106)), list(range(1, 105)), list(range(1, 105))]
    assert tables[0] == tables[1] == tables[2]
    assert tables[0][1] == []
    exports = [read_samples(EXAMPLES / name, user="10001") for name in ("export.xml", "export.zip")]
    assert exports[0] == exports[1]
    assert (len(exports[0][0]), exports[0][1]) == (85, [])
    assert {(row["device_name"], row["metric"]) for row in exports[0][0]} == {
        ("Ada\u2019s Apple Watch", "bpm"),
        ("Ada\u2019s Apple Watch", "steps"),
        ("Ada\u2019s iPhone", "steps"),
        ("Health", "steps"),
    }
    users = {
        "profiles.csv": ["10001", "10002", "10003", "10004"],
        "documents": ["10001", "10002", "10003"],
        "documents.ndjson": ["10001", "10001", "10002", "10002", "10003", "10003"],
        "images": ["10001", "10002", "10002", "10003"],
        "images.csv": ["10001", "10002", "10002", "10003"],
    }
    for name, expected in users.items():
        found = list(OPENERS[name.partition(".")[0]](EXAMPLES / name)())
        assert [item.user_id for item in found] == expected


def test_the_example_in_parquet_has_times_in_a_zone() -> None:
    """The test of the examples depends on it."""
    schema = pq.read_schema(EXAMPLES / "samples.parquet")
    assert str(schema.field("start_date").type) == "timestamp[ms, tz=Europe/Paris]"


@pytest.mark.parametrize("name", ["samples.csv", "samples.ndjson", "samples.csv.gz"])
def test_a_program_may_end_while_a_source_is_open(name: str, tmp_path: Path) -> None:
    """No background thread reads on, which would crash the interpreter."""
    example = (EXAMPLES / name.removesuffix(".gz")).read_bytes()
    head, rows = example.split(b"\n", 1)
    path = tmp_path / name
    text = head + b"\n" + rows * 1500
    path.write_bytes(gzip.compress(text, 1) if name.endswith(".gz") else text)
    program = (
        "import sys, pathlib; from uptake.uploader.sources import opening;"
        "found = opening.samples(pathlib.Path(sys.argv[1]))(); print(next(found).num_rows > 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"True\n", b"")
