"""`uptake samples`: samples of a range of time are deleted."""

from pathlib import Path

from .conftest import Uptake

ANNA = "anna", "--metric", "steps"


def test_samples_are_deleted(in_process: Uptake, data: Path) -> None:
    """Those that start in the range; others of the user, and other metrics, stay."""
    when = "--from", "2025-01-01T08:00:00Z", "--to", "2025-03-01T04:59:59.2Z"
    user = in_process("users", "show", "anna", "--json").json["samples"]
    assert {metric: one["count"] for metric, one in user.items()} == {"steps": 4, "bpm": 1}
    assert in_process("samples", "delete", *ANNA, *when).out == "Deleted samples: 1\n"
    when = *when[:-1], "2025-03-01T05:29:59.2Z"
    assert in_process("samples", "delete", *ANNA, *when, "--json").json == {"samples": 1}
    user = in_process("users", "show", "anna", "--json").json["samples"]
    assert {metric: one["count"] for metric, one in user.items()} == {"steps": 2, "bpm": 1}
    in_process("samples", "delete", *ANNA, "--from", "2025-01-01").assert_failed(2, "--to")
    assert (data / "uptake.db").exists()
