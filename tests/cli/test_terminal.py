"""Texts of users, files and servers reach a terminal as text, and never as control sequences."""

import ast
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.cli import terminal
from uptake.testing.live import LiveServer, serving

from .conftest import Done, Uptake
from .pseudo_terminal import run_on_a_terminal

CLI = Path(terminal.__file__).parent
HOSTILE = (
    "\x1b]0;owned\x07\x1b[31m[red]\x9b2J\u202egnp\u2066\x7f\r\nuptake: done\u2028\t\U000e0041[/]"
)
"""A title and a colour of the terminal, markup, C1, directions, line breaks, a hidden letter."""

SHOWN = (
    r"\x1b]0;owned\x07\x1b[31m[red]\x9b2J\u202egnp\u2066\x7f\r\nuptake: done\u2028\t\U000e0041[/]"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with such texts wherever a client can send text."""
    with serving(tmp_path_factory.mktemp("hostile") / "data") as running:
        key = running.create_key()
        running.create_type("diary")
        samples = [
            {"device_name": HOSTILE, "start_date": f"2026-01-31T08:0{i}:00Z", "unit": unit}
            | {"value": 5}
            for i, unit in enumerate(("count", "count", HOSTILE))
        ]
        with httpx2.Client(
            base_url=running.url, headers={"Authorization": f"Bearer {key}", "x-api-key": key}
        ) as client:
            answers = [
                client.post(
                    "/v1/user/profiles",
                    json={"field_name": ["user_id", HOSTILE], "values": [[HOSTILE, HOSTILE]]},
                ),
                client.post(
                    "/api/v2.2/samples",
                    json={"user_id": HOSTILE, "data_type": "steps", "data": samples},
                ),
                client.post(
                    "/v1/user-data/diary",
                    json={"user": {"userLabel": HOSTILE}, "data": {HOSTILE: HOSTILE}},
                ),
                client.post(f"/v1/user-data/{'x'}", json={"user": {"userLabel": HOSTILE}}),
                client.post("/v1/user/profiles", json={"field_name": [HOSTILE], "values": [[1]]}),
            ]
        assert [one.status_code for one in answers] == [200, 207, 200, 422, 400]
        yield running


def assert_safe(text: str) -> None:
    """Nothing in it but what is printed as itself, and ends of lines."""
    assert [one for one in text if not one.isprintable() and one != "\n"] == []


SCHEMA = {"type": "object", "properties": {HOSTILE: {"type": "number"}}}
FILTER = {"attribute": HOSTILE, "equals": HOSTILE}
COMMANDS: list[list[str]] = [
    ["users", "show", HOSTILE],
    ["users", "show", HOSTILE + "2"],
    ["users", "archive", HOSTILE + "2", "no.zip"],
    ["users", "readmit", HOSTILE, "--after-erasure"],
    ["users", "show", "1", "--project", HOSTILE],
    ["rejections", "list"],
    ["rejections", "list", "--user", HOSTILE],
    ["rejections", "list", "--code", HOSTILE],
    ["rejections", "show", HOSTILE],
    ["rejections", "replay"],
    ["types", "list", "--project", HOSTILE],
    ["types", "add", "diary", "--schema", "schema.json", "--try"],
    ["types", "add", HOSTILE],
    ["types", "show", HOSTILE],
    ["segments", "create", "s", "filter.json"],
    ["segments", "preview", "filter.json"],
    ["segments", "show", "s"],
    ["segments", "users", "s"],
    ["segments", "list"],
    ["segments", "show", HOSTILE],
    ["projects", "create", HOSTILE],
    ["keys", "create", "--scope", "samples:write", "--user", HOSTILE],
    ["keys", "create", "--scope", HOSTILE],
    ["keys", "list"],
    ["keys", "revoke", HOSTILE],
    ["retention", "list"],
    ["sql", "SELECT * FROM profiles"],
    ["sql", "SELECT * FROM samples"],
    ["sql", f"SELECT {HOSTILE}"],
    ["export", "profiles", "--since", HOSTILE],
    ["export", HOSTILE],
    ["export", "profiles", HOSTILE + ".csv", "--segment", HOSTILE],
    ["restore", HOSTILE],
    ["backup", HOSTILE],
    [HOSTILE],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(one[:3]).encode().hex()[:40])
def test_no_command_passes_control_sequences_on(
    server: LiveServer, uptake: Uptake, tmp_path: Path, command: list[str]
) -> None:
    """Whether it lists such texts or is given them."""
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "filter.json").write_text(json.dumps(FILTER))
    where = [] if command in ([HOSTILE], ["restore", HOSTILE]) else ["--data-dir", server.data_dir]
    ran = uptake(*command, *where)
    assert_safe(ran.out)
    assert_safe(ran.err)
    assert "Traceback" not in ran.err


def test_escapes_show_which_characters_there_are(server: LiveServer, uptake: Uptake) -> None:
    """In one line each, markup included, so that no one is misled."""
    ran = uptake("users", "show", HOSTILE, "--data-dir", server.data_dir)
    assert ran.out.splitlines()[0].endswith(SHOWN)
    assert sum(line.startswith("attribute " + SHOWN) for line in ran.out.splitlines()) == 1
    ran = uptake("users", "show", HOSTILE + "2", "--data-dir", server.data_dir)
    assert ran.err.count("\n") == 1


def test_json_stays_json(server: LiveServer, uptake: Uptake) -> None:
    """The texts are as they were, and a terminal that shows it is safe."""
    ran = uptake("users", "show", HOSTILE, "--data-dir", server.data_dir, "--json")
    assert_safe(ran.out)
    assert ran.json["attributes"] == {HOSTILE: HOSTILE}
    assert ran.json["user_id"] == HOSTILE


def test_data_is_safe_on_a_terminal_and_unchanged_in_a_pipe(
    server: LiveServer, uptake: Uptake
) -> None:
    """Exports and answers in SQL, which are read by programs mostly."""
    command = [
        "sql",
        "SELECT user_id FROM users",
        "--format",
        "csv",
        "--data-dir",
        str(server.data_dir),
    ]
    assert HOSTILE.replace("\r\n", "\n") in uptake(*command).out.replace("\r\n", "\n")
    ran, shown = on_terminal(command)
    assert ran == 0
    assert_safe(shown.replace("\r\n", "\n"))
    assert r"\x1b]0;owned\x07\x1b[31m[red]" in shown


def on_terminal(command: list[str]) -> tuple[int, str]:
    """Run a command with a terminal as its standard output; its status, and what is shown."""
    screen, end = pty.openpty()
    try:
        process = subprocess.Popen([sys.executable, "-m", "uptake", *command], stdout=end)
        os.close(end)
        shown = b""
        while True:
            try:
                part = os.read(screen, 65536)
            except OSError:  # how a terminal states that no one writes to it any more
                break
            if not part:
                break
            shown += part
        return process.wait(60), shown.decode()
    finally:
        os.close(screen)


def test_what_is_sent_is_reported_safely(
    server: LiveServer, uptake: Uptake, tmp_path: Path
) -> None:
    """Names of files, ids and reasons; in the status and the comparison too."""
    key = server.create_key()
    odd = HOSTILE.replace("/", "")
    name = odd + ".ndjson"
    row: dict[str, Any] = {"user_id": HOSTILE, "metric": "steps", "device_name": HOSTILE}
    rows = [
        row | {"start_date": f"2026-02-01T08:0{i}:00Z", "value": 5, "unit": unit}
        for i, unit in enumerate(("count", "count", "count", HOSTILE))
    ]
    (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in rows) + "{}\n")
    to = ["--to", server.url, "--ledger", odd]
    ran: list[Done] = [
        uptake("send", "verify", name, *to, UPTAKE_KEY=key),
        uptake("send", "samples", name, *to, UPTAKE_KEY=key),
        uptake("send", "samples", name, *to, UPTAKE_KEY="up_unknown"),
        uptake("send", "status", "--ledger", odd),
        uptake("send", "samples", name, "--to", f"http://{HOSTILE}", UPTAKE_KEY=key),
        uptake("send", "samples", HOSTILE, *to, UPTAKE_KEY=key),
        uptake("send", "samples", name, *to, "--map", HOSTILE, UPTAKE_KEY=key),
        uptake("send", "samples", name, *to, "--as", HOSTILE, UPTAKE_KEY=key),
        uptake("send", "images", ".", *to, UPTAKE_KEY=key),
    ]
    for one in ran:
        assert_safe(one.out)
        assert_safe(one.err)
        assert "Traceback" not in one.err
    assert SHOWN in ran[0].out
    assert SHOWN.replace("/", "") in ran[1].err


@given(st.text())
def test_any_text_is_made_safe(text: str) -> None:
    """And any JSON states the same afterwards."""
    shown = terminal.safe(text)
    assert all(one.isprintable() or one in terminal.JOINERS for one in shown)
    assert json.loads(terminal.safe_json(json.dumps(text, ensure_ascii=False))) == text


def test_nothing_is_printed_but_through_the_one_place() -> None:
    """No command writes to a terminal itself; only the help and the version are printed before."""
    writing = [
        f"{path.name}:{node.lineno}"
        for path in CLI.glob("*.py")
        if path.name not in {"terminal.py", "__init__.py", "commands.py", "running.py"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {"print", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write"}
    ]
    assert writing == []


def test_work_without_a_known_total_has_a_count_without_a_bar(
    live: LiveServer, tmp_path: Path
) -> None:
    """A backup counts rows; restoring it has bars, because the backup has the numbers."""
    store, restored = tmp_path / "backup", tmp_path / "restored"
    status, shown = run_on_a_terminal("backup", store, "--data-dir", live.data_dir)
    assert status == 0, shown
    lines = [line.split() for line in shown.splitlines() if line.startswith("rows ")]
    assert all(re.fullmatch("[0-9,]+", line[1]) for line in lines), shown
    assert int(lines[-1][1].replace(",", "")) > 0
    status, shown = run_on_a_terminal("restore", store, "--data-dir", restored, "--yes")
    assert status == 0, shown
    assert re.search(r"rows +[━╸╺]+ +[0-9,]+/[0-9,]+", shown), shown
