"""A folder that cannot be written, is gone, or holds something else than it should."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.store import sqlite
from uptake.store.base import StoreUnavailable
from uptake.testing.live import LiveServer, serving

from .ledger import BOUND_USER
from .uploads import Uploads, keys_of, log_of, problem_of

CONFINED = [
    sys.executable,
    str(Path(__file__).with_name("confined.py")),
    "--obey-permissions",
    "--",
]


def _start_fails(*options: str) -> str:
    """The one line that `uptake serve` prints when it exits with status 1."""
    command = [*CONFINED, "serve", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, timeout=60, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("uptake: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.fixture
def filled(data_dir: Path) -> Iterator[Path]:
    """A data folder in which a server has worked; what it may not do is undone at the end."""
    with serving(data_dir) as server:
        assert server.stop() == 0
    yield data_dir
    for path in (data_dir, *data_dir.rglob("*")):
        path.chmod(0o755)


def test_a_read_only_folder_stops_the_start(tmp_path: Path) -> None:
    """No file can be created in the empty folder; the message names the database."""
    tmp_path.chmod(0o555)
    try:
        assert f"{tmp_path}/uptake.db: " in _start_fails("--data-dir", str(tmp_path))
    finally:
        tmp_path.chmod(0o755)


def test_a_read_only_database_stops_the_start(filled: Path) -> None:
    """The file exists, but cannot be written."""
    for path in filled.glob("uptake.db*"):
        path.chmod(0o444)
    assert f"{filled}/uptake.db: " in _start_fails("--data-dir", str(filled))


def test_a_folder_that_cannot_be_created_stops_the_start(tmp_path: Path) -> None:
    """Its parent is a file."""
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file" / "data") in _start_fails(
        "--data-dir", str(tmp_path / "file" / "data")
    )


def test_a_read_only_image_folder_stops_the_start(data_dir: Path) -> None:
    """The server does not wait for the first image; the folder is a path or a URL."""
    blobs = data_dir / "blobs"
    blobs.mkdir(parents=True)
    blobs.chmod(0o555)
    try:
        for place in (str(blobs), blobs.as_uri()):
            message = _start_fails("--data-dir", str(data_dir), "--blobs", place)
            assert message.startswith(f"uptake: {place}: ")
            assert "Permission denied" in message
    finally:
        blobs.chmod(0o755)


def test_a_file_that_is_no_database_stops_the_start(filled: Path) -> None:
    """The file is unchanged."""
    database = filled / "uptake.db"
    for path in filled.glob("uptake.db*"):
        path.unlink()
    database.write_bytes(b"not a database " * 1000)
    assert f"{database}: file is not a database" in _start_fails("--data-dir", str(filled))
    assert database.read_bytes() == b"not a database " * 1000


def test_a_database_of_a_newer_version_stops_the_start(filled: Path) -> None:
    """The file is unchanged."""
    database = sqlite3.connect(filled / "uptake.db")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    assert "newer version" in _start_fails("--data-dir", str(filled))


def _assert_all_unavailable(uploads: Uploads, number: int) -> None:
    for name, send in uploads.one_of_each("1", number).items():
        answer = send()
        assert answer.status_code == 503, (name, answer.text)
        assert int(answer.headers["retry-after"]) >= 1
        problem_of(name, answer)
    assert uploads.get("/health/ready").status_code == 503
    assert uploads.get("/health/live").status_code == 200


def test_removed_while_serving_nothing_is_acknowledged(data_dir: Path) -> None:
    """A database file that is gone from its place would lose what is written to it."""
    with serving(data_dir) as server:
        uploads = Uploads(server.url, *keys_of(server, BOUND_USER))
        for send in uploads.one_of_each("1", 1).values():
            assert send().status_code == 200
        shutil.rmtree(data_dir)
        _assert_all_unavailable(uploads, 2)
        uploads.close()
        assert "Traceback" not in log_of(server)


def test_a_transaction_in_a_removed_file_is_not_acknowledged(tmp_path: Path) -> None:
    """The file was removed during the transaction, so its data is lost."""
    path = tmp_path / "uptake.db"
    store = sqlite.open_store(path)
    with pytest.raises(StoreUnavailable, match="removed or replaced"), store.writing():
        path.unlink()
    store.close()


def test_moved_away_while_serving_and_back_again_it_goes_on(data_dir: Path) -> None:
    """Nothing is acknowledged in between, nothing from before is lost."""
    away = data_dir.with_name("away")
    with serving(data_dir) as server:
        uploads = Uploads(server.url, *keys_of(server, BOUND_USER))
        for send in uploads.one_of_each("1", 1).values():
            assert send().status_code == 200
        data_dir.rename(away)
        _assert_all_unavailable(uploads, 2)
        shutil.rmtree(data_dir, ignore_errors=True)
        away.rename(data_dir)
        for name, send in uploads.one_of_each("1", 3).items():
            answer = send()
            assert answer.status_code == 200, (name, answer.text)
        profile = uploads.read("/users/1")
        assert (
            profile["documents"],
            profile["images"],
            profile["samples"]["steps"]["count"],
        ) == (2, 2, 6)
        assert profile["attributes"] == {"n1": "x", "n3": "x"}
        uploads.close()
        assert "Traceback" not in log_of(server)


def test_a_read_only_image_folder_is_503_for_images_alone(data_dir: Path) -> None:
    """And with permission given again, images are taken again."""
    server = LiveServer(data_dir, program=CONFINED)
    blobs = data_dir / "blobs"
    try:
        server.start()
        uploads = Uploads(server.url, *keys_of(server, BOUND_USER))
        blobs.chmod(0o555)
        sent = uploads.one_of_each("1", 1)
        statuses = {name: send().status_code for name, send in sent.items()}
        assert {name: 503 if name == "questionpro" else 200 for name in sent} == statuses
        answer = sent["questionpro"]()
        assert problem_of("questionpro", answer) == "SERVICE_UNAVAILABLE"
        blobs.chmod(0o755)
        assert sent["questionpro"]().status_code == 200
        uploads.close()
        assert "Traceback" not in log_of(server)
    finally:
        blobs.chmod(0o755)
        server.kill()
