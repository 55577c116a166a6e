"""A user has at most 500 attributes, of 128 KiB together, however they arrive."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import msgspec
from sqlalchemy import update

from contract.tenant import Tenant
from uptake.model.items import Attributes
from uptake.store import tables as t
from uptake.store.records import Entry

LIMIT = 500
LIMIT_BYTES = 131_072


def _send(tenant: Tenant, user_id: str, values: dict[str, str]) -> httpx2.Response:
    return tenant.profiles(["user_id", *values], [user_id, *values.values()])


def _fill(tenant: Tenant, user_id: str, count: int, value: str = "v") -> None:
    """Give a user so many attributes, a request at a time."""
    names = [f"a{i}" for i in range(count)]
    for start in range(0, count, 49):
        some = dict.fromkeys(names[start : start + 49], value)
        assert _send(tenant, user_id, some).status_code == 200


def _attributes(tenant: Tenant, user_id: str) -> dict[str, Any]:
    return dict(tenant.user(user_id)["attributes"])


def test_an_attribute_beyond_the_limit_is_rejected(tenant: Tenant) -> None:
    """In the vendor's envelope, with the row; nothing of the request is stored."""
    _fill(tenant, "42", LIMIT)
    names = ["user_id", "a0", "one-more"]
    answer = tenant.profiles(names, ["43", "x", "y"], ["42", "changed", "y"])
    assert answer.status_code == 400
    assert {"msg", "timestamp"} == set(answer.json())
    assert answer.json()["msg"].startswith("values[1]: the user would have 501 attributes")
    assert tenant.get("/users/43").status_code == 404
    assert _attributes(tenant, "42") == {f"a{i}": "v" for i in range(LIMIT)}
    (saved,) = tenant.rejections()
    assert [fault.code for fault in saved.record.faults] == ["too_many_attributes"]
    (receipt,) = tenant.get(f"/requests/{answer.headers['x-request-id']}").json()["submissions"]
    assert (receipt["accepted"], receipt["status"], len(receipt["rejected"])) == (0, 400, 1)
    # What is there can still be changed, and other users are as they were.
    assert _send(tenant, "42", {"a0": "changed"}).status_code == 200
    assert _attributes(tenant, "42")["a0"] == "changed"


def test_a_value_that_makes_the_whole_too_large_is_rejected(tenant: Tenant) -> None:
    """Bytes, not characters: 50 characters of a name and 128 of a value may have four each."""
    wide = "\U0001f600"
    stored = 0
    for number in range(LIMIT):
        name, value = f"{number:03}" + wide * 47, wide * 128
        stored += len((name + value).encode())
        answer = _send(tenant, "42", {name: value})
        if stored > LIMIT_BYTES:
            break
        assert answer.status_code == 200
    assert answer.status_code == 400
    assert f"of {stored} bytes" in answer.json()["msg"]
    assert _send(tenant, "42", {f"000{wide * 47}": wide * 128}).status_code == 200
    assert _send(tenant, "42", {f"000{wide * 47}": ""}).status_code == 200


def test_the_limit_is_exact_under_parallel_senders(tenant: Tenant) -> None:
    """A new attribute from each of many, over all nodes: as many as there is room for."""
    _fill(tenant, "42", LIMIT - 10)
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(lambda i: _send(tenant, "42", {f"b{i}": "x"}), range(40)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] * 10 + [400] * 30
    found = _attributes(tenant, "42")
    assert len(found) == LIMIT
    accepted = {f"b{i}" for i, status in enumerate(statuses) if status == 200}
    assert accepted == {name for name in found if name.startswith("b")}


def test_a_new_user_from_parallel_senders_has_no_more(tenant: Tenant) -> None:
    """Without a row that could be locked."""
    tables = [{f"t{number}-{i}": "x" for i in range(49)} for number in range(24)]
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(lambda table: _send(tenant, "new", table), tables))
    assert {200, 400} == {answer.status_code for answer in answers}
    accepted = [
        name
        for table, answer in zip(tables, answers, strict=True)
        for name in table
        if answer.status_code == 200
    ]
    assert sorted(accepted) == sorted(_attributes(tenant, "new"))
    assert len(accepted) == 49 * 10


def test_rows_of_one_table_count_together(tenant: Tenant) -> None:
    """The later rows of a user meet what the earlier ones have brought."""
    _fill(tenant, "42", LIMIT - 1)
    same = tenant.profiles(["user_id", "new"], ["42", "1"], ["42", "2"])
    assert same.status_code == 200
    assert _send(tenant, "42", {"newer": "1"}).status_code == 400


def test_a_user_with_more_from_before_keeps_them(tenant: Tenant) -> None:
    """And can change them; only new ones are rejected."""
    many = {f"old{i}": "v" for i in range(LIMIT + 100)}
    _older(tenant, "42", many)
    assert len(_attributes(tenant, "42")) == LIMIT + 100
    assert _send(tenant, "42", {"old0": "changed", "old599": "changed"}).status_code == 200
    assert _send(tenant, "42", {"one-more": "v"}).status_code == 400
    assert _attributes(tenant, "42") == many | {"old0": "changed", "old599": "changed"}


def _older(tenant: Tenant, user_id: str, values: dict[str, str]) -> None:
    """Store attributes as a version without the limit did: straight into the row."""
    record = Attributes(user_id, ("first",), ["x"])
    tenant.store.commit([Entry(tenant.project, "r", 1, (record,))])
    engine = tenant.store.engine  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(
            update(t.users)
            .filter_by(project_id=tenant.project, user_id=user_id)
            .values(names=None, attributes=msgspec.json.encode(values))
        )


def test_writers_at_the_limit_do_not_slow_others(tenant: Tenant) -> None:
    """Four of them on one user, all rejected, beside one who syncs others."""

    def honest(number: int) -> None:
        answer = _send(tenant, f"user-{number}", {"plan": "pro"})
        assert answer.status_code == 200

    _fill(tenant, "42", LIMIT, "v" * 100)
    honest(0)
    started = time.perf_counter()
    for number in range(100):
        honest(number)
    alone = time.perf_counter() - started
    stop = False

    def attack(writer: int) -> int:
        count = 0
        while not stop:
            assert _send(tenant, "42", {f"more-{writer}-{count}": "v"}).status_code == 400
            count += 1
        return count

    with ThreadPoolExecutor(4) as attackers:
        attacks = [attackers.submit(attack, writer) for writer in range(4)]
        try:
            started = time.perf_counter()
            for number in range(100):
                honest(number)
            beside = time.perf_counter() - started
        finally:
            stop = True
        assert all(one.result() > 0 for one in attacks)
    # Five senders share what one had: a fair share, with room for a busy machine.
    assert beside < 20 * alone + 2
