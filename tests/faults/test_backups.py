"""A disk that is lost, after a backup that was taken while the server worked."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from uptake.testing.live import LiveServer, serving

from .ledger import (
    BOUND_USER,
    Ledger,
    Load,
    acknowledged,
    send_documents_again,
    verify,
    wait_for_all_kinds,
)
from .uploads import Uploads, keys_of


def _uptake(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "uptake", *map(str, arguments), "--json"],
        capture_output=True,
        check=True,
    )
    return msgspec.json.decode(done.stdout)


def test_what_was_acknowledged_before_a_backup_under_load_is_in_it(
    data_dir: Path, tmp_path: Path
) -> None:
    """The server and its disk are lost; on another one all of it is there, once."""
    ledger = Ledger()
    with serving(data_dir, "--workers", "2") as server:
        keys = keys_of(server, BOUND_USER)
        load = Load(ledger, server.url, keys)
        load.start(first=0)
        wait_for_all_kinds(ledger)
        before = acknowledged(ledger)
        manifest = _uptake("backup", tmp_path / "backup", "--data-dir", data_dir)
        load.end()
        assert load.broken == []
        server.kill()
    assert manifest["rows"]["images"] >= len({content for _, _, content in before.images})
    shutil.rmtree(data_dir)

    _uptake("restore", tmp_path / "backup", "--data-dir", data_dir)
    with serving(data_dir) as restored:
        uploads = Uploads(restored.url, *keys)
        verify(before, uploads)
        send_documents_again(before, uploads)
        uploads.close()


def test_a_server_answers_while_it_is_backed_up(data_dir: Path, tmp_path: Path) -> None:
    """No request fails during the backup, and none waits for its end."""
    server = LiveServer(data_dir)
    server.start()
    try:
        ledger = Ledger()
        load = Load(ledger, server.url, keys_of(server, BOUND_USER))
        load.start(first=0)
        wait_for_all_kinds(ledger)
        sent = len(ledger.documents)
        for number in range(3):
            _uptake("backup", tmp_path / str(number), "--data-dir", data_dir)
            assert len(ledger.documents) > sent
            sent = len(ledger.documents)
        load.end()
        assert load.broken == []
        assert ledger.rejected == []
        assert set(ledger.sent_documents) == set(ledger.documents)
        assert sorted(ledger.sent_attributes) == sorted(ledger.attributes)
    finally:
        server.kill()
