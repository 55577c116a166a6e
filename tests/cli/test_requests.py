"""`uptake requests`: requests are listed."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from uptake.cli import requests
from uptake.store import sqlite
from uptake.testing.store.making import batch, put

from .conftest import Uptake


@pytest.mark.usefixtures("data")
def test_requests_are_listed(in_process: Uptake) -> None:
    """The newest first, page by page, and by each option."""
    listed = in_process("requests", "list")
    headings, *rows = (line.split() for line in listed.out.splitlines())
    assert headings[:4] == ["request", "received", "format", "status"]
    received = [row[1] for row in rows]
    assert received == sorted(received, reverse=True)
    assert len(received) == 7
    page = in_process("requests", "list", "--limit", "3", "--json").json
    assert [one["accepted"] for one in page["requests"]] == [0, 1, 1]
    assert page["requests"][0]["rejected"] == 3
    rest = in_process("requests", "list", "--cursor", page["next"], "--json").json
    assert (len(rest["requests"]), rest["next"]) == (4, None)
    for options, count in (
        (("--user", "bert"), 2),
        (("--status", "404"), 0),
        (("--format", "thymia"), 0),
        (("--key", "none"), 0),
        (("--from", "2023-11-14T22:13:25Z"), 2),
        (("--to", "2023-11-14T22:13:25Z"), 5),
    ):
        found = in_process("requests", "list", *options, "--json").json["requests"]
        assert len(found) == count, options
    in_process("requests", "list", "--status", "99").assert_failed(2, "--status")


def test_new_requests_are_followed(
    in_process: Uptake, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, until Ctrl-C; as a table or as a line of JSON each."""
    users: list[str] = []

    def request(_seconds: float) -> None:
        if len(users) == 3:
            raise KeyboardInterrupt
        users.append(f"new-{len(users)}")
        with closing(sqlite.open_store(data / "uptake.db")) as store:
            put(store, batch(users[-1], users[-1]))

    monkeypatch.setattr(requests, "sleep", request)
    done = in_process("requests", "list", "--follow")
    assert (done.status, done.err) == (130, "")
    headings, *rows = (line.split() for line in done.out.splitlines())
    assert headings[:4] == ["request", "received", "format", "status"]
    assert [row[5] for row in rows] == users
    users.clear()
    lines = in_process("requests", "list", "--follow", "--user", "new-1", "--json").out.splitlines()
    assert [msgspec.json.decode(line)["user_id"] for line in lines] == ["new-1"]
    wrong = in_process("requests", "list", "--follow", "--cursor", "x")
    wrong.assert_failed(2, "--follow and --cursor are mutually exclusive")
