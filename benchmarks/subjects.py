"""What is measured: the product and its yardsticks, on each engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import server
from benchmarks.server import Server
from benchmarks.workloads import DOCUMENTS, POCKETBASE_DOCUMENTS, SAMPLES, SMALL_BATCHES

SQLITE, POSTGRESQL = "sqlite", "postgresql"
ENGINES = (SQLITE, POSTGRESQL)

PRODUCT = "uptake"
PRODUCTS = {SQLITE: "Uptake", POSTGRESQL: "Uptake, PostgreSQL"}
"""By engine."""

OTHER_BUILDS = {SQLITE: "other build", POSTGRESQL: "other build, PostgreSQL"}
"""The build that `--against` names, by engine."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The same endpoints as others would write or provide them.

    Attributes:
        title: of its rows in the tables.
        start: serves it from a folder, with a number of processes.
        workloads: the requests that it takes.
        engine: what it stores data in; None if it is measured with any.
        only_process: whether it is one process whatever the number of workers.
        sends: the requests that are sent instead of those of a workload.
    """

    title: str
    start: Callable[[Path, int], AbstractContextManager[Server]]
    workloads: tuple[str, ...] = (SAMPLES,)
    engine: str | None = None
    only_process: bool = False
    sends: dict[str, str] = field(default_factory=dict)


def _fastapi(title: str, engine: str, style: str, *workloads: str) -> Yardstick:
    start = partial(server.yardstick, engine=engine, style=style)
    return Yardstick(title, start, (SAMPLES, *workloads), engine)


SQLALCHEMY, SQLITE3, POCKETBASE, GRANIAN = "sqlalchemy", "sqlite3", "pocketbase", "granian"
EXECUTEMANY, UNNEST = "executemany", "unnest"
YARDSTICKS = {
    SQLALCHEMY: _fastapi("FastAPI, SQLAlchemy", SQLITE, SQLALCHEMY),
    SQLITE3: _fastapi("FastAPI, sqlite3", SQLITE, SQLITE3, DOCUMENTS, SMALL_BATCHES),
    EXECUTEMANY: _fastapi("FastAPI, asyncpg executemany", POSTGRESQL, EXECUTEMANY),
    UNNEST: _fastapi("FastAPI, asyncpg unnest", POSTGRESQL, UNNEST),
    POCKETBASE: Yardstick(
        "PocketBase, not synced",
        lambda parent, _workers: server.pocketbase(parent),
        (DOCUMENTS,),
        only_process=True,
        sends={DOCUMENTS: POCKETBASE_DOCUMENTS},
    ),
    GRANIAN: Yardstick(
        "Granian, body only read", server.discard, (SAMPLES, DOCUMENTS, SMALL_BATCHES, "images")
    ),
}
SUBJECTS = (PRODUCT, *YARDSTICKS)
TITLES = (*PRODUCTS.values(), *OTHER_BUILDS.values(), *(one.title for one in YARDSTICKS.values()))
