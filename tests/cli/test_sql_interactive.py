"""`uptake sql --interactive`, at a terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exports.project import batch, commit, sample
from uptake.store import sqlite

from .conftest import Uptake

SECONDS = 60.0


class Terminal:
    """A program at a terminal; waits for each prompt before the next line is typed.

    Args:
        folder: where it runs.
        arguments: those of `uptake`.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uptake", *arguments],
            cwd=folder,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(follower)
        os.set_blocking(self._leader, False)

    def until(self, expected: str) -> str:
        """The output up to the end of a line or of a prompt."""
        shown = ""
        ends = time.monotonic() + SECONDS
        while expected not in shown:
            assert time.monotonic() < ends, shown
            try:
                shown += os.read(self._leader, 1 << 16).decode().replace("\r\n", "\n")
            except BlockingIOError:
                time.sleep(0.01)
        return re.sub(r"\x1b\[[^a-z]*[a-z]", "", shown)

    def type(self, text: str, then: str = "uptake> ") -> str:
        """Type a text, and return what is shown from its echo on until the next prompt."""
        os.write(self._leader, text.encode())
        return self.until(then)

    def interrupt(self) -> str:
        """Ctrl-C; what is shown until the next prompt."""
        self.process.send_signal(signal.SIGINT)
        return self.until("uptake> ")

    def close(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()
        os.close(self._leader)


@pytest.fixture
def terminal(data: Path) -> Iterator[Terminal]:
    """A prompt that waits for the first line."""
    with closing(Terminal(data.parent, "sql", "--interactive")) as terminal:
        banner = terminal.until("uptake> ")
        assert "End a query with a semicolon. Commands: .tables, .schema [TABLE], .quit" in banner
        yield terminal


def test_a_query_ends_with_a_semicolon(terminal: Terminal, data: Path) -> None:
    """It may have several lines; every query has the data of its time."""
    assert "   ...> " in terminal.type("SELECT user_id, count(*) AS n\n", "   ...> ")
    shown = terminal.type("FROM samples GROUP BY ALL ORDER BY ALL;\n")
    assert "\nuser_id  n\nanna     5\nbert     1\n" in shown
    with closing(sqlite.open_store(data / "uptake.db")) as store:
        commit(store, batch("carl", [sample("2025-01-01T00:00:00Z")]))
    assert "\ncarl     1\n" in terminal.type("SELECT user_id, 1 AS n FROM samples;\n")


def test_an_error_is_one_line_and_the_prompt_continues(terminal: Terminal) -> None:
    """With DuckDB's hint, and for statements that are not queries."""
    assert (
        "uptake: Catalog Error: Table with name sample does not exist! Did you mean 'samples'?"
        in (terminal.type("SELECT * FROM sample;\n"))
    )
    shown = terminal.type("SELECT user FROM users WHERE uid = 1;\n")
    (line,) = (line for line in shown.splitlines() if line.startswith("uptake: "))
    assert "Candidate bindings" in line
    assert "uptake: the query must be a single SELECT" in terminal.type("DROP TABLE users;\n")
    assert "\n2\n" in terminal.type("SELECT 1 + 1 AS two;\n")


def test_commands_show_the_tables_and_their_columns(terminal: Terminal) -> None:
    """Of all tables or of one; an unknown command or table lists what there is."""
    tables = ["samples", "daily", "profiles", "documents", "rejections", "users"]
    assert "\n".join(["", *tables, ""]) in terminal.type(".tables\n")
    shown = terminal.type(".schema users\n").splitlines()
    assert [line.split() for line in shown[1:-1]] == [
        ["table", "column", "type"],
        ["users", "user_id", "VARCHAR"],
        ["users", "first_seen", "TIMESTAMP", "WITH", "TIME", "ZONE"],
        ["users", "last_seen", "TIMESTAMP", "WITH", "TIME", "ZONE"],
    ]
    every = [line.split()[0] for line in terminal.type(".schema\n").splitlines()[2:-1]]
    assert list(dict.fromkeys(every)) == tables
    assert "there is no table 'user'; the tables are samples" in terminal.type(".schema user\n")
    assert "there is no command '.help'; the commands are .tables" in terminal.type(".help\n")


def test_earlier_lines_are_in_the_history(terminal: Terminal) -> None:
    """The arrow key brings them back."""
    terminal.type("SELECT 40 + 2 AS found;\n")
    assert "found\n42\n" in terminal.type("\x1b[A\n")


def test_ctrl_c_discards_a_query(terminal: Terminal) -> None:
    """While it is typed, and while it runs."""
    terminal.type("SELECT\n", "   ...> ")
    terminal.interrupt()
    assert "\n2\n" in terminal.type("SELECT 1 + 1 AS two;\n")
    endless = "SELECT count(*) FROM range(100000000000) a;"
    os.write(terminal._leader, f"{endless}\n".encode())
    terminal.until(endless)
    time.sleep(0.5)
    terminal.interrupt()
    assert "\n2\n" in terminal.type("SELECT 1 + 1 AS two;\n")


@pytest.mark.parametrize("last", [".quit\n", "\x04"])
def test_quit_and_ctrl_d_end_it(terminal: Terminal, last: str) -> None:
    """With exit status 0."""
    os.write(terminal._leader, last.encode())
    assert terminal.process.wait(SECONDS) == 0


@pytest.mark.usefixtures("data")
def test_a_query_can_be_piped(tmp_path: Path) -> None:
    """With `-`."""
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "sql", "-"],
        input="SELECT count(*) AS n\nFROM users;\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=SECONDS,
    )
    assert done.stdout == "n\n3\n"


@pytest.mark.usefixtures("data")
def test_a_prompt_needs_a_terminal(uptake: Uptake) -> None:
    """The error names the alternatives."""
    uptake("sql", "--interactive").assert_failed(2, "needs a terminal: pass the query, or pipe it")
    for arguments in ([], ["SELECT 1", "--interactive"]):
        uptake("sql", *arguments).assert_failed(2, "give either a query, - for standard input, or")


def test_without_duckdb_there_is_no_prompt(data: Path) -> None:
    """The error names the extra."""
    (data.parent / "duckdb.py").write_text("raise ImportError('no module of that name')\n")
    with closing(Terminal(data.parent, "sql", "--interactive")) as terminal:
        terminal.until("pip install 'uptake[sql]'")
        assert terminal.process.wait(SECONDS) == 2
