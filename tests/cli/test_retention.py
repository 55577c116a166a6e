"""`uptake retention`: how long data is stored."""

import pytest

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("database")


def test_a_rule_is_set_and_listed(uptake: Uptake) -> None:
    """With what it would take away now; set again, it has the new days."""
    assert uptake("retention", "set", "samples", "365", "--type", "bpm").status == 0
    assert uptake("retention", "set", "samples", "30", "--type", "bpm").status == 0
    uptake("retention", "set", "images", "90")
    expected = [
        {"kind": "images", "type": "", "days": 90, "due": 0},
        {"kind": "samples", "type": "bpm", "days": 30, "due": 0},
    ]
    assert uptake("retention", "list", "--json").json == expected
    assert "images" in uptake("retention", "list").out


def test_a_dry_run_sets_nothing(uptake: Uptake) -> None:
    """It states what the rule would take away."""
    result = uptake("retention", "set", "images", "90", "--dry-run", "--json").json
    assert result == [{"kind": "images", "type": "", "days": 90, "due": 0}]
    assert uptake("retention", "list", "--json").json == []


def test_a_rule_is_removed(uptake: Uptake) -> None:
    """The others stay."""
    uptake("retention", "set", "images", "90")
    uptake("retention", "set", "documents", "90")
    assert uptake("retention", "remove", "images").status == 0
    (rule,) = uptake("retention", "list", "--json").json
    assert rule["kind"] == "documents"


def test_what_is_no_rule_is_wrong_usage(uptake: Uptake) -> None:
    """Unknown kinds, no days, types where there are none: 2, and a sentence."""
    for arguments in (("cats", "1"), ("images", "0"), ("images", "1", "--type", "png")):
        failed = uptake("retention", "set", *arguments)
        assert (failed.status, failed.err.count("\n")) == (2, 1)
