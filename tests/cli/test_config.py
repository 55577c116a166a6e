"""Settings in `uptake.toml`, and where each value comes from."""

import socket
from pathlib import Path
from typing import Any

import pytest

from .conftest import Uptake


def write(folder: Path, text: str) -> Path:
    """Write a file with settings."""
    folder.mkdir(exist_ok=True)
    file = folder / "uptake.toml"
    file.write_text(text)
    return file


def shown(done: Any) -> dict[str, tuple[str, str]]:
    """The value and the source of each setting."""
    return {row["name"]: (row["value"], row["source"]) for row in done.json}


def test_commands_use_the_settings_in_the_file(uptake: Uptake, tmp_path: Path) -> None:
    """The folder of the data is relative to the file, wherever the command runs."""
    file = write(tmp_path / "there", 'data-dir = "data"\n')
    uptake("init", UPTAKE_DATA_DIR=str(tmp_path / "there" / "data"))
    created = uptake("projects", "create", "acme", UPTAKE_DATA_DIR=str(tmp_path / "there" / "data"))
    assert created.status == 0
    assert uptake("--config", file, "projects", "list").out == "acme\ndefault\n"
    assert uptake("projects", "list", UPTAKE_CONFIG=str(file)).out == "acme\ndefault\n"


def test_a_server_uses_the_settings_in_the_file(uptake: Uptake, tmp_path: Path) -> None:
    """The port of the file is taken already, so the command names it and ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write(tmp_path, f'data-dir = "data"\nport = {port}\n')
        uptake("serve").assert_failed(1, str(port))


def test_an_option_overrides_a_variable_and_a_variable_the_file(
    uptake: Uptake, tmp_path: Path
) -> None:
    """Each value is shown with its source."""
    write(tmp_path, 'port = 1\nworkers = 3\nurl = "http://localhost:8000"\n')
    settings = shown(uptake("config", "show", "--json", UPTAKE_PORT="2"))
    assert settings["port"] == ("2", "UPTAKE_PORT")
    assert settings["workers"] == ("3", "uptake.toml")
    assert settings["url"] == ("http://localhost:8000", "uptake.toml")
    assert settings["host"] == ("127.0.0.1", "default")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        uptake("serve", "--port", port, UPTAKE_PORT="2").assert_failed(1, str(port))


def test_a_password_is_not_shown(uptake: Uptake, tmp_path: Path) -> None:
    """The rest of the URL is."""
    write(tmp_path, 'database = "postgresql://user:se:c/r@et@host/db"\n')
    table = uptake("config", "show").out
    assert "postgresql://user:***@host/db" in table
    assert "c/r" not in table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", ("prot", "port")),
        ("port = [1]", ("port", "text or a whole number")),
        ("port = true", ("port", "text or a whole number")),
        ("port =\nworkers = 2", ("not TOML", "line 1")),
        ("[serve]\nport = 1", ("serve", "port")),
        ('port = "many"', ("--port", "UPTAKE_PORT")),
    ],
)
def test_a_faulty_file_is_wrong_usage(
    uptake: Uptake, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    """One line that names the setting."""
    write(tmp_path, text)
    uptake("serve").assert_failed(2, *words)


def test_a_named_file_must_exist(uptake: Uptake) -> None:
    """Wrong usage; only the default file may be missing."""
    uptake("--config", "absent.toml", "projects", "list").assert_failed(2, "absent.toml")
