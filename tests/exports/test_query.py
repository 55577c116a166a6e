"""SQL over a project: every table at one moment, and nothing but reading."""

import io
from pathlib import Path
from typing import Any

import pytest

from uptake.blobs import Blobs
from uptake.exports import InvalidExport
from uptake.exports.query import QueryFailed, print_csv, print_json, rows_of, run_query
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT

from .project import batch, commit, sample


def answer(store: Store, blobs: Blobs, sql: str) -> list[list[Any]]:
    """The rows of an answer, as a person is shown them."""
    with run_query(store, blobs, DEFAULT_PROJECT, sql) as batches:
        return list(rows_of(batches)[1])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SELECT user_id, count(*) FROM samples GROUP BY ALL ORDER BY ALL",
            [["anna", "5"], ["bert", "1"]],
        ),
        ("SELECT user_id FROM profiles WHERE n8 = ''", [["carl"]]),
        ("SELECT user_id FROM profiles WHERE n8 IS NULL ORDER BY 1", [["anna"], ["bert"]]),
        ("SELECT data->>'b' FROM documents WHERE type = 'mood'", [["\u00fc"]]),
        ("SELECT faults->0->>'code' FROM Rejections WHERE item IS NULL", [["missing"]]),
        ("SELECT max(last_seen) FROM users", [["2023-11-14T22:13:25Z"]]),
        ("SELECT 1 WHERE false", []),
    ],
)
def test_every_table_can_be_queried(
    store: Store, blobs: Blobs, sql: str, expected: list[list[Any]]
) -> None:
    """By its name, in upper or lower case."""
    assert answer(store, blobs, sql) == expected


def test_tables_can_be_joined_with_each_other_and_themselves(store: Store, blobs: Blobs) -> None:
    """Each scan reads the table again."""
    sql = """
        SELECT s.user_id, count(*), max(d.type)
        FROM samples s JOIN samples t USING (user_id, start_utc) JOIN documents d USING (user_id)
        GROUP BY ALL ORDER BY ALL"""
    assert answer(store, blobs, sql) == [["anna", "5", "mood"], ["bert", "1", "diary/x"]]


def test_a_query_sees_one_moment(store: Store, blobs: Blobs) -> None:
    """The moment at which it began, whatever is received while it runs."""
    sql = "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM users)"
    with run_query(store, blobs, DEFAULT_PROJECT, sql) as batches:
        commit(store, batch("new", [sample("2025-01-01T00:00:00Z")]))
        assert list(rows_of(batches)[1]) == [["6", "3"]]
    assert answer(store, blobs, sql) == [["7", "4"]]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "DROP TABLE samples",
        "CREATE TABLE mine AS SELECT 1",
        "SET threads = 1",
        "INSTALL httpfs",
        "ATTACH 'x.db'",
        "COPY (SELECT 1) TO 'x.csv'",
    ],
)
def test_only_single_select_statements_run(store: Store, blobs: Blobs, sql: str) -> None:
    """Everything else is rejected."""
    with pytest.raises(InvalidExport, match="single SELECT"):
        answer(store, blobs, sql)


def test_a_query_has_no_access_to_files_or_the_network(
    store: Store, blobs: Blobs, tmp_path: Path
) -> None:
    """Nor to variables of the process."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    reasons = {
        f"FROM '{tmp_path}/secret.csv'": "disabled by configuration",
        f"FROM read_csv('{tmp_path}/secret.csv')": "disabled by configuration",
        f"FROM glob('{tmp_path}/*')": "disabled by configuration",
        "FROM read_csv('https://127.0.0.1/x.csv')": "disabled|httpfs",
        "FROM store": "does not exist",
        "SELECT nothing FROM samples": "not found",
        "SELECT FROM WHERE": "syntax error",
    }
    for sql, reason in reasons.items():
        with pytest.raises(QueryFailed, match=reason):
            answer(store, blobs, sql)


SQL = """
    SELECT * FROM (VALUES
        (1, 'a', 1.5::DOUBLE, 2.50::DECIMAL(9, 2), DATE '2025-01-31', [1, 2], TRUE),
        (2, '', NULL, NULL, NULL, NULL, NULL)
    ) t (n, text, number, price, day, list, yes)"""


def test_a_result_is_printed_as_csv(store: Store, blobs: Blobs) -> None:
    """Null is an empty cell without quotes; lists are JSON."""
    out = io.BytesIO()
    with run_query(store, blobs, DEFAULT_PROJECT, SQL) as batches:
        print_csv(batches, out)
    assert out.getvalue().decode().splitlines() == [
        '"n","text","number","price","day","list","yes"',
        '1,"a",1.5,"2.50",2025-01-31,"[1,2]",true',
        '2,"",,,,,',
    ]


def test_a_result_is_printed_as_json(store: Store, blobs: Blobs) -> None:
    """As an array on one line, also without rows."""
    out = io.BytesIO()
    with run_query(store, blobs, DEFAULT_PROJECT, SQL) as batches:
        print_json(batches, out)
    assert out.getvalue() == (
        b'[{"n":1,"text":"a","number":1.5,"price":2.50,"day":"2025-01-31","list":[1,2],"yes":true},'
        b'{"n":2,"text":"","number":null,"price":null,"day":null,"list":null,"yes":null}]\n'
    )
    out = io.BytesIO()
    with run_query(store, blobs, DEFAULT_PROJECT, "SELECT 1 WHERE FALSE") as batches:
        print_json(batches, out)
    assert out.getvalue() == b"[]\n"
