"""Indexes have what queries need, within their memory; what does not fit is read for each query."""

import weakref
from time import monotonic

import pytest

from uptake.model.items import Attributes
from uptake.reading.segments import filters as f
from uptake.reading.segments import user_index as module
from uptake.reading.segments.blocks import Block
from uptake.reading.segments.user_index import UserIndex
from uptake.store.sql_store import SqlStore
from uptake.testing.store.making import entry

from .indexes import many, now, read, users_of


def test_users_over_the_memory_limit_do_not_stay_in_memory(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read part by part for each query, and what was read before is released."""
    monkeypatch.setattr(module, "BLOCK", 1000)
    monkeypatch.setattr(module, "PAGE", 500)
    store.commit([many(20_000)])
    (part, *_) = read(UserIndex(store, "default"))
    memory = 4 * part.size
    index = UserIndex(store, "default")
    alive: list[weakref.ref[Block]] = []
    for _ in range(2):
        users, most = 0, 0
        for one in index.parts(f.ALL_FIELDS, monotonic() + 60, memory):
            alive.append(weakref.ref(one.block))
            users += one.count
            most = max(most, sum(_size(ref()) for ref in alive))
        del one
        assert (users, index.size) == (20_000, 0)
        assert most < memory + 3 * part.size
        assert not any(ref() for ref in alive)
    # Ids and fewer attributes fit.
    assert sum(one.count for one in read(index, f.Fields(), 20 * part.size)) == 20_000
    assert 0 < index.size < 20 * part.size


def _size(block: Block | None) -> int:
    return 0 if block is None else block.size


def test_users_that_outgrow_the_memory_are_still_found(store: SqlStore) -> None:
    """When changes are applied."""
    store.commit([many(1000)])
    index = UserIndex(store, "default")
    now(index)
    memory = index.size + 1000
    store.commit([many(200, first=1000, v="a long text " * 9)])
    assert len(users_of(read(index, memory=memory))) == 1200
    assert index.size == 0
    assert len(users_of(read(index, memory=memory))) == 1200


def test_only_the_attributes_of_queries_are_in_memory(store: SqlStore) -> None:
    """Those of the first one that names any, and all when another one is named."""
    store.commit([many(1000, a="x" * 50, b="y", c="z")])
    index = UserIndex(store, "default")
    for names, expected in (("", ""), ("b", "b"), ("a", "abcn"), ("b", "abcn"), ("x", "abcn")):
        state = read(index, f.Fields(frozenset(names)))
        assert {name for part in state for name in part.block.columns} == set(expected)
        assert all(bool(part.block.seen) == (len(expected) > 1) for part in state)
    store.commit([many(3, a="new", b="y")])
    found = users_of(read(index, f.Fields(frozenset("b"))))
    assert found["user 000001"] == {"a": "new", "b": "y", "c": "z", "n": "1"}


def test_attributes_that_fit_one_by_one_are_in_memory_one_by_one(store: SqlStore) -> None:
    """The next query about the other one drops the first, after all, and both, did not fit."""
    store.commit([many(1000, a="x" * 50), many(1000, b="y" * 50)])
    index = UserIndex(store, "default")
    a, b = f.Fields(frozenset("a")), f.Fields(frozenset("b"))
    memory = len(read(index, a)) and index.size
    loaded = []
    for fields in (a, b, b, a, a, b, a):
        assert len(users_of(read(index, fields, memory))) == 1000
        loaded.append({name for part in index._parts for name in part.block.columns})
    assert loaded == [{"a"}, set(), {"b"}, set(), {"a"}, {"b"}, {"a"}]


def test_few_names_of_attributes_that_do_not_exist_are_remembered(store: SqlStore) -> None:
    """Where not all attributes fit."""
    store.commit([many(1000, a="x" * 50)])
    index = UserIndex(store, "default")
    memory = len(read(index, f.Fields(frozenset("x")))) and index.size + 500
    for number in range(4):
        names = frozenset(f"{number} {i}" for i in range(module.MAX_NAMES - 100))
        assert len(users_of(read(index, f.Fields(names), memory))) == 1000
        assert len(index._fields.names or ()) <= module.MAX_NAMES


def test_a_user_takes_about_eighty_bytes(store: SqlStore) -> None:
    """With ten attributes, two of them different for every user, as documented."""
    names = tuple(f"attribute {i}" for i in range(10))
    users = [
        Attributes(f"user-{i:07d}", names, [f"{i}@example.com", f"{i}", *("x", "y") * 4])
        for i in range(20_000)
    ]
    store.commit([entry(*users)])
    index = UserIndex(store, "default")
    now(index)
    assert 60 < index.size / 20_000 < 90
