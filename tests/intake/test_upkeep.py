"""A database of the first revision is converted: hashes, rejections without users, receipts."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
import sqlalchemy

from uptake.formats.redecode import find_users
from uptake.intake import upkeep
from uptake.intake.upkeep import AfterRequests, chores
from uptake.model import clock
from uptake.settings import Settings
from uptake.store import sqlite
from uptake.store.base import Store, StoreUnavailable
from uptake.store.migrations.running import upgrade_to
from uptake.store.records import Entry, Erased
from uptake.store.stored import ReceiptItem, StoredReceipt
from uptake.testing.store.making import NOON, attributes, batch, entry, written_by
from uptake.wiring import Services, open_services

TURN_SECONDS = 5.0

TABLE = {"field_name": ["user_id", "a"], "values": [["88", None], ["gone", "x"], ["89", "y"]]}
BODIES = {
    "r-table": ("ptengine", json.dumps(TABLE).encode(), {}),
    "r-thymia": ("thymia", b'{"user":{"userLabel":88}}', {"path upload_type": "mood"}),
    "r-image": ("questionpro", b"no form", {"path user-id": "x88"}),
    "r-samples": ("gerosense-v2.2", b'{"user_id":"88"', {}),
    "r-no-user": ("ptengine", b"{}", {}),
    "r-no-format": ("stepwise", b'{"member":"88"}', {}),
}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Over a database as the first revision left it, with an erased user."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'uptake.db'}")
    plain = hashlib.sha256(b"gone").hexdigest()
    with engine.begin() as connection:
        upgrade_to(connection, "0001")
        add = connection.exec_driver_sql
        add("INSERT INTO tombstones VALUES ('default', ?, 1)", (plain,))
        add("INSERT INTO tombstone_changes VALUES ('default', 1)")
        add("INSERT INTO erasures VALUES ('default', 'e-1', ?, 1, '{}', 2)", (plain,))
        erased = json.dumps([plain]).encode()
        add("INSERT INTO changes VALUES ('default', 1, 'c-1', 9, ?, ?)", (b"[]", erased))
        for rejection_id, (name, body, context) in BODIES.items():
            add(
                "INSERT INTO rejections VALUES"
                " ('default', '', ?, 'request', ?, 'key', NULL, ?, 1, '[]', ?, NULL, ?, NULL)",
                (rejection_id, name, NOON, body, json.dumps(context)),
            )
        receipt = (
            "INSERT INTO receipts VALUES ('default', 'r-1', ?, 0, 's', 'k', '88', ?, NULL, NULL)"
        )
        add(receipt, (NOON, b"\x91\x94\xa7samples\x03\xa0\xc2"))
    engine.dispose()
    made = open_services(Settings(data_dir=tmp_path), make=True)
    yield made
    made.close()


def test_hashes_are_converted(services: Services) -> None:
    """Data of the erased user is still rejected, and the plain hash is gone."""
    store = services.store
    (written,) = written_by(store, [Entry("default", "r", NOON, (attributes("gone", a="1"),))])
    assert written == (Erased(),)
    assert [one.user_hash for one in store.erasures("default", "", 9)] == [store.user_hash("gone")]
    changes = store.changes("default", 1)
    assert changes is not None
    assert changes.changes[0].erased == [store.user_hash("gone")]


def _do(services: Services, name: str, stop: threading.Event | None = None) -> None:
    """Do a chore."""
    rejections = services.intake.rejections
    stop = stop or threading.Event()
    made = chores(services.store, services.blobs, rejections, find_users, stop)
    next(chore for chore in made if chore.name == name).do()


def test_receipts_are_folded_and_expire(services: Services) -> None:
    """They are the same after they are folded, and are deleted after 90 days."""
    expected = StoredReceipt("r-1", NOON, "s", "k", "88", (ReceiptItem("samples", 3),), None)
    assert services.store.receipts("default", "r-1") == [expected]
    _do(services, "receipts")
    assert services.store.receipts("default", "r-1") == [expected]
    assert services.store.fold_receipts("default", clock.now()) == 0
    _do(services, "retention")
    assert services.store.receipts("default", "r-1") == []


def test_a_stop_ends_the_folding_of_receipts(services: Services) -> None:
    """What is left is folded after the next start."""
    stop = threading.Event()
    stop.set()
    _do(services, "receipts", stop)
    assert services.store.fold_receipts("default", clock.now()) == 1


def test_uploads_have_time_between_the_steps_of_folding(services: Services) -> None:
    """As much as each step takes, because they wait for it."""
    pauses: list[float | None] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    began = time.monotonic()
    _do(services, "receipts", Stop())
    (pause,) = pauses
    assert pause is not None
    assert 0 < pause <= time.monotonic() - began


def test_rejections_are_stored_under_their_users(services: Services) -> None:
    """As new rejections are; those that cannot be read have no user, and are not read again."""
    store = services.store
    assert len(store.unexamined_rejections("default", 9)) == len(BODIES)
    _do(services, "examination")
    assert store.unexamined_rejections("default", 9) == []
    found = {
        stored.record.rejection_id: stored.user_ids for stored in store.rejections("default", "", 9)
    }
    assert found == {
        "r-table": ("88", "89"),
        "r-thymia": ("88",),
        "r-image": ("x88",),
        "r-samples": ("88",),
        "r-no-user": (),
        "r-no-format": (),
    }
    store.erase("default", "88", "e-2", NOON)
    stored = store.rejection("default", "r-table")
    assert stored is not None
    assert (stored.request_id, stored.received_at) == ("request", NOON)
    assert [b"88" in one.raw or b"gone" in one.raw for one in stored.records] == [False]


def _requests(store: Store, *projects: str) -> None:
    """Commit an upload to each project."""
    for project in projects:
        store.commit([entry(batch("anna", "1"), project=project)])


def test_work_is_done_for_projects_with_new_requests(tmp_path: Path) -> None:
    """For all after a start; in later turns for those with new requests, folded or not."""
    done: list[str] = []

    def work(project: str, until: Callable[[], bool]) -> bool:
        assert not until()
        done.append(project)
        return done.count(project) != 2

    def turn() -> list[str]:
        done_before = len(done)
        chore()
        return done[done_before:]

    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        for number in range(50):
            store.add_project(f"p{number}", NOON)
        chore = AfterRequests(store, work, TURN_SECONDS, lambda: False)
        assert sorted(turn()) == store.projects()
        assert turn() == []
        _requests(store, "p7", "p3")
        store.fold_receipts("p3", clock.now())
        # Their work is not complete then.
        assert turn() == ["p3", "p7"]
        assert turn() == ["p3", "p7"]
        _requests(store, "p7")
        assert turn() == ["p7"]
        assert turn() == []


def test_work_that_a_turn_has_no_time_for_is_done_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No project has to wait for another that is never complete."""
    seconds = iter(range(1000))
    monkeypatch.setattr(upkeep, "monotonic", lambda: next(seconds))
    done: list[str] = []
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        for number in range(20):
            store.add_project(f"p{number}", NOON)

        def work(project: str, _until: Callable[[], bool]) -> bool:
            done.append(project)
            return project != "p0"

        chore = AfterRequests(store, work, TURN_SECONDS, lambda: False)
        for _ in range(9):
            before = len(done)
            chore()
            assert 0 < len(done) - before <= TURN_SECONDS + 1
    assert set(done) == {"default", *(f"p{number}" for number in range(20))}
    assert done.count("p0") > 1


def test_a_failure_leaves_the_work_to_the_next_turn(tmp_path: Path) -> None:
    """Of the project, after the others."""
    work = Mock(side_effect=[StoreUnavailable("down"), True, True, True])
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        store.add_project("other", NOON)
        chore = AfterRequests(store, work, TURN_SECONDS, lambda: False)
        with pytest.raises(StoreUnavailable):
            chore()
        chore()
        assert [call.args[0] for call in work.call_args_list] == ["default", "other", "default"]
        chore()
        assert work.call_count == 3
