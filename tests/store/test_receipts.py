"""Folded receipts are small, and are found by an index."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from msgspec.structs import replace
from sqlalchemy import event, select

from uptake.store import postgres, sqlite
from uptake.store.sql_store import SqlStore
from uptake.store.tables import receipt_blocks
from uptake.testing.postgres import Postgres
from uptake.testing.store.making import NOON, batch, entry
from uptake.testing.store.receipts import MOMENT, TOMORROW, fold, receipts_of, time_ordered

COUNT = 2000
BYTES = 30
"""At most for each receipt of one user, of which 10 are random."""

PAGE_BYTES = 10
"""At most for each of its entries in the pages by which requests are listed."""

TIMES, MANY_BLOCKS = 5, 30
"""How often a receipt is written at most, and how many small blocks of a day are too many."""

KEY = "018bcfe5-6800-7abc-9000-000000000000"


def _fill(store: SqlStore) -> list[str]:
    """Commit receipts of one user, each with an id as servers make them; return the ids."""
    digits = [number * 0x9E3779B97F4A7C15 % (1 << 60) for number in range(COUNT)]
    made = [
        replace(
            entry(batch("3d1e8f5c-54c1-4bd4-a0cf-39b1f8ac3ad2", f"{number}")),
            request_id=time_ordered(digits[number], MOMENT + number * 9),
            received_at=NOON + number * 9000 + digits[number] % 1000,
            format="gerosense-v2.2",
            key_id=KEY,
        )
        for number in range(COUNT)
    ]
    for at in range(0, COUNT, 200):
        store.commit(made[at : at + 200])
    assert fold(store) == COUNT
    assert all(len(found) == 1 for found in receipts_of(store, made[::99]))
    return [one.request_id for one in made]


def test_folded_receipts_are_small_on_sqlite(tmp_path: Path) -> None:
    """With their indexes and the free space of their pages."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        _fill(store)
        query = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%{}%'"
        with store.reading() as connection:
            size, pages = (
                connection.exec_driver_sql(query.format(name)).scalar_one()
                for name in ("receipt", "request_pages")
            )
    assert size < BYTES * COUNT
    assert pages < PAGE_BYTES * COUNT


def test_folded_receipts_are_small_on_postgresql(postgresql: Postgres) -> None:
    """With their indexes, once what was replaced is removed."""
    name = "small_receipts"
    url = postgresql.create(name)
    with closing(postgres.open_store(url)) as store:
        _fill(store)
    sizes = {}
    for table in ("receipts", "receipt_blocks", "request_pages"):
        postgresql.execute(f"VACUUM FULL {table}", name)
        [[sizes[table]]] = postgresql.execute(f"SELECT pg_total_relation_size('{table}')", name)
    pages = sizes.pop("request_pages")
    # Three empty indexes and their tables have 8 KiB each; the pages have two.
    assert sum(sizes.values()) < BYTES * COUNT + 6 * 8192
    assert pages < PAGE_BYTES * COUNT + 4 * 8192


def test_receipts_of_a_user_are_written_a_few_times_at_most(tmp_path: Path) -> None:
    """However often some are folded; few blocks are small."""
    count, sizes = 600, list[int]()

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if statement.startswith("INSERT INTO receipt_blocks"):
            rows = [values] if isinstance(values[0], str) else values
            sizes.extend(row[5] for row in rows)

    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        event.listen(store.engine, "before_cursor_execute", note)
        for number in range(count):
            store.commit([entry(batch("anna", f"{number}"), received_at=NOON + number)])
            assert store.fold_receipts("default", TOMORROW) == 1
        with store.reading() as connection:
            left = connection.execute(select(receipt_blocks.c["count"])).scalars().all()
    assert sum(left) == count
    assert len(left) < MANY_BLOCKS
    assert count < sum(sizes) <= TIMES * count


@pytest.mark.parametrize("request_id", ["018bcfe5-6800-7abc-9000-000000000001", "chosen"])
def test_a_receipt_is_looked_up_by_its_day(tmp_path: Path, request_id: str) -> None:
    """Blocks of other days are not read, nor others than those with ids that clients chose."""
    plans = []
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:

        def explain(
            connection: sqlalchemy.Connection,
            _cursor: object,
            statement: str,
            values: object,
            *_: object,
        ) -> None:
            if statement.startswith("SELECT") and "FROM receipt" in statement:
                explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
                plans.append([step[3] for step in explained])

        event.listen(store.engine, "before_cursor_execute", explain)
        store.receipts("default", request_id)
    steps = [step for plan in plans for step in plan]
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_what_is_not_due_is_not_folded(tmp_path: Path) -> None:
    """A few receipts of today wait for more."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        store.commit([entry(batch("anna", "x"))])
        assert store.fold_receipts("default", NOON) == 0
        assert store.fold_receipts("other", TOMORROW) == 0
        assert store.fold_receipts("default", TOMORROW) == 1
