"""Commands that cannot be undone ask on a terminal, and only there."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Uptake


def at_a_terminal(folder: Path, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command with standard input on a terminal; its exit status and its standard error."""
    leader, follower = pty.openpty()
    os.write(leader, answer.encode())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "uptake", *arguments],
            cwd=folder,
            stdin=follower,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(follower)
        os.close(leader)
    return done.returncode, done.stderr


def new_key(uptake: Uptake) -> str:
    """The id of a new key."""
    return str(uptake("keys", "create", "--scope", "data:read", "--json").json["id"])


def is_revoked(uptake: Uptake) -> bool:
    """Whether the only key is revoked."""
    (key,) = uptake("keys", "list", "--json").json
    return key["revoked_at"] is not None


@pytest.mark.usefixtures("database")
def test_revoking_a_key_asks_on_a_terminal(uptake: Uptake, tmp_path: Path) -> None:
    """The question has the project and the scopes; no is the default, and changes nothing."""
    key_id = new_key(uptake)
    for answer in ("n\n", "\n"):
        status, shown = at_a_terminal(tmp_path, answer, "keys", "revoke", key_id)
        assert status == 1
        assert f"Revoke key {key_id} of project 'default' with the scopes data:read?" in shown
        assert "uptake: nothing was changed" in shown
    assert not is_revoked(uptake)
    assert at_a_terminal(tmp_path, "y\n", "keys", "revoke", key_id)[0] == 0
    assert is_revoked(uptake)


@pytest.mark.usefixtures("database")
def test_yes_skips_the_question(uptake: Uptake, tmp_path: Path) -> None:
    """On a terminal, too; elsewhere it changes nothing."""
    assert at_a_terminal(tmp_path, "", "keys", "revoke", new_key(uptake), "--yes") == (0, "")
    assert is_revoked(uptake)
    assert uptake("users", "erase", "42", "--unknown", "--yes").status == 0


@pytest.mark.usefixtures("database")
def test_erasing_a_user_asks_on_a_terminal(uptake: Uptake, tmp_path: Path) -> None:
    """The question has the user and the project."""
    status, shown = at_a_terminal(tmp_path, "n\n", "users", "erase", "42", "--unknown")
    assert (status, "Erase all data of user '42' in project 'default'?" in shown) == (1, True)
    assert uptake("erasures", "list", "--json").json["erasures"] == []
    assert at_a_terminal(tmp_path, "y\n", "users", "erase", "42", "--unknown")[0] == 0
    assert len(uptake("erasures", "list", "--json").json["erasures"]) == 1


@pytest.mark.usefixtures("database")
def test_restoring_asks_on_a_terminal(uptake: Uptake, tmp_path: Path) -> None:
    """The question has the place; no creates nothing."""
    assert uptake("backup", "monday").status == 0
    there = ("restore", "monday", "--data-dir", "there")
    status, shown = at_a_terminal(tmp_path, "n\n", *there)
    assert (status, f"into {tmp_path}/there?" in shown) == (1, True)
    assert not (tmp_path / "there").exists()
    assert at_a_terminal(tmp_path, "y\n", *there)[0] == 0
    assert (tmp_path / "there" / "uptake.db").exists()
