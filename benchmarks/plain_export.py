"""The yardstick of exports: a table with one row per sample, written row by row.

`python -m benchmarks.plain_export DATABASE FILE` writes CSV with the writer of
the standard library, and Parquet from lists of dictionaries, as a simple server would.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_AT_ONCE = 10_000
COLUMNS = (
    *("user_id", "metric", "device_name", "device_version"),
    *("start_date", "end_date", "value", "unit"),
)
_LISTED = ", ".join(COLUMNS)


def fill(database: Path, exported: Path, rows: int) -> int:
    """Put about so many samples of an export in Parquet into a database; how many there are."""
    put = 0
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"CREATE TABLE samples ({_LISTED})")
        for batch in pq.ParquetFile(exported).iter_batches(ROWS_AT_ONCE, columns=list(COLUMNS)):
            listed = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            places = ", ".join("?" * len(COLUMNS))
            connection.executemany(f"INSERT INTO samples VALUES ({places})", listed)  # noqa: S608
            put += batch.num_rows
            if put >= rows:
                break
    return put


def _pages(connection: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    found = connection.execute(f"SELECT {_LISTED} FROM samples")  # noqa: S608
    while page := found.fetchmany(ROWS_AT_ONCE):
        yield page


def _to_csv(connection: sqlite3.Connection, destination: Path) -> None:
    with destination.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for page in _pages(connection):
            writer.writerows(page)


def _to_parquet(connection: sqlite3.Connection, destination: Path) -> None:
    writer = None
    for page in _pages(connection):
        table = pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in page])
        writer = writer or pq.ParquetWriter(destination, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Write the samples of a database to a file; the suffix of the file is the form."""
    database, destination = map(Path, sys.argv[1:])
    write = _to_csv if destination.suffix == ".csv" else _to_parquet
    with closing(sqlite3.connect(database)) as connection:
        write(connection, destination)


if __name__ == "__main__":
    main()
