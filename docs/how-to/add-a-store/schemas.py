"""PostgreSQL, each store in a schema of its own: several installations share one database."""

from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from uptake.store import postgres
from uptake.store.base import StoreUnusable
from uptake.store.contents import SqlContents
from uptake.store.sql_store import SqlStore


def open_store(url: str, *, make: bool = True) -> SqlStore:
    """Open a schema, and migrate its tables.

    Args:
        url: `schemas://USER:PASSWORD@HOST/DATABASE#SCHEMA`.
        make: whether to create the tables if there are none.

    Raises:
        NoDatabase: there are none, and `make` is false.
        StoreUnusable: it cannot be reached or written, or was written by a newer version.
    """
    return postgres.open_store(_address(url), make=make)


def open_contents(url: str, *, make: bool = False) -> SqlContents:
    """Open a schema as it is.

    Raises:
        StoreUnusable: it cannot be reached.
    """
    return postgres.open_contents(_address(url), make=make)


def _address(url: str) -> str:
    """The schema's address as PostgreSQL knows it; the schema is there afterwards."""
    parts = urlsplit(url)
    if not parts.fragment.isidentifier():
        raise StoreUnusable("schemas://...#SCHEMA: the schema's name is missing")
    address = parts._replace(scheme="postgresql", fragment="").geturl()
    statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(parts.fragment))
    try:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)
    except psycopg.errors.UniqueViolation:
        pass  # another node was faster
    except psycopg.Error as error:
        raise StoreUnusable(" ".join(str(error).split())) from error
    return f"{address}{'&' if parts.query else '?'}options=-csearch_path%3D{parts.fragment}"
