"""A disk that is lost, with Litestream copying the database elsewhere all the while."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uptake.testing.live import serving

from .ledger import BOUND_USER, Ledger, Load, acknowledged, verify, wait_for_all_kinds
from .uploads import Uploads, keys_of

LITESTREAM = Path(sys.executable).with_name("litestream")
SECONDS = 30.0


@contextmanager
def _replicating(database: Path, folder: Path) -> Iterator[Path]:
    """Litestream at work on a database while the block runs; its control socket."""
    config, socket, log = (folder / name for name in ("litestream.yml", "l.sock", "l.log"))
    config.write_text(
        f"dbs:\n  - path: {database}\n    replica:\n      type: file\n"
        f"      path: {folder / 'replica'}\n"
        f"socket:\n  enabled: true\n  path: {socket}\n"
    )
    with log.open("wb") as file:
        process = subprocess.Popen(
            [LITESTREAM, "replicate", "-config", config], stdout=file, stderr=file
        )
    try:
        until = time.monotonic() + SECONDS
        while not socket.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield socket
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _sync(socket: Path, database: Path) -> None:
    """Have everything copied that is there now; while the writers keep it locked it may fail."""
    command: list[str | Path] = [LITESTREAM, "sync", "-socket", socket, "-wait", database]
    until = time.monotonic() + SECONDS
    while True:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert time.monotonic() < until, done.stderr
        time.sleep(0.5)


def test_what_litestream_has_copied_survives_the_disk(data_dir: Path, tmp_path: Path) -> None:
    """Server and Litestream are killed under load; the database is restored from the copy.

    The images lie elsewhere, as they must: Litestream copies the database alone.
    """
    database = data_dir / "uptake.db"
    blobs = ("--blobs", (tmp_path / "blobs").as_uri())
    ledger = Ledger()
    with serving(data_dir, "--workers", "2", *blobs) as server:
        keys = keys_of(server, BOUND_USER)
        with _replicating(database, tmp_path) as socket:
            load = Load(ledger, server.url, keys)
            load.start(first=0)
            wait_for_all_kinds(ledger)
            before = acknowledged(ledger)
            _sync(socket, database)
            server.kill()
        load.end()
    shutil.rmtree(data_dir)

    data_dir.mkdir()
    replica = f"file://{tmp_path / 'replica'}"
    subprocess.run(
        [LITESTREAM, "restore", "-o", database, replica], check=True, capture_output=True
    )
    with serving(data_dir, *blobs) as restored:
        uploads = Uploads(restored.url, *keys)
        verify(before, uploads)
        for name, send in uploads.one_of_each("after", 900_000).items():
            if name != "questionpro":
                assert send().status_code == 200
        uploads.close()
