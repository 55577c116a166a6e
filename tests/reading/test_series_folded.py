"""What is read of a user does not depend on what of it is folded."""

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.making import SentSample, columns_of, far_samples, samples
from uptake.exports import ExportQuery
from uptake.exports.samples import blocks
from uptake.reading import Page, rollups, sync, users
from uptake.reading import samples as sample_pages
from uptake.reading.rollup_rows import RollupQuery
from uptake.reading.series import SampleQuery, UserData
from uptake.samples import columns
from uptake.store import sqlite
from uptake.store.base import Commits, Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import BatchRecord
from uptake.store.sql_store import SqlStore
from uptake.store.stored import Selection
from uptake.testing.store.making import put, unique
from uptake.testing.store.model import ModelStore

EXAMPLES = 20
"""Each reads dozens of pages."""

PAGE = 3
"""Samples or days of a page: fewer than there are."""

PAGES = 3
"""Pages that are read: a sample may be of any length, and so in millions of buckets."""

uploads = st.lists(
    st.tuples(
        st.sampled_from(["steps", "bpm"]),
        st.lists(samples() | far_samples(), min_size=1, max_size=6),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
"""Metric, samples, and whether everything is folded after them."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A store in which every example has a user of its own."""
    folder: Path = tmp_path_factory.mktemp("folded")
    with closing(sqlite.open_store(folder / "uptake.db")) as opened:
        yield opened


def _send(store: Commits, user_id: str, metric: Any, received: list[SentSample]) -> None:
    made = columns_of(received)
    encoded = columns.to_bytes(made)
    bounds = int(made.start[0]), int(made.start[-1]), len(made)
    digest = columns.digest(encoded)
    put(store, BatchRecord(user_id, metric, digest, *bounds, encoded, len(received)))


def _pages(read: Any, user: UserData, query: Any) -> list[Any]:
    found, cursor = [], None
    for _ in range(PAGES):
        page = read(user, query, Page(cursor, PAGE))
        found.append(page)
        cursor = page.next
        if cursor is None:
            break
    return found


def _reads(store: Store, user_id: str) -> list[Any]:
    """Everything that can be read of the samples of a user."""
    user = UserData(store, DEFAULT_PROJECT, user_id)
    found: list[Any] = [users.profile(user)]
    for metric in ("steps", "bpm"):
        query: Any = SampleQuery(metric)
        found += _pages(sample_pages.page, user, query)
        found += _pages(sync.page, user, query)
        for every in ("day", "month"):
            found += _pages(rollups.page, user, RollupQuery(metric, every))
    export = ExportQuery("samples", DEFAULT_PROJECT)
    with store.snapshot(DEFAULT_PROJECT) as snapshot:
        only = [Selection(users=[user_id])]
        exported = [columns.rows(one.columns) for one in blocks(snapshot, export, only)]
    return [*found, list(chain(*exported))]


@settings(max_examples=EXAMPLES, deadline=None)
@given(uploads)
def test_reads_are_the_same_before_and_after_every_fold(
    store: SqlStore, received: list[tuple[str, list[SentSample], bool]]
) -> None:
    """Profile, pages, rollups, sync state and exports, for any uploads."""
    model: Any = ModelStore()
    user_id = unique("user")
    for metric, sent, folds in received:
        _send(model, user_id, metric, sent)
        _send(store, user_id, metric, sent)
        if folds:
            store.fold(DEFAULT_PROJECT, 1, lambda: False)
    expected = _reads(model, user_id)
    assert _reads(store, user_id) == expected
    store.fold(DEFAULT_PROJECT, 1, lambda: False)
    assert _reads(store, user_id) == expected


def test_a_part_of_a_large_block_is_read(store: SqlStore) -> None:
    """Pages from any sample on, and buckets of any day."""
    model: Any = ModelStore()
    for quarter in range(0, 96 * 5, 2):
        sent = [
            SentSample(
                "iPhone",
                None,
                f"2025-01-0{1 + at // 1440}T{at // 60 % 24:02}:{at % 60:02}:00Z",
                None,
                "count",
                1.0,
            )
            for at in range(15 * quarter, 15 * quarter + 30, 3)
        ]
        for one in (model, store):
            _send(one, "large", "steps", sent)
    assert store.fold(DEFAULT_PROJECT, 32, lambda: False).batches >= 240
    assert len(store.spans(DEFAULT_PROJECT, "large")) == 1
    data = [UserData(one, DEFAULT_PROJECT, "large") for one in (store, model)]
    for start in range(17_356_896_000_000_000, 17_361_216_000_000_000, 432_000_000_000_7):
        query = SampleQuery("steps", start, start + 864_000_000_000)
        folded, plain = (_pages(sample_pages.page, one, query)[:4] for one in data)
        assert folded == plain
    assert _reads(store, "large") == _reads(model, "large")
