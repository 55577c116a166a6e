"""The version, the help and shell completion: what they show, and what they cost."""

import ast
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
    "asyncio",
    "cryptography",
    "duckdb",
    "granian",
    "httpx2",
    "jsonschema_rs",
    "litestar",
    "numpy",
    "obstore",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "structlog",
    "zstandard",
}
"""Libraries of the server and of the uploader; each takes 5 to 300 milliseconds to import."""

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


def test_no_time_goes_into_garbage_and_threads_that_are_not_used() -> None:
    """Imports leave no garbage, and all memory is freed at the exit; numpy multiplies nothing."""
    program = """if True:
        import atexit, gc, os, sys
        full = []
        gc.callbacks.append(lambda phase, info: info["generation"] == 2 and full.append(phase))
        def end():
            import numpy
            print(full, gc.get_freeze_count() > 10_000, len(os.listdir("/proc/self/task")))
        atexit.register(end)
        sys.argv = ["uptake", "send", "--help"]
        from uptake.cli import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] True 1"


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
    "Network": (
        *("host", "port", "workers", "public_url", "cors_origin", "metrics_host", "metrics_port"),
    ),
    "Limits": (
        *("segment_memory", "segment_warm", "answer_seconds", "answer_memory", "slow_per_key"),
        "image_rate",
    ),
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
        if name == "relay":
            groups = {**SERVER_PANELS, "Receiver": SEND_PANELS["Receiver"]}
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
    [
        ("uptake ba", ["backup"]),
        ("uptake keys ", ["create", "list", "show", "update", "rotate", "revoke"]),
    ],
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


@pytest.mark.parametrize("arguments", ["--version", "", "fly", "send", "keys", "config show"])
def test_a_command_that_needs_no_server_loads_nothing_of_it(arguments: str) -> None:
    """Neither the libraries of the server nor those of the uploader."""
    assert _loaded([tuple(arguments.split())]) == {tuple(arguments.split()): []}


def test_the_help_of_every_command_loads_nothing_of_the_server() -> None:
    """Each in a process of its own; what is not loaded takes no time."""
    commands = [(*path, "--help") for path in PATHS]
    assert _loaded(commands) == {command: [] for command in commands}


def _loaded(commands: list[tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    """The heavy libraries that each command loads, run in a fork that has shown a help before."""
    program = f"""if True:
        import contextlib, io, os, sys
        from uptake.cli import run
        with contextlib.redirect_stdout(io.StringIO()):
            run(["keys", "create", "--help"])
        for arguments in {commands}:
            if not os.fork():
                shown = os.fdopen(os.dup(1), "w")
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(1, 2)
                run(list(arguments))
                heavy = {{name.partition(".")[0] for name in sys.modules}} & {HEAVY}
                print((arguments, sorted(heavy)), file=shown, flush=True)
                os._exit(0)
            os.wait()
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return dict(map(ast.literal_eval, done.stdout.splitlines()))


def test_the_package_lists_its_names_and_imports_them_when_used() -> None:
    """`import uptake` is instant; `dir` and `*` show the library."""
    assert dir(uptake) == uptake.__all__
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
