"""`uptake segments`: filters asked, stored, listed and forgotten."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from uptake.model.items import Attributes
from uptake.store.records import Entry
from uptake.store.sqlite import open_store

from .conftest import Uptake

PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
SEEN = "1970-01-01T00:00:07.000000Z"


@pytest.fixture
def three(uptake: Uptake, tmp_path: Path) -> None:
    """Two users with one plan and one with another; and a file with a filter."""
    made = uptake("init")
    assert (made.status, made.err) == (0, "")
    with closing(open_store(tmp_path / "uptake-data" / "uptake.db")) as store:
        for user_id, plan in (("carl", "pro"), ("anna", "pro"), ("bert", "free")):
            result = Attributes(user_id, ("plan",), [plan])
            store.commit([Entry("default", f"r-{user_id}", 7_000_000, (result,))])
    (tmp_path / "pro.json").write_text(json.dumps(PRO, indent=1))


@pytest.mark.usefixtures("three")
def test_a_filter_is_previewed(uptake: Uptake) -> None:
    """How many users, and a page of them; what no one has is reported."""
    result = uptake("segments", "preview", "pro.json", "--limit", "1", "--json").json
    anna = {"user_id": "anna", "attributes": {"plan": "pro"}}
    assert result.pop("users") == [{**anna, "first_seen": SEEN, "last_seen": SEEN}]
    following = result.pop("next")
    assert result == {"count": 2, "unreadable": 0, "unknown_attributes": []}
    shown = uptake("segments", "preview", "pro.json", "--limit", "1").out.splitlines()
    assert shown[0] == "2 users"
    assert shown[2].split() == ["anna", SEEN, SEEN]
    assert shown[3:] == [f"More entries: --cursor {following}"]
    rest = uptake("segments", "preview", "pro.json", "--cursor", following, "--json").json
    assert [user["user_id"] for user in rest["users"]] == ["carl"]


@pytest.mark.usefixtures("three")
def test_values_that_cannot_be_read_are_reported(uptake: Uptake, tmp_path: Path) -> None:
    """Below the users, so that an empty segment explains itself."""
    dated = {"attribute": "plan", "op": "lt", "value": "2026-01-31", "as": "date"}
    (tmp_path / "dated.json").write_text(json.dumps(dated))
    shown = "0 users\n3 values cannot be read as the filter's dates or numbers\n"
    assert uptake("segments", "preview", "dated.json").out == shown
    uptake("segments", "create", "dated", "dated.json")
    assert uptake("segments", "users", "dated").out == shown
    assert uptake("segments", "users", "dated", "--json").json["unreadable"] == 3


@pytest.mark.usefixtures("three")
def test_a_byte_order_mark_before_a_filter_is_skipped(uptake: Uptake, tmp_path: Path) -> None:
    """As some editors write one."""
    (tmp_path / "marked.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "pro.json").read_bytes())
    plain, marked = (
        uptake("segments", "preview", f"{name}.json", "--json").json for name in ("pro", "marked")
    )
    assert plain == marked


@pytest.mark.usefixtures("three")
def test_a_filter_is_read_from_standard_input(tmp_path: Path) -> None:
    """By the name `-`."""
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "segments", "preview", "-"],
        input='{"attribute": "plann", "op": "exists"}',
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stdout == "0 users\nNo user has the attributes: plann\n"


@pytest.mark.usefixtures("three")
def test_a_segment_is_stored_changed_listed_and_deleted(uptake: Uptake, tmp_path: Path) -> None:
    """And its users are those of its filter, at every time."""
    made = uptake("segments", "create", "pros", "pro.json", "--json").json
    assert set(made) == {"name", "filter", "created_at", "changed_at"}
    assert (made["name"], made["filter"]) == ("pros", PRO)
    assert uptake("segments", "show", "pros", "--json").json == made
    shown = uptake("segments", "show", "pros").out
    assert shown == f"pros, changed {made['changed_at']}\n{json.dumps(PRO, indent=2)}\n"
    result = uptake("segments", "users", "pros", "--json").json
    assert (result["count"], [user["user_id"] for user in result["users"]]) == (2, ["anna", "carl"])
    (tmp_path / "rest.json").write_text(json.dumps({"not": PRO}))
    again = uptake("segments", "create", "pros", "rest.json")
    again.assert_failed(1, "'pros' already exists", "uptake segments update")
    assert uptake("segments", "update", "pros", "rest.json").status == 0
    assert uptake("segments", "users", "pros").out.splitlines()[0] == "1 user"
    listed = uptake("segments", "list", "--json").json
    assert [one["filter"] for one in listed["segments"]] == [{"not": PRO}]
    assert uptake("segments", "list").out.splitlines()[1].split()[0] == "pros"
    assert uptake("segments", "delete", "pros").out == "Deleted segment pros.\n"
    uptake("segments", "update", "pros", "pro.json").assert_failed(1, "no segment 'pros'")
    uptake("segments", "delete", "pros").assert_failed(1, "pros")
    for command in ("show", "users"):
        uptake("segments", command, "pros").assert_failed(1, "pros")


@pytest.mark.usefixtures("three")
def test_the_old_name_creates_or_replaces_a_segment(uptake: Uptake, tmp_path: Path) -> None:
    """Scripts with `put` still work."""
    (tmp_path / "rest.json").write_text(json.dumps({"not": PRO}))
    for file, expected in (("pro.json", PRO), ("rest.json", {"not": PRO})):
        assert uptake("segments", "put", "pros", file, "--json").json["filter"] == expected


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ('{"attribute": "age", "op": "gt", "value": 3}', "#/as"),
        ('{"documents": "diary", "op": "ge", "value": 1}', "#/documents"),
        ('{"and": []}'.ljust((1 << 20) + 1), "1048576"),
    ],
)
def test_an_invalid_filter_is_rejected(
    uptake: Uptake, tmp_path: Path, text: str, word: str
) -> None:
    """With the place of the fault; nothing is stored: 1."""
    (tmp_path / "filter.json").write_text(text)
    uptake("segments", "preview", "filter.json").assert_failed(1, word)
    uptake("segments", "create", "pros", "filter.json").assert_failed(1, word)
    assert uptake("segments", "list", "--json").json == {"segments": [], "next": None}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("name", ["a b", "", "a/b", "preview", "x" * 101])
def test_a_name_needs_no_escapes(uptake: Uptake, name: str) -> None:
    """As over HTTP: 2."""
    uptake("segments", "create", name, "pro.json").assert_failed(2)


@pytest.mark.usefixtures("three")
def test_invalid_queries_are_rejected(uptake: Uptake) -> None:
    """An unknown project, a file that is not there, a cursor from elsewhere."""
    uptake("segments", "list", "--project", "acme").assert_failed(1, "acme")
    uptake("segments", "preview", "nowhere.json").assert_failed(1, "nowhere.json")
    uptake("segments", "preview", "pro.json", "--cursor", "!").assert_failed(2, "--cursor")
