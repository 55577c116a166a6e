"""A database on PostgreSQL is made, brought up to date, or rejected with a sentence."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from urllib.parse import quote

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from uptake.store import postgres, tables
from uptake.store.base import StoreUnusable
from uptake.testing.postgres import PASSWORD, Postgres
from uptake.testing.store.making import NOON, unique

OPENERS = 4
ROUNDS = 5

SCHEMA = {
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            l.collname, a.attstorage, a.attcompression, a.attidentity, a.attgenerated,
            pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
            AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "tables": """
        SELECT relname, reloptions, relpersistence::text, relkind::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal""",
    "others": """
        SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
}
"""Everything that PostgreSQL knows of a schema, in an order of no importance."""


@pytest.fixture
def database(postgresql: Postgres) -> str:
    """The name of a database in which nothing is."""
    name = unique("fresh")
    postgresql.create(name)
    return name


def test_the_migrated_schema_is_the_one_the_code_uses(postgresql: Postgres, database: str) -> None:
    """Tables, columns, types and indexes: nothing to migrate is left."""
    with (
        closing(postgres.open_store(postgresql.url(database))) as store,
        store.reading() as connection,
    ):
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_a_fresh_schema_is_the_migrated_one(postgresql: Postgres, database: str) -> None:
    """Also in what a comparison of the tables leaves out: collations, storage, names of keys."""
    address = sqlalchemy.make_url(postgresql.url(database)).set(drivername=postgres.DRIVER)
    engine = sqlalchemy.create_engine(address)
    tables.metadata.create_all(engine)
    engine.dispose()
    expected = _schema(postgresql, database)
    migrated = unique("migrated")
    postgres.open_store(postgresql.create(migrated)).close()
    assert expected == _schema(postgresql, migrated)
    assert len(expected["columns"]) > 50


def _schema(server: Postgres, database: str) -> dict[str, list[str]]:
    """What there is but for Alembic's own table."""
    found = {name: map(repr, server.execute(query, database)) for name, query in SCHEMA.items()}
    return {
        name: sorted(row for row in rows if "alembic_version" not in row)
        for name, rows in found.items()
    }


def test_a_store_opened_again_is_not_migrated_again(postgresql: Postgres, database: str) -> None:
    """What is in it stays."""
    for expected in (["default", "one"], ["default", "one"]):
        with closing(postgres.open_store(postgresql.url(database))) as store:
            if "one" not in store.projects():
                store.add_project("one", NOON)
            assert expected == store.projects()


def test_a_database_of_a_newer_version_is_rejected(postgresql: Postgres, database: str) -> None:
    """The message has the remedy and the name of the database, but not the password."""
    postgres.open_store(postgresql.url(database)).close()
    postgresql.execute("UPDATE alembic_version SET version_num = '9999'", database)
    with pytest.raises(StoreUnusable) as rejected:
        postgres.open_store(postgresql.url(database))
    expected = (
        f"postgresql://uptake:***@127.0.0.1:{postgresql.port}/{database}: "
        "the data was written by a newer version of Uptake; use that one"
    )
    assert expected == str(rejected.value)
    assert postgresql.execute("SELECT version_num FROM alembic_version", database) == [("9999",)]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql://{user}@127.0.0.1:{port}/missing", 'database "missing" does not exist'),
        ("postgresql://uptake:wrong@127.0.0.1:{port}/{name}", "password authentication failed"),
        ("postgresql://{user}@127.0.0.1:1/{name}", "Connection refused"),
        ("postgresql://{user}@127.0.0.1:{port}/{name}?sslmode=require", "not support SSL"),
        ("postgresql://{user}@127.0.0.1:{port}/{name}?nonsense=1", 'option "nonsense"'),
        ("postgresql://{user}@127.0.0.1:x/{name}", "not the address of a database"),
    ],
)
def test_a_database_that_cannot_be_opened_is_reported_in_one_line(
    postgresql: Postgres, database: str, address: str, reason: str
) -> None:
    """Why, and which, without its password."""
    secret = quote(PASSWORD, safe="")
    with pytest.raises(StoreUnusable, match=reason) as rejected:
        postgres.open_store(
            address.format(user=f"uptake:{secret}", port=postgresql.port, name=database)
        )
    message = str(rejected.value)
    assert all(text not in message for text in ("\n", "wrong", secret, PASSWORD))


def _open(address: str) -> list[str]:
    with closing(postgres.open_store(address)) as store:
        return store.projects()


def test_nodes_that_start_at_once_migrate_once(postgresql: Postgres) -> None:
    """None raises an error, and each finds all of it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(OPENERS, mp_context=spawn) as pool:
        for number in range(ROUNDS):
            address = postgresql.create(unique(f"at once {number}"))
            assert list(pool.map(_open, [address] * OPENERS)) == [["default"]] * OPENERS


def test_nodes_wait_for_a_long_migration(postgresql: Postgres, database: str) -> None:
    """However long another one holds the lock."""
    address = postgresql.url(database)
    spawn = multiprocessing.get_context("spawn")
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(address).set(drivername=postgres.DRIVER))
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7816457)")
            waiting = pool.submit(_open, address)
            while not postgresql.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            assert postgresql.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'") == []
        assert waiting.result() == ["default"]
    engine.dispose()
