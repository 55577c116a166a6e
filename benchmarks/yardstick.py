"""The yardstick: the endpoint for samples as a competent engineer writes it in an afternoon.

FastAPI, Pydantic v2, SQLAlchemy 2 and SQLite (WAL, synchronous FULL): a row per sample under a
unique key, one upsert by executemany and one transaction per request, answered after the commit. It
does not check API keys, validate each sample, or store rejections, as Uptake does.

"plain" is the first version: a `def` endpoint and DateTime columns. "tuned" is the version after a
second afternoon with a profiler: times as integers, as SQLAlchemy's DateTime formats text for
SQLite, and the commit on the event loop, as SQLite has one writer and threads only pass the
interpreter's lock around.
"""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.dialects.sqlite import Insert, insert

DATABASE_VARIABLE = "YARDSTICK_DATABASE"
STYLE_VARIABLE = "YARDSTICK_STYLE"
STYLES = ("plain", "tuned")
DATABASE_NAME = "yardstick.sqlite3"

BUSY_SECONDS = 60
CACHE_KIB = 65_536
STEPS_LIMIT = 30_000
RATE_LIMIT = 300
MIN_SAMPLES, MAX_SAMPLES = 3, 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY = ("user_id", "data_type", "device_name", "start_date", "end_date", "unit")


metadata = MetaData()


def _table(name: str, time: type[DateTime | BigInteger]) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", String, nullable=False),
        Column("data_type", String, nullable=False),
        Column("device_name", String, nullable=False),
        Column("device_version", String),
        Column("start_date", time, nullable=False),
        Column("start_offset", Integer, nullable=False),
        Column("end_date", time, nullable=False),
        Column("end_offset", Integer, nullable=False),
        Column("unit", String, nullable=False),
        Column("value", Float, nullable=False),
        UniqueConstraint(*_KEY),
    )


TABLES = {"plain": _table("samples", DateTime), "tuned": _table("tuned_samples", BigInteger)}


class Sample(BaseModel):
    """One sample as it is sent."""

    device_name: Annotated[str, Field(min_length=1)]
    device_version: str | None = None
    start_date: datetime
    end_date: datetime | None = None
    value: Annotated[float, Field(gt=0)]
    unit: Literal["count", "count/min", "count/s"]

    @model_validator(mode="after")
    def _consistent(self) -> Sample:
        if self.end_date is not None and self.end_date < self.start_date:
            raise ValueError("end_date is earlier than start_date")
        if self.unit == "count" and self.value > STEPS_LIMIT:
            raise ValueError(f"value is over {STEPS_LIMIT}")
        if self.unit == "count/min" and self.value > RATE_LIMIT:
            raise ValueError(f"value is over {RATE_LIMIT}")
        return self


class Batch(BaseModel):
    """The body of one request."""

    user_id: Annotated[str, Field(min_length=1, max_length=256)]
    data_type: Literal["steps", "bpm"]
    data: Annotated[list[Sample], Field(min_length=MIN_SAMPLES, max_length=MAX_SAMPLES)]


class Accepted(BaseModel):
    """The answer."""

    accepted: int
    rejected: int = 0
    errors: list[str] = []


def _offset(value: datetime) -> int:
    return int((value.utcoffset() or timedelta()).total_seconds()) // 60


def _datetime(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value


def _microseconds(value: datetime) -> int:
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def rows(batch: Batch, time_of: Callable[[datetime], Any]) -> list[dict[str, Any]]:
    """A row for each sample, with times as `time_of` converts them."""
    found: list[dict[str, Any]] = []
    for sample in batch.data:
        end = sample.end_date or sample.start_date
        found.append(
            {
                "user_id": batch.user_id,
                "data_type": batch.data_type,
                "device_name": sample.device_name,
                "device_version": sample.device_version,
                "start_date": time_of(sample.start_date),
                "start_offset": _offset(sample.start_date),
                "end_date": time_of(end),
                "end_offset": _offset(end),
                "unit": sample.unit,
                "value": sample.value,
            }
        )
    return found


def _upsert(table: Table) -> Insert:
    statement = insert(table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "value": new.value,
            "device_version": new.device_version,
            "start_offset": new.start_offset,
            "end_offset": new.end_offset,
        },
    )


def _engine(database: Path) -> Engine:
    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    return engine


def create_app() -> FastAPI:
    """The application of one worker."""
    engine = _engine(Path(os.environ[DATABASE_VARIABLE]))
    tuned = os.environ[STYLE_VARIABLE] == "tuned"
    statement = _upsert(TABLES["tuned" if tuned else "plain"])
    time_of = _microseconds if tuned else _datetime
    writer = threading.Lock()
    app = FastAPI(title="Yardstick")

    def store(batch: Batch) -> Accepted:
        found = rows(batch, time_of)
        with writer, engine.begin() as connection:
            connection.execute(statement, found)
        return Accepted(accepted=len(found))

    async def post_inline(batch: Batch) -> Accepted:
        return store(batch)

    app.post("/api/v2.2/samples")(post_inline if tuned else store)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    return app


def parser(about: str | None, styles: Iterable[str], style: str) -> argparse.ArgumentParser:
    """The options that the yardsticks share."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--port", type=int, required=True)
    made.add_argument("--workers", type=int, default=1)
    made.add_argument("--style", choices=styles, default=style)
    return made


def serve(application: str, options: argparse.Namespace) -> None:
    """Serve an application by the name of its factory."""
    uvicorn.run(
        application,
        factory=True,
        host="127.0.0.1",
        port=options.port,
        workers=options.workers,
        access_log=False,
        log_level="warning",
    )


def main() -> None:
    """Create the table and serve."""
    arguments = parser(__doc__, STYLES, "plain")
    arguments.add_argument("--data-dir", type=Path, required=True)
    options = arguments.parse_args()
    database = options.data_dir / DATABASE_NAME
    engine = _engine(database)
    # Before the workers start: two of them would race to create the table.
    metadata.create_all(engine)
    engine.dispose()
    os.environ[DATABASE_VARIABLE] = str(database)
    os.environ[STYLE_VARIABLE] = options.style
    serve("benchmarks.yardstick:create_app", options)


if __name__ == "__main__":
    main()
