"""`uptake users`: one user, seen, handed over and erased at the terminal."""

import zipfile
from pathlib import Path

import httpx2
import pytest

from uptake.testing.live import serving

from .conftest import Uptake

USER = "münster/7"


@pytest.fixture
def filled(uptake: Uptake, tmp_path: Path) -> Uptake:
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


def test_users_are_listed(filled: Uptake) -> None:
    """In order of id, page by page, or only some of them."""
    listed = filled("users", "list")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["user", "8", USER]
    page = filled("users", "list", "--limit", "1", "--json").json
    assert [user["user_id"] for user in page["users"]] == ["8"]
    rest = filled("users", "list", "--cursor", page["next"], "--json").json
    assert ([user["user_id"] for user in rest["users"]], rest["next"]) == ([USER], None)
    assert USER in filled("users", "list", "--prefix", "mün").out
    assert (
        "8" not in filled("users", "list", "--prefix", "mün", "--json").json["users"][0]["user_id"]
    )
    filled("users", "list", "--cursor", "x").assert_failed(2, "cursor")


def test_a_user_is_shown(filled: Uptake) -> None:
    """As a table, or as the server answers."""
    shown = filled("users", "show", USER)
    assert shown.out.splitlines()[0].split() == ["user", USER]
    assert shown.status == 0
    for text in (USER, "attribute plan", "plus", "documents"):
        assert text in shown.out
    profile = filled("users", "show", USER, "--json").json
    assert (profile["attributes"], profile["documents"]) == ({"plan": "plus"}, 1)


def test_everything_about_a_user_is_a_zip_file(filled: Uptake, tmp_path: Path) -> None:
    """Whole, and never over another file."""
    place = tmp_path / "7.zip"
    written = filled("users", "archive", USER, place, "--json").json
    assert written["bytes"] == place.stat().st_size
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        assert b'"plus"' in archive.read("profile.json")
        assert b'"hours":7' in archive.read("documents.ndjson").replace(b" ", b"")
    filled("users", "archive", USER, place).assert_failed(1, "already exists")


def test_a_user_is_erased_rejected_and_readmitted(filled: Uptake) -> None:
    """The receipt counts what went; the others stay."""
    receipt = filled("users", "erase", USER, "--json").json
    assert (receipt["counts"]["users"], receipt["counts"]["documents"]) == (1, 1)
    assert receipt["finished_at"] is not None
    filled("users", "show", USER).assert_failed(1, "no user")
    assert filled("users", "show", "8").status == 0
    filled("users", "readmit", USER).assert_failed(2, "--after-erasure")
    assert filled("users", "readmit", USER, "--after-erasure").status == 0
    filled("users", "readmit", USER, "--after-erasure").assert_failed(1, "is not erased")


def test_someone_unknown_is_not_erased_by_mistake(filled: Uptake, tmp_path: Path) -> None:
    """A mistyped id would keep someone out; it can be wanted all the same."""
    filled("users", "erase", "9").assert_failed(1, "no user '9'")
    filled("users", "archive", "9", tmp_path / "9.zip").assert_failed(1, "no user '9'")
    assert not (tmp_path / "9.zip").exists()
    erased = filled("users", "erase", "9", "--unknown")
    assert erased.status == 0
    assert "Receipt: " in erased.out
    filled("users", "erase", "", "--unknown").assert_failed(2, "USER")
