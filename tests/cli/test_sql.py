"""`uptake sql`: an answer as a table, as CSV or as JSON."""

from pathlib import Path

import pytest

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("data")
QUERY = "SELECT user_id, sum(value) AS total FROM samples WHERE metric = 'bpm' GROUP BY ALL"


def test_an_answer_is_a_table(uptake: Uptake) -> None:
    """With the names of its columns."""
    assert uptake("sql", QUERY).out == "user_id  total\nanna     60.0\n"


def test_days_are_a_table(uptake: Uptake) -> None:
    """With the figures of the rollups."""
    query = "SELECT user_id, day, mean FROM daily WHERE metric = 'bpm'"
    assert uptake("sql", query).out == "user_id  day         mean\nanna     2025-01-01  60.0\n"


def test_days_are_of_the_zone_that_is_named(uptake: Uptake) -> None:
    """The column `zone` states it."""
    query = "SELECT DISTINCT zone FROM daily"
    assert uptake("sql", query).out == "zone\nUTC\n"
    assert uptake("sql", query, "--zone", "Asia/Tokyo").out == "zone\nAsia/Tokyo\n"


def test_an_answer_is_csv_or_json(uptake: Uptake) -> None:
    """For the next program."""
    assert (
        uptake("sql", QUERY, "--format", "csv").out
        == uptake("sql", QUERY, "--csv").out
        == '"user_id","total"\n"anna",60\n'
    )
    assert uptake("sql", QUERY, "--json").json == [{"user_id": "anna", "total": 60.0}]


def test_a_long_answer_is_cut_off_on_a_terminal_alone(uptake: Uptake) -> None:
    """And it is reported how much is left."""
    done = uptake("sql", "SELECT * FROM range(1500)")
    assert done.out.count("\n") == 1001
    assert done.err == "uptake: 500 more rows; use --format csv or --json to print all\n"
    assert uptake("sql", "SELECT * FROM range(1500)", "--format", "csv").out.count("\n") == 1501


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["SELECT * FROM nothing"], 1, "nothing does not exist"),
        (["SELECT"], 1, "SELECT clause without selection list"),
        (["DELETE FROM samples"], 2, "must be a single SELECT statement"),
        (["SELECT 1", "--csv", "--json"], 2, "mutually exclusive"),
        (["SELECT 1", "--format", "table", "--json"], 2, "mutually exclusive"),
        (["SELECT 1", "--project", "acme"], 1, "project 'acme' does not exist"),
        (["SELECT 1", "--zone", "berlin"], 2, "did you mean Europe/Berlin?"),
        (["SELECT '\udcff'"], 2, "must be valid UTF-8"),
        ([], 2, "query"),
    ],
)
def test_what_cannot_be_answered_is_reported_in_a_line(
    uptake: Uptake, arguments: list[str], status: int, word: str
) -> None:
    """The exit status distinguishes wrong usage from failures."""
    uptake("sql", *arguments).assert_failed(status, word)


def test_without_duckdb_the_error_names_the_extra(installed: Uptake, tmp_path: Path) -> None:
    """In one line; everything else works without."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "duckdb.py").write_text("raise ImportError('no module of that name')\n")
    done = installed("sql", "SELECT 1", PYTHONPATH=str(folder))
    done.assert_failed(2, "pip install 'uptake[sql]'")
