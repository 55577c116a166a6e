"""Uploads without a relay execute no statement for one."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.structs import replace

from uptake.store.records import Outgoing
from uptake.store.sqlite import open_store
from uptake.store.sqlite_store import SqliteStore
from uptake.testing.store.making import attributes, batch, document, entry, image


@contextmanager
def _statements(store: SqliteStore) -> Iterator[list[str]]:
    """The statements that a store executes."""
    found: list[str] = []
    with store.writing() as connection:
        driver = connection.connection.driver_connection
    assert driver is not None
    driver.set_trace_callback(found.append)
    yield found
    driver.set_trace_callback(None)


def test_an_upload_without_a_relay_does_not_use_the_outbox(tmp_path: Path) -> None:
    """With one, it executes one statement more."""
    with closing(open_store(tmp_path / "uptake.db", make=True)) as store:
        assert isinstance(store, SqliteStore)
        uploads = [
            entry(batch("7", n), attributes("7", plan=n), document("7"), image("7", n))
            for n in ("a", "b", "c")
        ]
        store.commit([uploads[0]])
        with _statements(store) as without:
            store.commit([uploads[1]])
        with _statements(store) as sent:
            store.commit([replace(uploads[2], outgoing=(Outgoing("relay", "samples"),))])
    assert [one for one in without if "outbox" in one or "destinations" in one] == []
    assert [one.split("(")[0] for one in sent if "outbox" in one] == ["INSERT INTO outbox "]
    assert len(sent) == len(without) + 1
