"""Exports that are not read, canceled or cut off: others are served, and none look complete."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest

from uptake.http.executors import EXPORTS_AT_ONCE
from uptake.samples import columns, times
from uptake.samples.columns import Columns
from uptake.store import sqlite
from uptake.store.records import BatchRecord, Entry
from uptake.testing.live import LiveServer, serving
from uptake.testing.store.making import NOON, rejection
from uptake.time_units import TICKS_PER_SECOND

BATCHES, PER_BATCH = 500, 1000
LINE_BYTES = 200
"""Less than a sample takes as a line of NDJSON."""

GROWTH = 150_000_000
"""Bytes that exports may take: a fifth of what they send in these tests."""

SECONDS = 20.0


def fill(path: Path) -> None:
    """Store half a million samples of one user directly."""
    start, offset = times.read("2025-01-01T00:00:00+01:00")
    numbers = np.zeros((7, PER_BATCH), np.int64)
    numbers[2] = numbers[3] = offset
    with closing(sqlite.open_store(path)) as store:
        for number in range(BATCHES):
            numbers[0] = start + (number * PER_BATCH + np.arange(PER_BATCH)) * 60 * TICKS_PER_SECOND
            value = np.arange(1, PER_BATCH + 1, dtype=np.float64)
            encoded = columns.to_bytes(Columns(numbers, value, ("Watch",), (None,)))
            ends = int(numbers[0, 0]), int(numbers[0, -1])
            digest = columns.digest(encoded)
            record = BatchRecord("42", "steps", digest, *ends, PER_BATCH, encoded, PER_BATCH)
            store.commit([Entry("default", f"r{number}", NOON, (record,))])


@pytest.fixture
def server(data_dir: Path) -> Iterator[LiveServer]:
    """A server with so much that its exports take a while."""
    data_dir.mkdir()
    fill(data_dir / "uptake.db")
    with serving(data_dir) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    """With a key that may read."""
    headers = {"Authorization": f"Bearer {server.create_key('data:read')}"}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=SECONDS) as opened:
        yield opened


@contextmanager
def begun(client: httpx2.Client) -> Iterator[Iterator[bytes]]:
    """An export of which a little has arrived."""
    with client.stream("GET", "/uptake/v1/exports/samples?form=ndjson") as answer:
        assert answer.status_code == 200
        parts = answer.iter_raw(65536)
        next(parts)
        yield parts


def memory(server: LiveServer) -> int:
    """Bytes that the server's processes hold."""
    assert server.process is not None
    found = 0
    for children in Path(f"/proc/{server.process.pid}/task").glob("*/children"):
        for pid in children.read_text().split():
            pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
            found += int(pages) * 4096
    return found


def wait_for_a_place(client: httpx2.Client) -> None:
    """Until the server makes exports again."""
    until = time.monotonic() + SECONDS
    while (status := client.get("/uptake/v1/exports/users").status_code) != 200:
        assert status == 503
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_export_is_made_no_faster_than_it_is_read(
    server: LiveServer, client: httpx2.Client
) -> None:
    """It waits, in memory that does not grow, and goes on; it ends with the last sample."""
    client.get("/uptake/v1/exports/users").raise_for_status()  # Arrow is loaded now
    before = memory(server)
    with begun(client) as parts:
        time.sleep(1.0)
        size, most, last = 0, memory(server), b""
        for last in parts:
            size += len(last)
            most = max(most, memory(server))
    assert size > BATCHES * PER_BATCH * LINE_BYTES - 65536
    assert last.endswith(b"}\n")
    assert most - before < GROWTH


def test_exports_are_made_a_few_at_a_time(server: LiveServer, client: httpx2.Client) -> None:
    """Further requests get 503 with Retry-After until one ends."""
    with ExitStack() as stack:
        for _ in range(EXPORTS_AT_ONCE):
            stack.enter_context(begun(client))
        rejected = client.get("/uptake/v1/exports/users")
        assert rejected.status_code == 503
        assert rejected.headers["retry-after"] == "1"
        assert client.get("/uptake/v1/users/42").status_code == 200
    wait_for_a_place(client)
    assert "Traceback" not in server.log


def test_an_export_that_breaks_off_does_not_look_whole(
    server: LiveServer, client: httpx2.Client, data_dir: Path
) -> None:
    """The connection closes before the end; the log has the reason, and the next one is served."""
    raw = b'"' + b"x" * 200_000 + b'"'
    with closing(sqlite.open_store(data_dir / "uptake.db")) as store:
        rejected = [rejection(f"r-{number:02}", user_id="42", raw=raw) for number in range(50)]
        rejected.append(rejection("r-last", user_id="42", raw=b"", raw_blob="rejected/large"))
        store.commit([Entry("default", "r", NOON, rejections=tuple(rejected))])
    shutil.rmtree(data_dir / "blobs")
    with pytest.raises(httpx2.RemoteProtocolError):
        client.get("/uptake/v1/exports/rejections?form=ndjson")
    wait_for_a_place(client)
    until = time.monotonic() + SECONDS
    while "export failed" not in server.log:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_export_that_cannot_begin_is_not_begun(client: httpx2.Client, data_dir: Path) -> None:
    """It is answered with 503, as anything else that storage is needed for."""
    with closing(sqlite.open_store(data_dir / "uptake.db")) as store:
        rejected = rejection("r-1", user_id="42", raw=b"", raw_blob="rejected/large")
        store.commit([Entry("default", "r", NOON, rejections=(rejected,))])
    shutil.rmtree(data_dir / "blobs")
    for path in ("exports/rejections", "exports/rejections?form=csv&compression=gzip"):
        assert client.get(f"/uptake/v1/{path}").status_code == 503
    wait_for_a_place(client)


def test_a_server_that_stops_breaks_exports_off(server: LiveServer, client: httpx2.Client) -> None:
    """Whether they are read or not, and long before they would end."""
    with begun(client) as parts:
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < SECONDS / 2
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            for _ in parts:
                pass
    assert "Traceback" not in server.log
