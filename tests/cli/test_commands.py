"""The version, the help and shell completion: what they show, and what they cost."""

import re
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

import uptake
from uptake.cli.commands import COMMANDS, command_line, load

from .conftest import Uptake

HEAVY = {
    "PIL",
    "alembic",
    "cryptography",
    "duckdb",
    "granian",
    "jsonschema_rs",
    "litestar",
    "numpy",
    "obstore",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "sqlalchemy",
    "structlog",
    "zstandard",
}
"""Libraries of the server and of the uploader; each takes 10 to 300 milliseconds to import."""

MAX_SECONDS = 0.6
"""Processor time of a command that shows help: twice what it takes on a slow machine."""

PYTHON_TYPE = re.compile(r"<\w+[\w\[\] ]*>|\blist\[|\bPosixPath\b|\bNone\b")


def _commands(command: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    subcommands = getattr(command, "commands", {})
    return [path, *(found for n, c in subcommands.items() for found in _commands(c, (*path, n)))]


PATHS = [(), *(path for name in COMMANDS for path in _commands(load(name), (name,)))]


def _help(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, flag: str = "--help") -> str:
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(command_line(), [*path, flag])
    assert shown.exit_code == 0
    return shown.output


def test_the_version_is_one_line(uptake: Uptake) -> None:
    """The name and the version, for scripts and reports of errors."""
    shown = uptake("--version")
    assert (shown.status, shown.out, shown.err) == (0, "uptake 0.1.0\n", "")


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_has_a_short_form_and_no_python_types(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-h` is `--help`, and the values of options are TEXT, NUMBER and PATH."""
    text = _help(path, monkeypatch)
    assert text == _help(path, monkeypatch, "-h")
    assert PYTHON_TYPE.findall(text) == []


def test_the_help_lists_each_command_in_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first sentence of the command's own help."""
    text = _help((), monkeypatch)
    for name, listed in COMMANDS.items():
        summary = " ".join((load(name).help or "").split("\n\n")[0].split())
        assert listed.summary == summary
        assert re.search(rf"│ {name} +{re.escape(summary)}", text)
        assert f" {listed.panel} " in text


@pytest.mark.parametrize(
    ("command", "panels"),
    [
        (("serve",), ["Storage", "Network", "Limits"]),
        (("send", "samples"), ["Receiver", "Contents of the files"]),
        (("keys", "create"), ["Storage"]),
    ],
    ids=str,
)
def test_the_help_has_options_in_groups(
    command: tuple[str, ...], panels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage, receiver and the like are separate from the options of the command itself."""
    titles = re.findall(r"╭─ (.+?) ─", _help(command, monkeypatch))
    assert [title for title in titles if title not in {"Arguments", "Options"}] == sorted(
        panels, key=titles.index
    )


SERVER_PANELS = {
    "Storage": ("data_dir", "database", "blobs"),
    "Network": ("host", "port", "workers", "public_url", "metrics_host", "metrics_port"),
    "Limits": ("segment_memory", "answer_seconds", "answer_memory", "slow_per_key", "image_rate"),
}
SEND_PANELS = {
    "Receiver": ("to", "key_file", "ledger"),
    "Contents of the files": (
        *("maps", "encoding", "delimiter", "skip_rows", "wire", "metric", "unit", "device"),
        *("duration", "time_unit", "root"),
    ),
}
"""The groups of options of `send`, and of other commands, by the name of the parameter."""


def test_every_option_is_in_its_group() -> None:
    """In each command that has it; options of no group are in `Options`."""
    found = set()
    for name in COMMANDS:
        groups = SEND_PANELS if name == "send" else SERVER_PANELS
        panels = {one: panel for panel, names in groups.items() for one in names}
        command = load(name)
        for one in (command, *getattr(command, "commands", {}).values()):
            for option in one.params:
                if option.param_type_name == "option":
                    found.add(option.name)
                    assert getattr(option, "rich_help_panel", None) == panels.get(option.name)
    expected = (*SEND_PANELS.values(), *SERVER_PANELS.values())
    assert {name for names in expected for name in names} - found == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [("uptake ba", ["backup"]), ("uptake keys ", ["create", "list", "revoke"])],
)
def test_a_shell_completes_commands(uptake: Uptake, words: str, expected: list[str]) -> None:
    """Bash asks with variables; those below a command are found too."""
    shown = uptake(
        _UPTAKE_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert shown.out.split() == expected


def test_the_completion_script_is_printed(uptake: Uptake) -> None:
    """For the shell that is asked for."""
    shown = uptake(_UPTAKE_COMPLETE="source_zsh")
    assert "#compdef uptake" in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        "--version",
        "--help",
        "",
        "fly",
        "send",
        "send --help",
        "send samples --help",
        "send verify --help",
    ],
)
def test_a_command_without_a_server_starts_fast(arguments: str) -> None:
    """It imports nothing of the server, and takes little time of the processor."""
    program = f"""if True:
        import io, resource, sys
        from uptake.cli import run
        shown, sys.stdout, sys.stderr = sys.stderr, io.StringIO(), io.StringIO()
        run({arguments.split()})
        used = resource.getrusage(resource.RUSAGE_SELF)
        heavy = {{name.partition('.')[0] for name in sys.modules}} & {HEAVY}
        print(used.ru_utime + used.ru_stime, *sorted(heavy), file=shown)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    seconds, *heavy = done.stderr.split()
    assert heavy == []
    assert float(seconds) < MAX_SECONDS


def test_the_package_lists_its_names_and_imports_them_when_used() -> None:
    """`import uptake` is instant; `dir` and `*` show the library."""
    assert set(uptake.__all__) <= set(dir(uptake))
    program = f"""if True:
        import sys, uptake
        print(*{{name.partition('.')[0] for name in sys.modules}} & {HEAVY | {"msgspec", "typer"}})
        print([getattr(uptake, name).__name__ for name in uptake.__all__ if name[0] != '_'])
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy, names = done.stdout.splitlines()
    assert heavy == ""
    assert names == str([name for name in uptake.__all__ if name[0] != "_"])
