"""The progress that `uptake send` shows."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from pyarrow import RecordBatch

from contract.pictures import encoded
from uploader.sending import some, write
from uptake.cli.send_progress import line_of, part_done
from uptake.testing.live import LiveServer
from uptake.uploader.context import UploadOptions
from uptake.uploader.sending.connection import destination
from uptake.uploader.session import Session
from uptake.uploader.sources import opening

from .pseudo_terminal import run_on_a_terminal


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


def _samples(folder: Path) -> tuple[Path, int]:
    users = [f"u-{uuid4()}" for _ in range(12)]
    rows = [one for user in users for one in some(user, 40_000)]
    return write(folder / "samples.ndjson", rows), len(rows)


def _health(folder: Path) -> tuple[Path, int]:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    times = [f"{start + timedelta(minutes=i):%Y-%m-%d %H:%M:%S} +0000" for i in range(200_000)]
    records = [
        f'<Record type="HKQuantityTypeIdentifierStepCount" sourceName="Phone" unit="count"'
        f' startDate="{time}" endDate="{time}" value="9"/>\n'
        for time in times
    ]
    path = folder / "export.xml"
    path.write_text(f"<HealthData>\n{''.join(records)}</HealthData>\n")
    return path, len(records)


def _profiles(folder: Path) -> tuple[Path, int]:
    prefix, path = f"p-{uuid4()}", folder / "profiles.csv"
    path.write_text("user_id,n\n" + "".join(f"{prefix}-{i},{i}\n" for i in range(16_000)))
    return path, 16_000


def _documents(folder: Path) -> tuple[Path, int]:
    prefix = f"d-{uuid4()}"
    rows = [{"user_id": f"{prefix}-{i % 50}", "data": {"n": i}} for i in range(2500)]
    return write(folder / "documents.ndjson", rows), len(rows)


def _images(folder: Path) -> tuple[Path, int]:
    path, first = folder / "photos", Random().randrange(10**9, 10**12)
    path.mkdir()
    for i in range(500):
        (path / f"{first + i}.png").write_bytes(encoded("PNG", 200, 100 + i))
    return path, 500


SENT: dict[str, tuple[Callable[[Path], tuple[Path, int]], tuple[str, ...]]] = {
    "samples": (_samples, ("samples",)),
    "Apple Health": (_health, ("samples", "--user", f"h-{uuid4()}")),
    "profiles": (_profiles, ("profiles",)),
    "documents": (_documents, ("documents", "--type", "progress")),
    "images": (_images, ("images",)),
}


@pytest.mark.parametrize("kind", SENT)
def test_a_terminal_shows_a_count_and_a_bar_that_move(
    live: LiveServer, key: str, tmp_path: Path, kind: str
) -> None:
    """On standard error, while the summary goes to standard output."""
    make, options = SENT[kind]
    path, count = make(tmp_path)
    live.create_type("progress")
    status, shown = run_on_a_terminal(
        *("send", *options, path, "--to", live.url, "--ledger", tmp_path / "ledger"),
        UPTAKE_KEY=key,
    )
    assert status == 0, shown
    assert f"{count:,} acknowledged now" in shown
    counts = set(re.findall(r"([\d,]+) read, ([\d,]+) acknowledged", shown))
    assert len(counts) >= 3
    assert len(set(re.findall("━*[╸╺]━*", shown))) >= 2
