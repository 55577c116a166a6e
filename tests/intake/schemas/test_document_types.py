"""A document type gets a new version for each schema with another meaning."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from uptake.intake.schemas import SchemaWorkers, register
from uptake.store import sqlite
from uptake.store.base import Store
from uptake.store.definitions import DocumentType
from uptake.testing.store.concurrency import OPENED, THREADS, at_once


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    """A store that is opened several times."""
    opened: list[Store] = [sqlite.open_store(tmp_path / "uptake.db") for _ in range(OPENED)]
    yield opened
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def workers() -> Iterator[SchemaWorkers]:
    """Workers that all tests share: each is a process."""
    with closing(SchemaWorkers()) as shared:
        yield shared


def test_every_other_schema_is_the_next_version(tmp_path: Path, workers: SchemaWorkers) -> None:
    """Also a schema that the type had before, but not the current one in another layout."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        for schema in (None, "{}", "{ }", None, None, '{"a": 1, "b": 2}', '{"b":2,"a":1}'):
            registered = register(store, "default", "visit", schema, workers)
            assert store.document_type("default", "visit") == registered
        register(store, "other", "visit", "false", workers)
        versions = store.type_versions("default", "visit", 0, 9)
        assert [(one.version, one.schema) for one in versions] == [
            (1, None),
            (2, "{}"),
            (3, None),
            (4, '{"a":1,"b":2}'),
        ]
        assert [one.version for one in store.type_versions("other", "visit", 0, 9)] == [1]
        first, last = versions[0], versions[-1]
        expected = DocumentType("visit", last.schema, first.created_at, 4)
        assert store.document_type("default", "visit") == expected


def test_parallel_registrations_are_a_version_each(
    stores: list[Store], workers: SchemaWorkers
) -> None:
    """Numbers have no gaps, and each result has the number of its own schema."""

    def put(number: int) -> int:
        schema = f'{{"$comment":"{number}"}}'
        return register(stores[number % OPENED], "default", "visit", schema, workers).version

    versions = at_once(put)
    stored = stores[0].type_versions("default", "visit", 0, THREADS + 1)
    assert [one.version for one in stored] == list(range(1, THREADS + 1))
    assert [one.schema for one in stored] == [
        f'{{"$comment":"{versions.index(one.version)}"}}' for one in stored
    ]


def test_parallel_registrations_of_one_schema_are_one_version(
    stores: list[Store], workers: SchemaWorkers
) -> None:
    """Whoever is slower finds the version of the first."""

    def put(number: int) -> int:
        return register(stores[number % OPENED], "default", "visit", "{}", workers).version

    assert set(at_once(put)) == {1}
    assert len(stores[0].type_versions("default", "visit", 0, 9)) == 1
