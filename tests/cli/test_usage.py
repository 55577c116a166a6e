"""Wrong usage, unusable storage, and how they are reported."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Done, Uptake

STORE_COMMANDS = [
    ("keys", "create", "--scope", "data:read"),
    ("keys", "list"),
    ("keys", "revoke", "id"),
    ("projects", "create", "acme"),
    ("projects", "list"),
    ("types", "add", "check-in"),
    ("types", "list"),
    ("serve", "--port", "0"),
    ("export", "samples", "-"),
    ("sql", "SELECT 1"),
]


@pytest.fixture
def uptake(in_process: Uptake) -> Uptake:
    """Runs commands in the process of the tests: they only fail."""
    return in_process


def test_nothing_to_do_shows_the_commands(installed: Uptake) -> None:
    """Help, and the status of wrong usage."""
    shown = installed()
    assert (shown.status, shown.err) == (2, "")
    assert "Usage: uptake" in shown.out


@pytest.mark.parametrize(
    "command", [(), ("serve",), ("demo",), ("keys", "create"), ("types", "add")]
)
def test_help_is_there(uptake: Uptake, command: tuple[str, ...]) -> None:
    """And asking for it is no error."""
    shown = uptake(*command, "--help")
    assert (shown.status, shown.err) == (0, "")
    assert "Usage: uptake" in shown.out


@pytest.mark.parametrize("command", STORE_COMMANDS)
def test_a_file_with_the_name_of_the_folder_is_reported(
    uptake: Uptake, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A folder that cannot be made: 1, with its path."""
    (tmp_path / "taken").write_text("")
    uptake(*command, "--data-dir", "taken/data").assert_failed(1, "taken")


def test_a_folder_with_the_name_of_the_database_is_reported(uptake: Uptake, tmp_path: Path) -> None:
    """A database that cannot be opened: 1, with its path."""
    (tmp_path / "data" / "uptake.db").mkdir(parents=True)
    uptake("keys", "list", "--data-dir", "data").assert_failed(1, "uptake.db")


def test_a_file_that_is_no_database_is_reported(uptake: Uptake, tmp_path: Path) -> None:
    """It is left as it is."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "uptake.db").write_bytes(b"not a database" * 100)
    uptake("keys", "list", "--data-dir", "data").assert_failed(1, "uptake.db")
    assert (tmp_path / "data" / "uptake.db").read_bytes() == b"not a database" * 100


def test_a_database_of_a_newer_version_is_reported(uptake: Uptake, tmp_path: Path) -> None:
    """An older program must not write into it: 1, and `newer version`."""
    uptake("init", "--data-dir", "data")
    with sqlite3.connect(tmp_path / "data" / "uptake.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    uptake("keys", "list", "--data-dir", "data").assert_failed(1, "newer version")
    uptake("serve", "--port", "0", "--data-dir", "data").assert_failed(1, "newer version")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("mysql://localhost/x", 2),
        ("postgresql://[", 2),
        ("postgres://host:port/x", 1),
        ("uptake.db", 2),
        ("sqlite://[", 2),
        ("sqlite:///none/such/folder/x.db", 1),
    ],
)
def test_an_invalid_database_url_is_reported(uptake: Uptake, url: str, status: int) -> None:
    """An unknown scheme or no URL at all is wrong usage; a folder that does not exist is not."""
    uptake("projects", "list", "--database", url).assert_failed(status)


def test_the_database_can_be_named_by_url(uptake: Uptake, tmp_path: Path) -> None:
    """Three slashes are a relative path, four an absolute one, as everywhere with SQLite."""
    uptake("init", "--database", "sqlite:///here.db")
    uptake("projects", "create", "acme", "--database", "sqlite:///here.db")
    absolute = f"sqlite:///{tmp_path}/here.db"
    assert uptake("projects", "list", "--database", absolute).out == "acme\ndefault\n"
    assert not (tmp_path / "uptake-data").exists()


@pytest.mark.parametrize("variable", ["UPTAKE_DATA_DIR", "UPTAKE_DATABASE"])
def test_storage_can_be_named_by_variable(uptake: Uptake, tmp_path: Path, variable: str) -> None:
    """The same as `--data-dir` and `--database`; an option wins over its variable."""
    value = {"UPTAKE_DATA_DIR": "there", "UPTAKE_DATABASE": "sqlite:///there.db"}[variable]
    option = {"UPTAKE_DATA_DIR": "--data-dir", "UPTAKE_DATABASE": "--database"}[variable]
    uptake("init", **{variable: value})
    uptake("projects", "create", "acme", **{variable: value})
    assert uptake("projects", "list", option, value).out == "acme\ndefault\n"
    other = uptake("projects", "list", option, value.replace("there", "other"), **{variable: value})
    other.assert_failed(1, "other")
    assert not (tmp_path / "uptake-data").exists()


@pytest.mark.parametrize(
    ("command", "missing"),
    [(["serve", "--port", "0"], "granian"), (["keys", "list"], "obstore"), (["fly"], "typer")],
)
def test_a_missing_package_is_reported(tmp_path: Path, command: list[str], missing: str) -> None:
    """As where only the packages for `uptake send` are installed: which, and what to install."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = {command};"
        " from uptake.cli import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    done = Done(ran.returncode, ran.stdout, ran.stderr)
    done.assert_failed(1, f"uptake {command[0]}", missing, "pip install uptake")


def test_a_sender_does_without_the_packages_of_the_server(tmp_path: Path) -> None:
    """An error of `uptake send` is reported as such, whatever else is not installed."""
    program = """if True:
        import sys
        for name in ("granian", "litestar", "obstore", "psycopg", "sqlalchemy", "structlog"):
            sys.modules[name] = None
        (open("ledger", "w")).write("no database")
        sys.argv[1:] = ["send", "status", "--ledger", "ledger"]
        from uptake.cli import main; main()
    """
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    Done(ran.returncode, ran.stdout, ran.stderr).assert_failed(1, "ledger")
