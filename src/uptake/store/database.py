"""One engine, its transactions, and the translation of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import postgresql, sqlite

from uptake.store.base import StoreUnavailable

WRITES = "uptake_writes"
"""Execution option of a connection whose transaction will write."""

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Database:
    """An engine whose transactions fail with `StoreUnavailable` where trying again may help."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.insert: Any = _INSERTS[engine.dialect.name]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the data."""
        with translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and nothing when it fails."""
        writer = self.engine.execution_options(**{WRITES: True})
        with translated(), writer.begin() as connection:
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver says about a store out of reach into `StoreUnavailable`.

    Errors about the data itself stay as they are: another try would meet them again.
    """
    try:
        yield
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError):
        raise
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError) as error:
        raise StoreUnavailable(str(getattr(error, "orig", error))) from error
