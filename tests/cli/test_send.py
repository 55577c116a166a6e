"""`uptake send`: exit statuses, output, and how it stops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from uploader.sending import held, some, write
from uptake.cli import run
from uptake.testing.live import LiveServer

from .conftest import Done, Uptake


@pytest.fixture
def user() -> str:
    """A user that only this test uses."""
    return f"u-{uuid4()}"


def test_a_complete_upload_exits_with_0(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """The key is in a file or in the environment, never in the arguments."""
    path = write(tmp_path / "samples.ndjson", some(user, 7))
    (tmp_path / "key").write_text(f"{key}\n")
    state = str(tmp_path / "state")
    done = uptake(
        "send", "samples", path, "--to", live.url, "--key-file", "key", XDG_STATE_HOME=state
    )
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("7 read\n7 acknowledged now\n1 request, ")
    done = uptake("send", "samples", path, "--to", live.url, XDG_STATE_HOME=state, UPTAKE_KEY=key)
    assert (done.status, done.out) == (0, "7 read\n7 acknowledged before\n")
    (ledger,) = (tmp_path / "state" / "uptake").glob("*.ledger")
    assert ledger.stat().st_mode & 0o077 == 0
    assert held(live.url, key, user) == some(user, 7)


def test_rejected_or_unreadable_items_exit_with_1_and_are_listed(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """With file, line and reason; the others are acknowledged."""
    samples = some(user, 6)
    samples[2]["value"] = -1
    path = write(tmp_path / "samples.ndjson", samples)
    path.write_bytes(path.read_bytes() + b"oh\n")
    options = ("--to", live.url, "--ledger", "l", "--json")
    done = uptake("send", "samples", path, *options, UPTAKE_KEY=key)
    assert done.status == 1
    assert {
        name: done.json[name] for name in ("read", "acknowledged", "refused", "unreadable")
    } == {
        "read": 7,
        "acknowledged": 5,
        "refused": 1,
        "unreadable": 1,
    }
    assert (done.json["complete"], done.json["stopped"]) == (False, "")
    assert f"uptake: {path}:3: value must be greater than 0\n" in done.err
    assert f"uptake: {path}:7: " in done.err
    assert "uptake: they are in uptake-refused.ndjson, to be corrected and sent again\n" in done.err
    *texts, unreadable = (tmp_path / "uptake-refused.ndjson").read_bytes().splitlines()
    rejected = [msgspec.json.decode(text) for text in texts]
    assert [one["refused"]["line"] for one in rejected] == [3, 7]
    assert (rejected[0]["value"], unreadable) == (-1, b"oh")
    assert done.json["rejected_files"] == [done.json["refused_file"]] == ["uptake-refused.ndjson"]


def test_files_that_cannot_be_read_are_to_be_corrected_themselves(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path
) -> None:
    """The file of rejected rows has nothing of them that could be corrected."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "ada.json").write_text('{"mood": ')
    options = ("--type", "mood", "--to", live.url, "--ledger", "l")
    themselves = (
        "uptake: files that are reported without a line number cannot be corrected in"
        " uptake-refused.ndjson: correct the files themselves and send them again\n"
    )
    there = "are in uptake-refused.ndjson, to be corrected and sent again\n"
    done = uptake("send", "documents", folder, *options, UPTAKE_KEY=key)
    assert f"uptake: {folder / 'ada.json'}: is not complete JSON\n" in done.err
    assert themselves in done.err
    assert there not in done.err
    (tmp_path / "rows.ndjson").write_text("oh\n")
    (tmp_path / "uptake-refused.ndjson").unlink()
    sources = (folder, "rows.ndjson")
    done = uptake("send", "documents", *sources, *options, "--json", UPTAKE_KEY=key)
    assert (done.json["unreadable"], done.json["unreadable_files"]) == (2, 1)
    assert themselves in done.err
    assert there in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("samples", "no-such-file", "--to", "http://localhost:1"), "no such file"),
        (("samples", "samples.ndjson", "--to", "localhost:1"), "expected http://HOST"),
        (("samples", "samples.ndjson", "--to", "http://x", "--as", "sms"), "gerosense-v1.1"),
        (("samples", "samples.ndjson", "--to", "http://x", "--map", "value"), "--map"),
        (("samples", "samples.ndjson", "--to", "http://x", "--key-file", "none"), "cannot be read"),
        (("samples", "samples.ndjson"), "--to"),
        (("documents", "samples.ndjson", "--to", "http://x"), "--type"),
        (("status", "--ledger", "none"), "there is no ledger none"),
        (("verify", "no-such-file", "--to", "http://localhost:1"), "no such file"),
    ],
)
def test_wrong_usage_exits_with_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """With a one-line message, before the first request."""
    write(tmp_path / "samples.ndjson", some("u", 3))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UPTAKE_KEY", "k")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    status = run(["send", *arguments])
    output = capsys.readouterr()
    Done(status, output.out, output.err).assert_failed(2, words)


def test_without_a_key_nothing_is_sent(uptake: Uptake, tmp_path: Path) -> None:
    """The message names the places for a key."""
    write(tmp_path / "samples.ndjson", some("u", 3))
    done = uptake("send", "samples", "samples.ndjson", "--to", "http://localhost:1", UPTAKE_KEY="")
    done.assert_failed(2, "--key-file", "UPTAKE_KEY")


def test_a_wrong_key_stops_with_one_line(uptake: Uptake, live: LiveServer, tmp_path: Path) -> None:
    """The message does not contain the key."""
    write(tmp_path / "samples.ndjson", some("u", 3))
    options = ("--to", live.url, "--ledger", "l")
    done = uptake("send", "samples", "samples.ndjson", *options, UPTAKE_KEY="up_wrong")
    done.assert_failed(1, "does not know the key (401)")
    assert "up_wrong" not in done.err


def test_the_run_stops_if_the_server_is_unreachable(uptake: Uptake, tmp_path: Path) -> None:
    """After `--patience` seconds."""
    write(tmp_path / "samples.ndjson", some("u", 3))
    options = ("--to", "http://127.0.0.1:9", "--ledger", "l", "--patience", "0.2")
    done = uptake("send", "samples", "samples.ndjson", *options, UPTAKE_KEY="k")
    done.assert_failed(1, "has accepted nothing", "refused")


def test_a_ledger_serves_one_upload_at_a_time(
    uptake: Uptake, tmp_path: Path, live: LiveServer, key: str
) -> None:
    """A file that is not a ledger is not changed."""
    write(tmp_path / "samples.ndjson", some("u", 3))
    (tmp_path / "notes.txt").write_text("not a ledger, and longer than nothing at all" * 99)
    options = ("send", "samples", "samples.ndjson", "--to", live.url, "--ledger")
    done = uptake(*options, "notes.txt", UPTAKE_KEY=key)
    done.assert_failed(1, "notes.txt is not a ledger")
    assert (tmp_path / "notes.txt").read_text().startswith("not a ledger")


def test_ctrl_c_stops_cleanly_with_a_message_how_to_continue(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """Active requests are completed; the same command sends the rest."""
    path = write(tmp_path / "samples.ndjson", some(user, 20_000))
    command = [sys.executable, "-m", "uptake", "send", "samples", str(path), "--to", live.url]
    command += ["--ledger", "l", "--json"]
    environment = {**os.environ, "UPTAKE_KEY": key}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    ledger = tmp_path / "l-wal"
    while not ledger.exists() or ledger.stat().st_size < 40_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    summary = msgspec.json.decode(out)
    assert process.returncode == (0 if summary["complete"] else 1)
    assert "Traceback" not in err.decode()
    assert "stopped; run the same command again to continue" in err.decode()
    done = uptake(
        "send", "samples", path, "--to", live.url, "--ledger", "l", "--json", UPTAKE_KEY=key
    )
    assert done.status == 0
    assert done.json["known"] == summary["acknowledged"]
    assert len(held(live.url, key, user)) == 20_000


def test_samples_that_wait_are_sent_together_with_a_file_that_was_sent_before(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """As the advice suggests: the samples that are stored complete the request."""
    samples = some(user, 5)
    before = write(tmp_path / "before.ndjson", samples[:3])
    corrected = write(tmp_path / "corrected.ndjson", samples[3:])
    send = ("send", "samples", "--to", live.url, "--ledger", "l")
    assert uptake(*send, before, UPTAKE_KEY=key).status == 0
    assert uptake(*send, corrected, UPTAKE_KEY=key).status == 1
    done = uptake(*send, before, corrected, UPTAKE_KEY=key)
    assert (done.status, done.err) == (0, "")
    assert "2 acknowledged now\n3 acknowledged before\n" in done.out


def test_status_and_verify_report_the_state_of_all_items(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path, user: str
) -> None:
    """As a table or as JSON; `verify` exits with 1 if samples are missing."""
    samples = [*some(user, 5), *some(f"{user}-2", 2)]
    path = write(tmp_path / "samples.ndjson", samples)
    options = ("--to", live.url, "--ledger", "l")
    done = uptake("send", "samples", path, *options, UPTAKE_KEY=key)
    assert done.status == 1
    assert "2 waiting until there are enough for a request" in done.out
    assert "uptake: a request needs at least 3 samples of one user and metric" in done.err
    (status,) = uptake("send", "status", "--ledger", "l", "--json").json
    assert {name: status[name] for name in ("wire", "acknowledged", "waiting", "attempts")} == {
        "wire": "gerosense-v2.2",
        "acknowledged": 5,
        "waiting": 2,
        "attempts": 1,
    }
    assert live.url in uptake("send", "status", "--ledger", "l").out
    done = uptake("send", "verify", path, *options, UPTAKE_KEY=key)
    assert done.status == 1
    assert done.out.splitlines() == [
        "7 samples of 2 users are expected",
        "5 are stored",
        "2 are missing",
        f"  {user}-2 steps iPhone 2026-01-31: 2 missing of 2 ({path}:6, {path}:7)",
    ]
    write(path, samples[:5])
    done = uptake("send", "verify", path, *options, "--json", UPTAKE_KEY=key)
    assert (done.status, done.json["complete"], done.json["found"]) == (0, True, 5)


def test_the_encoding_of_csv_is_an_option(uptake: Uptake, tmp_path: Path) -> None:
    """Without it, the error names the option; an unknown encoding is wrong usage."""
    rows = "user_id,stadt\n42,Köln\n"
    (tmp_path / "users.csv").write_bytes(rows.encode("cp1252"))
    dry = ("send", "profiles", "users.csv", "--to", "http://127.0.0.1:1", "--dry-run")
    failed = uptake(*dry)
    assert failed.status == 1
    assert "users.csv:2: is not UTF-8; name the encoding of the file with --encoding" in failed.err
    counted = uptake(*dry, "--encoding", "cp1252", "--json")
    assert (counted.status, counted.json["to_send"], counted.json["unreadable"]) == (0, 1, 0)
    uptake(*dry, "--encoding", "utf-9").assert_failed(2, "'utf-9' is unknown")


def test_a_source_without_rows_is_named(
    uptake: Uptake, live: LiveServer, key: str, tmp_path: Path
) -> None:
    """In a warning, and in the summary: nothing is missing, so the exit status is 0."""
    (tmp_path / "none.ndjson").write_text("\n")
    (tmp_path / "none.csv").write_text("user_id,plan\n")
    options = ("--to", live.url, "--ledger", "l")
    done = uptake("send", "profiles", "none.ndjson", "none.csv", *options, UPTAKE_KEY=key)
    words = "has no rows; there is nothing to send"
    assert done.err == f"uptake: none.ndjson: {words}\nuptake: none.csv: {words}\n"
    assert (done.status, done.out) == (0, "0 read\n")
    done = uptake("send", "profiles", "none.csv", *options, "--json", UPTAKE_KEY=key)
    assert (done.json["notices"], done.json["complete"]) == ([f"none.csv: {words}"], True)
