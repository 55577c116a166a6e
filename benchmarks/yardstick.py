"""The yardstick: endpoints for samples and documents as an engineer writes them in an afternoon.

FastAPI, Pydantic v2 and SQLite (WAL, synchronous FULL): a row per sample under a unique key, one
upsert by executemany, and one transaction per request, answered after the commit. It does not check
API keys, validate each sample, or store rejections, as Uptake does.

The style "sqlalchemy" is SQLAlchemy 2 with `def` endpoints. The style "sqlite3" is the module of
the standard library, with the commit on the event loop: SQLite has one writer, and threads only
pass the interpreter's lock around.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import (
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
STYLES = ("sqlalchemy", "sqlite3")
DATABASE_NAME = "yardstick.sqlite3"

BUSY_SECONDS = 60
CACHE_KIB = 65_536
STEPS_LIMIT = 30_000
RATE_LIMIT = 300
MIN_SAMPLES, MAX_SAMPLES = 3, 1_000

_KEY = ("user_id", "data_type", "device_name", "start_date", "end_date", "unit")


_TABLE = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("data_type", String, nullable=False),
    Column("device_name", String, nullable=False),
    Column("device_version", String),
    Column("start_date", DateTime, nullable=False),
    Column("start_offset", Integer, nullable=False),
    Column("end_date", DateTime, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("unit", String, nullable=False),
    Column("value", Float, nullable=False),
    UniqueConstraint(*_KEY),
)
_CREATE = """CREATE TABLE IF NOT EXISTS documents (
    upload_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL,
    received_at TEXT NOT NULL)"""
_INSERT_DOCUMENT = "INSERT INTO documents VALUES (?, ?, ?, ?, ?)"


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


class User(BaseModel):
    """The user of a document."""

    userLabel: Annotated[str, Field(min_length=1, max_length=256)]  # noqa: N815 - as it is sent


class Document(BaseModel):
    """The body of a request with a document."""

    user: User
    data: dict[str, Any]


class Accepted(BaseModel):
    """The answer."""

    accepted: int
    rejected: int = 0
    errors: list[str] = []


def _offset(value: datetime) -> int:
    return int((value.utcoffset() or timedelta()).total_seconds()) // 60


def _datetime(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value


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


def _upsert() -> Insert:
    statement = insert(_TABLE)
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


def _configure(connection: Any, _record: object = None) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def _engine(database: Path) -> Engine:
    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure)
    return engine


def _with_sqlalchemy(app: FastAPI, engine: Engine) -> None:
    statement, writer = _upsert(), threading.Lock()

    @app.post("/api/v2.2/samples")
    def post(batch: Batch) -> Accepted:
        found = rows(batch, _datetime)
        with writer, engine.begin() as connection:
            connection.execute(statement, found)
        return Accepted(accepted=len(found))


def _with_sqlite3(app: FastAPI, engine: Engine, database: Path) -> None:
    # The same statement, written by SQLAlchemy and executed without it.
    names = [column.name for column in _TABLE.columns if column.name != "id"]
    upsert = str(_upsert().compile(engine, column_keys=names))
    connection = sqlite3.connect(database, timeout=BUSY_SECONDS)
    _configure(connection)

    @app.post("/api/v2.2/samples")
    async def post(batch: Batch) -> Accepted:
        found = [
            tuple(row.values()) for row in rows(batch, lambda time: _datetime(time).isoformat())
        ]
        with connection:
            connection.executemany(upsert, found)
        return Accepted(accepted=len(found))

    @app.post("/v1/user-data/{upload_type}")
    async def post_document(upload_type: str, document: Document) -> dict[str, str]:
        upload_id, received = str(uuid.uuid4()), datetime.now(UTC).isoformat()
        user, data = document.user.userLabel, json.dumps(document.data)
        with connection:
            connection.execute(_INSERT_DOCUMENT, (upload_id, user, upload_type, data, received))
        return {"uploadId": upload_id}


def create_app() -> FastAPI:
    """The application of one worker."""
    app = FastAPI(title="Yardstick")
    database = Path(os.environ[DATABASE_VARIABLE])
    engine = _engine(database)
    if os.environ[STYLE_VARIABLE] == "sqlalchemy":
        _with_sqlalchemy(app, engine)
    else:
        _with_sqlite3(app, engine, database)

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
    """Create the tables and serve."""
    arguments = parser(__doc__, STYLES, "sqlite3")
    arguments.add_argument("--data-dir", type=Path, required=True)
    options = arguments.parse_args()
    database = options.data_dir / DATABASE_NAME
    engine = _engine(database)
    # Before the workers start: two of them would race to create them.
    _TABLE.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(_CREATE)
    engine.dispose()
    os.environ[DATABASE_VARIABLE] = str(database)
    os.environ[STYLE_VARIABLE] = options.style
    serve("benchmarks.yardstick:create_app", options)


if __name__ == "__main__":
    main()
