"""`uptake audit`: what commands did, and whether the log is intact."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import Done, Uptake

pytestmark = pytest.mark.usefixtures("database")


def _acts(uptake: Uptake, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        assert uptake("projects", "create", f"p{number}").status == 0


def _execute(tmp_path: Path, *statements: str) -> None:
    path = tmp_path / "uptake-data" / "uptake.db"
    with closing(sqlite3.connect(path)) as driver, driver:
        for statement in statements:
            driver.execute(statement)


def _verified(uptake: Uptake, *options: str) -> Done:
    return uptake("audit", "verify", *options, "--json")


def test_commands_are_listed_with_their_actor(uptake: Uptake, tmp_path: Path) -> None:
    """The latest first; by project, action and time."""
    _acts(uptake, 2)
    key = uptake("keys", "create", "--scope", "admin", "--project", "p0", "--json").json
    uptake("keys", "revoke", key["id"])
    uptake("export", "users", str(tmp_path / "users.csv"))
    listed = uptake("audit", "list", "--json").json["entries"]
    shown = [(one["sequence"], one["actor"], one["project"], one["action"]) for one in listed]
    assert shown == [
        (5, "cli", "default", "export"),
        (4, "cli", "p0", "key.revoke"),
        (3, "cli", "p0", "key.create"),
        (2, "cli", "p1", "project.create"),
        (1, "cli", "p0", "project.create"),
    ]
    assert listed[1]["target"] == key["id"]
    assert {one["address"] for one in listed} == {None}
    one_project = uptake("audit", "list", "--project", "p0", "--action", "key.create", "--json")
    assert one_project.json["entries"] == [listed[2]]
    assert uptake("audit", "list", "--actor", "other", "--json").json["entries"] == []
    assert uptake("audit", "list", "--to", "2001-01-01", "--json").json["entries"] == []
    assert "More entries: --cursor" in uptake("audit", "list", "--limit", "2").out
    uptake("audit", "list", "--cursor", "x").assert_failed(2, "--cursor")


def test_an_intact_log_is_verified(uptake: Uptake) -> None:
    """Also an empty one, and from an earlier head on."""
    empty = _verified(uptake)
    assert (empty.status, empty.json) == (0, {"entries": 0, "head": "0:" + "0" * 64, "faults": []})
    _acts(uptake, 1)
    assert uptake("audit", "verify").out.startswith("1 entry, none changed or removed.\nHead: 1:")
    head = _verified(uptake).json["head"]
    _acts(uptake, 2, 1)
    later = _verified(uptake, "--head", head)
    assert (later.status, later.json["entries"], later.json["faults"]) == (0, 3, [])
    assert _verified(uptake, "--head", empty.json["head"]).status == 0
    uptake("audit", "verify", "--head", "1").assert_failed(2, "--head", "NUMBER:HASH")


TAMPERED = {
    "UPDATE audit SET actor = 'other' WHERE sequence = 2": ["entry 2 was changed"],
    "UPDATE audit SET moment = moment + 1 WHERE sequence = 4": ["entry 4 was changed"],
    "DELETE FROM audit WHERE sequence = 1": ["entry 1 is missing"],
    "DELETE FROM audit WHERE sequence IN (2, 3)": ["entries 2 to 3 are missing"],
    "DELETE FROM audit WHERE sequence = 4": ["entry 4 is missing at the end"],
    "DELETE FROM audit": ["entries 1 to 4 are missing at the end"],
    "UPDATE audit_head SET hash = 'x'": ["entry 4 does not have the hash of the head"],
    "UPDATE audit_head SET sequence = 3": [
        "there are entries after 3, the number of the head",
        "entry 3 does not have the hash of the head",
    ],
    "DELETE FROM audit_head": ["there are entries after 0, the number of the head"],
    "UPDATE audit SET hash = 'x' WHERE sequence = 2": [
        "entry 2 was changed",
        "entry 3 does not have the hash of the entry before",
    ],
}
"""Changes of the tables, and what is found."""


def test_a_changed_or_missing_entry_is_found(uptake: Uptake, tmp_path: Path) -> None:
    """Each by its number; exit status 1."""
    _acts(uptake, 4)
    path = tmp_path / "uptake-data" / "uptake.db"
    intact = path.read_bytes()
    for statement, faults in TAMPERED.items():
        _execute(tmp_path, statement)
        found = _verified(uptake)
        assert (found.status, found.json["faults"]) == (1, faults), statement
        path.write_bytes(intact)
    _execute(tmp_path, "DELETE FROM audit WHERE sequence = 2")
    uptake("audit", "verify").assert_failed(1, "entry 2 is missing")


def test_a_log_cut_off_with_its_head_is_found_by_the_noted_head(
    uptake: Uptake, tmp_path: Path
) -> None:
    """Whoever can write to the database can do that; the head is to be noted elsewhere."""
    _acts(uptake, 3)
    head = _verified(uptake).json["head"]
    _execute(
        tmp_path,
        "DELETE FROM audit WHERE sequence = 3",
        "UPDATE audit_head SET sequence = 2, hash = (SELECT hash FROM audit WHERE sequence = 2)",
    )
    assert _verified(uptake).status == 0
    found = _verified(uptake, "--head", head)
    assert found.json["faults"] == ["the log has no entry 3 with the hash of --head"]
