"""A disk that is full, and one that has room again."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.testing.live import LiveServer, serving

from .ledger import BOUND_USER
from .small_disk import small_disk
from .uploads import Uploads, keys_of, log_of, problem_of

CONFINED = Path(__file__).with_name("confined.py")
LARGEST_FILE = 2 * 1024 * 1024
LARGE = 200 * 1024
OPERATIONS = {
    "thymia": "Storage cannot be reached or written",
    "ptengine": "Storage cannot be reached or written",
    "questionpro": "SERVICE_UNAVAILABLE",
    "gerosense-v1.1": "unavailable",
    "gerosense-v2.2": "unavailable",
}


@pytest.fixture
def narrow(data_dir: Path) -> Iterator[LiveServer]:
    """A server that cannot write files larger than `LARGEST_FILE`."""
    bounds = ["--largest-file", str(LARGEST_FILE)]
    server = LiveServer(data_dir, program=[sys.executable, str(CONFINED), *bounds, "--"])
    server.start()
    yield server
    server.kill()


def _fill(uploads: Uploads) -> tuple[list[str], int]:
    """Send until nothing more is taken: ids of the documents and the count of names that were."""
    ids: list[str] = []
    while (answer := uploads.document("1", {"text": "x" * LARGE})).status_code == 200:
        ids.append(answer.json()["uploadId"])
    assert answer.status_code == 503
    names = 0
    while (answer := uploads.attributes({"1": {f"name{names}": "x"}})).status_code == 200:
        names += 1
    assert answer.status_code == 503
    return ids, names


def _make_room(server: LiveServer) -> None:
    assert server.process is not None
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    for pid in (main, *map(int, children)):
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def test_a_full_disk_gives_503_until_there_is_room_again(narrow: LiveServer) -> None:
    """In each vendor's envelope, with Retry-After; only acknowledged data is stored."""
    keys = keys_of(narrow, BOUND_USER)
    uploads = Uploads(narrow.url, *keys)
    ids, names = _fill(uploads)
    for name, send in uploads.one_of_each("1", 500).items():
        answer = send()
        assert answer.status_code == 503, (name, answer.text)
        assert int(answer.headers["retry-after"]) >= 1
        assert OPERATIONS[name] == problem_of(name, answer)
    assert uploads.get("/health/live").status_code == 200
    _assert_stored(uploads, ids, names)

    _make_room(narrow)
    for name, send in uploads.one_of_each("2", 600).items():
        answer = send()
        assert answer.status_code == 200, (name, answer.text)
    _assert_stored(uploads, ids, names)
    uploads.close()
    assert "Traceback" not in log_of(narrow)

    narrow.kill()
    narrow.start()
    uploads = Uploads(narrow.url, *keys)
    _assert_stored(uploads, ids, names)
    assert uploads.read("/users/2")["documents"] == 1
    uploads.close()


def test_a_real_full_disk_that_has_room_again(data_dir: Path, tmp_path: Path) -> None:
    """503 with Retry-After until then, without a restart; no acknowledged data is lost."""
    program = [sys.executable, "-m", "uptake"]
    with small_disk(data_dir, program) as disk:
        uploads = Uploads(disk.server.url, *disk.keys)
        ids, names = _fill(uploads)
        for name, send in uploads.one_of_each("1", 500).items():
            answer = send()
            assert answer.status_code == 503, (name, answer.text)
            assert int(answer.headers["retry-after"]) >= 1
            assert OPERATIONS[name] == problem_of(name, answer)
        _assert_stored(uploads, ids, names)

        disk.make_room()
        for name, send in uploads.one_of_each("2", 600).items():
            answer = send()
            assert answer.status_code == 200, (name, answer.text)
        _assert_stored(uploads, ids, names)
        uploads.close()
        log = log_of(disk.server)
        assert "database or disk is full" in log
        assert "Traceback" not in log
        disk.kill_and_save(tmp_path / "saved")

    with serving(tmp_path / "saved") as restarted:
        uploads = Uploads(restarted.url, *disk.keys)
        _assert_stored(uploads, ids, names)
        profile = uploads.read("/users/2")
        assert (profile["documents"], profile["images"]) == (1, 1)
        uploads.close()


def _assert_stored(uploads: Uploads, ids: list[str], names: int) -> None:
    assert len(ids) > 3
    profile = uploads.read("/users/1")
    assert len(ids) == profile["documents"]
    assert {f"name{n}": "x" for n in range(names)} == profile["attributes"]
    assert (profile["images"], profile["samples"]) == (0, {})
    for upload_id in ids:
        assert len(uploads.read(f"/documents/{upload_id}")["data"]["text"]) == LARGE


def test_an_image_that_finds_no_room_is_503_while_the_rest_goes_on(narrow: LiveServer) -> None:
    """Image bytes go elsewhere than rows: no room for the one is none of the other's concern."""
    uploads = Uploads(narrow.url, *keys_of(narrow, BOUND_USER))
    answer = uploads.image(
        "7", b"no image at all, but stored as it was sent" * (LARGEST_FILE // 32)
    )
    assert (answer.status_code, problem_of("questionpro", answer)) == (503, "SERVICE_UNAVAILABLE")
    for name, send in uploads.one_of_each("7", 700).items():
        answer = send()
        assert answer.status_code == 200, (name, answer.text)
    uploads.close()
    assert "Traceback" not in log_of(narrow)


def test_log_lines_that_cannot_be_written_harm_nothing(data_dir: Path) -> None:
    """With the log on a full disk too, requests are answered, failing ones included."""
    program = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", sys.executable, str(CONFINED)]
    server = LiveServer(data_dir, program=[*program, "--largest-file", str(LARGEST_FILE), "--"])
    try:
        server.start()
        uploads = Uploads(server.url, *keys_of(server, BOUND_USER))
        _fill(uploads)
        for name, send in uploads.one_of_each("1", 500).items():
            answer = send()
            assert answer.status_code == 503, (name, answer.text)
        _make_room(server)
        for name, send in uploads.one_of_each("2", 600).items():
            answer = send()
            assert answer.status_code == 200, (name, answer.text)
        uploads.close()
        assert server.stop() == 0
    finally:
        server.kill()
