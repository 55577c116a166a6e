"""`uptake projects`: making and listing."""

import pytest

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("database")


def test_the_default_project_is_there_from_the_start(uptake: Uptake) -> None:
    """Even in a folder that did not exist."""
    assert uptake("projects", "list", "--json").json == [{"name": "default"}]


def test_a_new_project_is_listed_and_takes_keys(uptake: Uptake) -> None:
    """Sorted by name, as JSON and as lines."""
    assert uptake("projects", "create", "acme", "--json").json == {"name": "acme"}
    assert uptake("projects", "list").out == "acme\ndefault\n"
    key = uptake("keys", "create", "--project", "acme", "--scope", "data:read", "--json").json
    assert key["project"] == "acme"


def test_a_project_is_shown(uptake: Uptake) -> None:
    """Its valid keys, its types and the number of its rules."""
    uptake("projects", "create", "acme")
    inside = ("--project", "acme")
    for _ in range(2):
        key = uptake("keys", "create", *inside, "--scope", "data:read", "--json").json["id"]
    uptake("keys", "revoke", key)
    uptake("types", "add", "check-in", *inside)
    uptake("retention", "create", "images", "90", *inside)
    shown = uptake("projects", "show", "acme", "--json").json
    assert shown == {
        "name": "acme",
        "keys": 1,
        "types": ["check-in"],
        "retention_rules": 1,
        "require_registration": False,
    }
    for option, required in (
        ("--require-registration", True),
        ("--no-require-registration", False),
    ):
        changed = uptake("projects", "update", "acme", option, "--json").json
        assert changed == {"name": "acme", "require_registration": required}
        shown = uptake("projects", "show", "acme", "--json").json
        assert shown["require_registration"] is required
    lines = [line.split("  ") for line in uptake("projects", "show", "acme").out.splitlines()]
    assert [line[-1].strip() for line in lines] == ["acme", "1", "check-in", "1", "no"]
    uptake("projects", "show", "nowhere").assert_failed(1, "nowhere", "uptake projects create")


def test_a_name_is_taken_once(uptake: Uptake) -> None:
    """The work failed: 1, with the name."""
    assert uptake("projects", "create", "acme").status == 0
    uptake("projects", "create", "acme").assert_failed(1, "acme")
    uptake("projects", "create", "default").assert_failed(1, "default")


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 64, "é"])
def test_a_name_is_plain(uptake: Uptake, name: str) -> None:
    """Names go into paths and addresses; others are wrong usage."""
    uptake("projects", "create", name).assert_failed(2)
