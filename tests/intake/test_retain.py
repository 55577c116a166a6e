"""Which rules are in force in a project."""

from pathlib import Path

from uptake.intake.retain import expire, in_force
from uptake.store import sqlite
from uptake.store.definitions import RetentionRule
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.testing.store.making import NOON, entry, rejection
from uptake.time_units import MICROSECONDS_PER_DAY

UNKNOWN = RetentionRule("rejections", 30, "unknown-user")
RECEIPTS = RetentionRule("receipts", 90)


def test_rejections_of_unknown_users_are_stored_for_30_days() -> None:
    """Unless there is a rule for rejections."""
    others = [RetentionRule("images", 9), RetentionRule("samples", 9, "bpm")]
    assert in_force([]) == [UNKNOWN, RECEIPTS]
    assert in_force(others) == [*others, UNKNOWN, RECEIPTS]
    for rule in (RetentionRule("rejections", 90), RetentionRule("rejections", 90, "unknown-user")):
        assert in_force([rule]) == [rule, RECEIPTS]


def test_receipts_are_stored_for_90_days() -> None:
    """Unless there is a rule for receipts."""
    rule = RetentionRule("receipts", 7)
    assert in_force([rule]) == [rule, UNKNOWN]


def test_only_they_go(tmp_path: Path) -> None:
    """On the 31st day, and those of known users stay."""
    store = sqlite.open_store(tmp_path / "uptake.db")
    store.commit([entry(rejections=(rejection("r-1"), rejection("r-2", user_id="anna")))])
    rule, _ = in_force(store.retention("default"))
    assert expire(store, MemoryBlobs(), "default", rule, NOON + 30 * MICROSECONDS_PER_DAY) == 0
    assert expire(store, MemoryBlobs(), "default", rule, NOON + 30 * MICROSECONDS_PER_DAY + 1) == 1
    assert [stored.user_ids for stored in store.rejections("default", "", 9)] == [("anna",)]
    store.close()
