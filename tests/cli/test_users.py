"""`uptake users`: one user, seen, handed over and erased at the terminal."""

import zipfile
from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import serving

from .conftest import Uptake

USER = "münster/7"


@pytest.fixture
def told(uptake: Uptake, tmp_path: Path) -> Uptake:
    """The command line on data in which there is a user."""
    with serving(tmp_path / "data") as server:
        key = server.create_key("profiles:write", "user-data:write")
        assert server.command("types", "add", "sleep")
        bearer = {"Authorization": f"Bearer {key}"}
        table = {"field_name": ["user_id", "plan"], "values": [[USER, "plus"], ["8", "free"]]}
        answer = httpx2.post(f"{server.url}/v1/user/profiles", json=table, headers=bearer)
        assert answer.status_code == 200
        body = {"user": {"userLabel": USER}, "data": {"hours": 7}}
        answer = httpx2.post(
            f"{server.url}/v1/user-data/sleep", json=body, headers={"x-api-key": key}
        )
        assert answer.status_code == 200
    return lambda *arguments: uptake(*arguments, "--data-dir", tmp_path / "data")


def test_a_user_is_shown(told: Uptake) -> None:
    """As a table, or as the server answers."""
    shown = told("users", "show", USER)
    assert shown.status == 0
    for text in (USER, "attribute plan", "plus", "documents"):
        assert text in shown.out
    profile = told("users", "show", USER, "--json").json
    assert (profile["attributes"], profile["documents"]) == ({"plan": "plus"}, 1)


def test_everything_about_a_user_is_a_zip_file(told: Uptake, tmp_path: Path) -> None:
    """Whole, and never over another file."""
    place = tmp_path / "7.zip"
    written = told("users", "archive", USER, place, "--json").json
    assert written["bytes"] == place.stat().st_size
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        assert b'"plus"' in archive.read("profile.json")
        assert b'"hours":7' in archive.read("documents.ndjson").replace(b" ", b"")
    told("users", "archive", USER, place).assert_failed(1, "already exists")


def test_a_user_is_erased_kept_out_and_let_in_again(told: Uptake) -> None:
    """The receipt counts what went; the others stay."""
    receipt = told("users", "erase", USER, "--json").json
    assert (receipt["counts"]["users"], receipt["counts"]["documents"]) == (1, 1)
    assert receipt["finished_at"] is not None
    told("users", "show", USER).assert_failed(1, "no user")
    assert told("users", "show", "8").status == 0
    told("users", "readmit", USER).assert_failed(2, "--after-erasure")
    assert told("users", "readmit", USER, "--after-erasure").status == 0
    told("users", "readmit", USER, "--after-erasure").assert_failed(1, "is not erased")


def test_someone_unknown_is_not_erased_by_mistake(told: Uptake, tmp_path: Path) -> None:
    """A mistyped id would keep somebody out; it can be wanted all the same."""
    told("users", "erase", "9").assert_failed(1, "no user '9'")
    told("users", "archive", "9", tmp_path / "9.zip").assert_failed(1, "no user '9'")
    assert not (tmp_path / "9.zip").exists()
    erased = told("users", "erase", "9", "--unknown")
    assert erased.status == 0
    assert "Receipt: " in erased.out
    told("users", "erase", "", "--unknown").assert_failed(2, "USER")
