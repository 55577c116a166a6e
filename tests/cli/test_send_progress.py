"""The progress that `uptake send` shows."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pyarrow import RecordBatch

from uploader.sending import some, write
from uptake.cli.send_progress import line_of, part_done
from uptake.testing.live import LiveServer
from uptake.uploader.context import UploadOptions
from uptake.uploader.sending.connection import destination
from uptake.uploader.session import Session
from uptake.uploader.sources import opening


def test_the_line_has_items_rate_rejections_and_the_current_error(tmp_path: Path) -> None:
    """For a session that has read its file and has half of the answers."""
    path = write(tmp_path / "samples.ndjson", some("u", 1000))
    plan = UploadOptions(destination("http://localhost:8000"), "k", tmp_path / "ledger")
    source = opening.samples(path)
    session = Session(plan, [source])
    assert (part_done(session), line_of(session)) == (0.0, "0 read, 0 acknowledged, 0/s")
    assert sum(batch.num_rows for batch in source() if isinstance(batch, RecordBatch)) == 1000
    session.tally.add(read=1000, acknowledged=490, refused=10)
    session.tally.trouble = "503: full"
    assert part_done(session) == 0.5
    line = line_of(session)
    assert line.startswith("1,000 read, 490 acknowledged, ")
    assert line.endswith("/s, 10 rejected, retrying: 503: full")


def test_a_terminal_shows_a_bar(live: LiveServer, key: str, tmp_path: Path) -> None:
    """On standard error, while the summary goes to standard output."""
    users = [f"u-{uuid4()}" for _ in range(3)]
    path = write(tmp_path / "samples.ndjson", [one for u in users for one in some(u, 20_000)])
    command = [sys.executable, "-m", "uptake", "send", "samples", str(path), "--to", live.url]
    command += ["--ledger", str(tmp_path / "ledger")]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "UPTAKE_KEY": key, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        # Reading from a terminal raises an error when its last writer has closed it.
        with suppress(OSError):
            while some_bytes := os.read(ours, 65536):
                shown += some_bytes
    os.close(ours)
    assert process.returncode == 0
    assert "━".encode() in shown
    assert b" read, " in shown
    assert b"60,000 acknowledged now" in shown
