"""Pages of requests of an earlier version, which have ids, are read beside those without."""

import zlib
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace
from sqlalchemy import insert

from uptake.store import sqlite
from uptake.store.request_tables import request_pages
from uptake.store.requests import ALL_REQUESTS, NEWEST, RequestFilter
from uptake.testing.store.making import NOON, batch, entry
from uptake.testing.store.receipts import MOMENT, fold, time_ordered

RESTS = bytes.fromhex("7abc" + "9000000000000007" + "7abc" + "9000000000000008" + "00" * 10)
EARLIER = [
    # Received at, then 1 and 2 microseconds later.
    [NOON + 10, 1, 2],
    # The ids without their time, how many milliseconds older these are, and the id of a client.
    *(RESTS, [0, 3, 0], {2: "chosen"}),
    # Places, numbers of users, kinds, accepted and rejected items, milliseconds.
    *([0, 0, 1], [1, 0, 2], [0, 1, 0], [1, 1, 2], [0, 2, 0], [5, None, 6]),
    # Format, key, outcome, status and first fault of each kind.
    [["samples", "key-1", 0, 0, None], ["tables", "key-2", 1, 0, "missing"]],
]


def test_pages_of_an_earlier_version_are_listed(tmp_path: Path) -> None:
    """With their ids, and without the requests of erased users."""
    with closing(sqlite.open_store(tmp_path / "uptake.db")) as store:
        new = [
            replace(entry(batch(user, "1")), received_at=NOON + number)
            for number, user in enumerate(["anna", "bert"])
        ]
        store.commit(new)
        assert fold(store) == len(new)
        page = {
            "project_id": "default",
            "last": NOON + 13,
            "page_id": "earlier",
            "first": NOON + 10,
            "data": zlib.compress(msgspec.msgpack.encode(EARLIER)),
        }
        with store.writing() as connection:
            connection.execute(insert(request_pages), [page])
        anna, several = time_ordered(7), time_ordered(8, MOMENT - 3)
        ids = [new[0].request_id, new[1].request_id, anna, several, "chosen"]
        found = store.requests(["default"], ALL_REQUESTS, NEWEST, 9).requests
        assert [(one.request_id, one.user_id) for one in reversed(found)] == list(
            zip(ids, ["anna", "bert", "anna", "", "bert"], strict=True)
        )
        assert [(one.accepted, one.rejected, one.fault, one.ms) for one in found[:3]] == [
            (2, 0, None, 6),
            (1, 2, "missing", None),
            (1, 0, None, 5),
        ]
        only = RequestFilter(key_id="key-2")
        (found_one,) = store.requests(["default"], only, NEWEST, 9).requests
        assert found_one.request_id == several
        store.erase("default", "anna", "e-1", NOON)
        left = store.requests(["default"], ALL_REQUESTS, NEWEST, 9).requests
        assert [one.request_id for one in reversed(left)] == [new[1].request_id, several, "chosen"]
