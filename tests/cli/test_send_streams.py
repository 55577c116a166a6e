"""`uptake send` from pipes: all bytes are read, and waiting for a pipe can be interrupted."""

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from uploader.sending import held
from uploader.table_forms import zipped
from uptake.testing.live import LiveServer

from .conftest import Uptake

TESTS = Path(__file__).parents[1]
LINES = TESTS / "cases" / "tables" / "lines-of-128-bytes.ndjson"
EXAMPLES = TESTS.parent / "examples"
OPTIONS = ("--to", "http://localhost:1", "--dry-run", "--ledger", "l", "--json")
SECONDS = 60


def command(*arguments: str) -> list[str]:
    """The command of a dry run of `uptake send`."""
    return [sys.executable, "-m", "uptake", "send", *arguments, *OPTIONS]


@contextmanager
def pipe(folder: Path, content: bytes, size: int = 1 << 16) -> Iterator[Path]:
    """A named pipe that a thread writes to, so many bytes at a time."""
    path = folder / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as opened:
            for at in range(0, len(content), size):
                opened.write(content[at : at + size])

    writer = threading.Thread(target=write)
    writer.start()
    yield path
    writer.join(SECONDS)
    path.unlink()


def test_utf_16_from_a_stream_is_csv_with_an_encoding(uptake: Uptake, tmp_path: Path) -> None:
    """Without the option, the message names it."""
    table = "user_id,age\nada,30\n,31\n".encode("utf-16")
    with pipe(tmp_path, table) as path:
        done = uptake("send", "profiles", path, "--encoding", "utf-16", *OPTIONS[:-1])
    assert f"{path}:3: lacks user_id" in done.err
    with pipe(tmp_path, table) as path:
        done = uptake("send", "profiles", path, *OPTIONS)
    assert "is not UTF-8; name the encoding of the file with --encoding" in done.err


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
def test_standard_input_is_read_from_its_first_byte(tmp_path: Path, path: str) -> None:
    """All 40 lines, of which the first 32 are 4,096 bytes."""
    done = subprocess.run(
        command("samples", path),
        cwd=tmp_path,
        input=LINES.read_bytes(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    summary = msgspec.json.decode(done.stdout)
    assert (summary["read"], summary["to_send"]) == (40, 40)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"user_id,age\nada,30\n,31\n", "standard input:3: lacks user_id"),
        (zipped({"a.csv": b"user_id,age\n,31\n"}), "standard input/a.csv:2: lacks user_id"),
        (b'{\n  "user_id": "ada"\n}\n', "convert it: jq -c . FILE > items.ndjson"),
        (b"\x89PNG\r\n\x1a\n\0", "standard input: of no kind that can be read"),
    ],
    ids=["a row", "an archive", "pretty-printed JSON", "an image"],
)
def test_messages_name_standard_input(tmp_path: Path, content: bytes, message: str) -> None:
    """Not `-`, as on the command line."""
    done = subprocess.run(
        command("profiles", "-"),
        cwd=tmp_path,
        input=content,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert message in done.stderr.decode()


@pytest.mark.parametrize("inside", ["", "/a.ndjson"])
def test_rejected_rows_of_standard_input_name_it_as_on_the_command_line(
    live: LiveServer, key: str, tmp_path: Path, inside: str
) -> None:
    """The member `file` is `-`, also before the name of a file in an archive."""
    rows = b'{"user_id": "streamed", "age": 3}\noh\n'
    options = ("--to", live.url, "--ledger", "l", "--refused", "rejected.ndjson")
    subprocess.run(
        [sys.executable, "-m", "uptake", "send", "profiles", "-", *options],
        cwd=tmp_path,
        env={**os.environ, "UPTAKE_KEY": key},
        input=zipped({"a.ndjson": rows}) if inside else rows,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    reasons, row = (tmp_path / "rejected.ndjson").read_bytes().splitlines()
    (marked,) = msgspec.json.decode(reasons).values()
    assert (marked["file"], marked["line"], row) == (f"-{inside}", 2, b"oh")


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("samples.csv", "samples", 104),
        ("samples.ndjson", "samples", 104),
        ("samples.parquet", "samples", 104),
        ("export.xml", "samples", 85),
        ("export.zip", "samples", 85),
        ("profiles.csv", "profiles", 4),
        ("documents.ndjson", "documents", 6),
    ],
)
def test_every_streamable_file_is_read_completely(
    uptake: Uptake, tmp_path: Path, name: str, kind: str, count: int
) -> None:
    """Compressed or not, from a pipe without a suffix."""
    content = (EXAMPLES / name).read_bytes()
    options = {"samples": ("--user", "ada"), "documents": ("--type", "check-in")}.get(kind, ())
    for data in (content, gzip.compress(content)):
        with pipe(tmp_path, data) as path:
            done = uptake("send", kind, path, *options, *OPTIONS)
        assert (done.status, done.err) == (0, "")
        assert (done.json["read"], done.json["to_send"]) == (count, count)


def test_paths_in_a_streamed_table_are_relative_to_the_working_folder(
    uptake: Uptake, tmp_path: Path
) -> None:
    """A stream is in no folder."""
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pipe(tmp_path, b"user_id,path\n1,a.gif\n") as path:
        done = uptake("send", "images", path, *OPTIONS)
    assert (done.status, done.json["to_send"]) == (0, 1)


def test_a_slow_writer_is_waited_for(uptake: Uptake, tmp_path: Path) -> None:
    """No byte is lost if the writer pauses before or within lines."""
    with pipe(tmp_path, LINES.read_bytes(), size=100) as path:
        done = uptake("send", "samples", path, *OPTIONS)
    assert (done.status, done.json["read"]) == (0, 40)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [False, True])
def test_a_signal_ends_the_wait_for_a_pipe(
    tmp_path: Path, number: signal.Signals, begun: bool
) -> None:
    """Before the first byte and after it: with status 1 and a message how to continue."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(command("samples", str(fifo)), cwd=tmp_path, stderr=subprocess.PIPE)
    # Opening blocks until the reader has opened the pipe, so the signal arrives while it reads.
    descriptor = os.open(fifo, os.O_WRONLY)
    try:
        if begun:
            os.write(descriptor, LINES.read_bytes()[:1000])
        time.sleep(0.5)
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
    finally:
        os.close(descriptor)
    assert process.returncode == 1
    assert "Traceback" not in err.decode()
    assert "stopped; run the same command again to continue" in err.decode()


def test_an_archive_without_readable_files_is_rejected(uptake: Uptake, tmp_path: Path) -> None:
    """From a stream as from a file."""
    with pipe(tmp_path, zipped({"a.csv": b"no,header\n", "b.txt": b""})) as path:
        done = uptake("send", "samples", path, *OPTIONS)
    done.assert_failed(2, "an archive without samples that can be read; it has a.csv, b.txt")


def test_streams_arrive(uptake: Uptake, live: LiveServer, key: str, tmp_path: Path) -> None:
    """At the server, completely, and once."""
    options = ("--to", live.url, "--ledger", "l", "--json")
    for name in ("acknowledged", "known"):
        with pipe(tmp_path, LINES.read_bytes()) as path:
            done = uptake("send", "samples", path, *options, UPTAKE_KEY=key)
        assert (done.status, done.json[name]) == (0, 40)
    assert len(held(live.url, key, "pipe6")) == 40
