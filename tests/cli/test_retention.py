"""`uptake retention`: how long data is stored."""

import pytest

from .conftest import Uptake

DEFAULTS = [
    {"kind": "rejections", "type": "unknown-user", "days": 30, "due": 0, "default": True},
    {"kind": "receipts", "type": "", "days": 90, "due": 0, "default": True},
]

pytestmark = pytest.mark.usefixtures("database")


def test_a_rule_is_created_changed_and_listed(uptake: Uptake) -> None:
    """With the number of items that it would delete now."""
    about = ("--type", "bpm")
    missing = uptake("retention", "update", "samples", "30", *about)
    missing.assert_failed(1, "no rule for samples of type 'bpm'", "uptake retention create")
    assert uptake("retention", "create", "samples", "365", *about).status == 0
    again = uptake("retention", "create", "samples", "30", *about)
    again.assert_failed(1, "already has a rule for samples of type 'bpm'", "retention update")
    assert uptake("retention", "update", "samples", "30", *about).status == 0
    uptake("retention", "create", "images", "90")
    expected = [
        {"kind": "images", "type": "", "days": 90, "due": 0, "default": False},
        {"kind": "samples", "type": "bpm", "days": 30, "due": 0, "default": False},
    ]
    assert uptake("retention", "list", "--json").json == expected + DEFAULTS
    assert "images" in uptake("retention", "list").out


def test_the_default_rules_are_listed_until_others_replace_them(uptake: Uptake) -> None:
    """Marked as such, also when a rule of the project has the same number of days."""
    assert uptake("retention", "list").out == (
        "kind        type          days  due now  default\n"
        "rejections  unknown-user  30    0        yes\n"
        "receipts    all           90    0        yes\n"
    )
    uptake("retention", "create", "receipts", "90")
    uptake("retention", "create", "rejections", "7")
    assert uptake("retention", "list").out == (
        "kind        type  days  due now  default\n"
        "receipts    all   90    0\n"
        "rejections  all   7     0\n"
    )


def test_a_default_rule_is_replaced_and_not_changed_or_deleted(uptake: Uptake) -> None:
    """The message has the command that replaces it."""
    about = ("rejections", "--type", "unknown-user")
    for command in (["update", *about, "7"], ["delete", *about]):
        failed = uptake("retention", *command)
        failed.assert_failed(
            1, "is a default", "uptake retention create rejections DAYS --type unk"
        )
    uptake("retention", "create", "rejections", "7")
    uptake("retention", "delete", *about).assert_failed(1, "no rule for rejections of type")
    uptake("retention", "create", "receipts", "7")
    assert uptake("retention", "delete", "receipts").status == 0
    failed = uptake("retention", "delete", "receipts")
    failed.assert_failed(1, "the rule for receipts is a default", "retention create receipts DAYS")


def test_a_dry_run_creates_nothing(uptake: Uptake) -> None:
    """It states what the rule would take away."""
    result = uptake("retention", "create", "images", "90", "--dry-run", "--json").json
    assert result == [{"kind": "images", "type": "", "days": 90, "due": 0}]
    done = uptake("retention", "create", "images", "90", "--dry-run")
    assert done.out.endswith("\nDry run: nothing was changed or deleted.\n")
    assert uptake("retention", "list", "--json").json == DEFAULTS


def test_a_rule_is_deleted(uptake: Uptake) -> None:
    """The others stay."""
    uptake("retention", "create", "images", "90")
    uptake("retention", "create", "documents", "90")
    assert uptake("retention", "delete", "images").out == "Deleted the rule for images.\n"
    uptake("retention", "delete", "images").assert_failed(1, "no rule for images")
    rule, *others = uptake("retention", "list", "--json").json
    assert (rule["kind"], others) == ("documents", DEFAULTS)


def test_what_is_no_rule_is_wrong_usage(uptake: Uptake) -> None:
    """Unknown kinds, no days, types where there are none: 2, and a sentence."""
    for arguments in (("cats", "1"), ("images", "0"), ("images", "1", "--type", "png")):
        failed = uptake("retention", "create", *arguments)
        assert (failed.status, failed.err.count("\n")) == (2, 1)


def test_the_old_names_create_change_and_delete_a_rule(uptake: Uptake) -> None:
    """Scripts with `set` and `remove` still work."""
    for days in (90, 30):
        (rule,) = uptake("retention", "set", "images", str(days), "--json").json
        assert rule["days"] == days
    deleted = uptake("retention", "remove", "images", "--json").json
    assert deleted == {"kind": "images", "type": "", "deleted": True}
    assert uptake("retention", "list", "--json").json == DEFAULTS
