"""The yardstick on PostgreSQL: FastAPI, Pydantic v2 and asyncpg, the fastest driver there is.

A row per sample under a unique key, one upsert and one transaction per request, answered after the
commit, which the server syncs to its disk. Two ways to insert: "executemany", the driver's own with
a row at a time in a pipeline, and "unnest", one statement with an array for each column. As on
SQLite it is spared what Uptake does besides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI

from benchmarks.yardstick import Accepted, Batch, parser, rows, serve

DATABASE_VARIABLE = "YARDSTICK_DATABASE"
STYLE_VARIABLE = "YARDSTICK_STYLE"
STYLES = ("executemany", "unnest")
CONNECTIONS = 10
"""Of each process, as asyncpg's pool has by default."""

_COLUMNS = {
    "user_id": "text",
    "data_type": "text",
    "device_name": "text",
    "device_version": "text",
    "start_date": "timestamptz",
    "start_offset": "int4",
    "end_date": "timestamptz",
    "end_offset": "int4",
    "unit": "text",
    "value": "float8",
}
_KEY = "user_id, data_type, device_name, start_date, end_date, unit"
_TABLE = f"""
    CREATE TABLE samples (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        {", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())},
        UNIQUE ({_KEY})
    )"""
_INSERT = f"INSERT INTO samples ({', '.join(_COLUMNS)})"
_CONFLICT = f"""ON CONFLICT ({_KEY}) DO UPDATE SET value = excluded.value,
    device_version = excluded.device_version, start_offset = excluded.start_offset,
    end_offset = excluded.end_offset"""
_VALUES = ", ".join(f"${at}" for at in range(1, len(_COLUMNS) + 1))
_ARRAYS = ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(_COLUMNS.values(), 1))
_ONE = f"{_INSERT} VALUES ({_VALUES}) {_CONFLICT}"
_ALL = f"{_INSERT} SELECT * FROM unnest({_ARRAYS}) {_CONFLICT}"  # noqa: S608 - the names are ours


def create_app() -> FastAPI:
    """The application of one worker."""
    unnest = os.environ[STYLE_VARIABLE] == "unnest"
    pools: list[Any] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ[DATABASE_VARIABLE], min_size=CONNECTIONS, max_size=CONNECTIONS
        ) as pool:
            pools.append(pool)
            yield

    app = FastAPI(title="Yardstick", lifespan=lifespan)

    @app.post("/api/v2.2/samples")
    async def post(batch: Batch) -> Accepted:
        values = [tuple(row.values()) for row in rows(batch, lambda value: value)]
        async with pools[0].acquire() as connection:
            if unnest:
                await connection.execute(_ALL, *map(list, zip(*values, strict=True)))
            else:
                async with connection.transaction():
                    await connection.executemany(_ONE, values)
        return Accepted(accepted=len(values))

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    return app


async def _create_table(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(_TABLE)
    await connection.close()


def main() -> None:
    """Create the table and serve."""
    arguments = parser(__doc__, STYLES, "unnest")
    arguments.add_argument("--database", required=True)
    options = arguments.parse_args()
    # Before the workers start: two of them would race to create the table.
    asyncio.run(_create_table(options.database))
    os.environ[DATABASE_VARIABLE] = options.database
    os.environ[STYLE_VARIABLE] = options.style
    serve("benchmarks.yardstick_postgres:create_app", options)


if __name__ == "__main__":
    main()
