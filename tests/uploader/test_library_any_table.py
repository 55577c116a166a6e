"""Any table in any form: every row is stored unchanged or reported."""

import itertools
import json
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake import Uploader
from uptake.testing.live import LiveServer
from uptake.uploader.tally import Summary

from .plain import client
from .sending import held
from .table_forms import KINDS, WAYS, Columns, brought, content

ANY = settings(max_examples=30)
NUMBER = itertools.count(1)
HOSTILE = st.text(st.sampled_from("ab0 ,;\t|\"'\n\r.=é\u202f\ufffdß𝄞\\{}"), max_size=8)
NAMES = st.one_of(
    HOSTILE, st.sampled_from(["user id", " user_id", "a", "a.b", "a;b", "line", "data"])
)
FORMS = st.tuples(st.sampled_from(KINDS), st.sampled_from(WAYS))


DOCUMENT_TYPE = "any-document"


@dataclass(frozen=True)
class Sender:
    """Sends files to the server that all tests share, and reads the stored data."""

    live: LiveServer
    key: str
    folder: Path
    reader: httpx2.Client

    @property
    def uploader(self) -> Uploader:
        """With one ledger for all examples, because their users differ."""
        folder = self.folder
        ledger, rejected = folder / "ledger", folder / "rejected"
        return Uploader(self.live.url, self.key, ledger=ledger, refused_file=rejected)

    def bring(self, form: tuple[str, str], columns: Columns) -> AbstractContextManager[Path]:
        """A file, stream or archive with a table."""
        kind, way = form
        return brought(way, f"t.{kind}", content(kind, columns), self.folder)

    def attributes(self, user: str) -> dict[str, str] | None:
        """The attributes of a user; None for an unknown user."""
        quoted = "".join(f"%{byte:02X}" for byte in user.encode())
        answer = self.reader.get(f"/uptake/v1/users/{quoted}")
        return None if answer.status_code == 404 else answer.raise_for_status().json()["attributes"]

    def documents(self, user: str) -> list[Any]:
        """The documents of a user."""
        query = {"form": "ndjson", "user": user}
        answer = self.reader.get("/uptake/v1/exports/documents", params=query)
        if answer.status_code == 404:
            return []
        lines = answer.raise_for_status().content.split(b"\n")
        return [json.loads(line)["data"] for line in lines if line]


@pytest.fixture(scope="module")
def sender(
    live: LiveServer, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sender]:
    """Sends tables to the live server."""
    live.create_type(DOCUMENT_TYPE)
    with client(live.url, {"Authorization": f"Bearer {key}"}) as reader:
        yield Sender(live, key, tmp_path_factory.mktemp("tables"), reader)


def assert_adds_up(summary: Summary, read: int) -> None:
    """Every item has exactly one outcome."""
    assert summary.read == read
    assert summary.read == (
        summary.acknowledged + summary.refused + summary.unreadable + summary.skipped
    )
    assert (summary.waiting, summary.left, summary.stopped) == (0, 0, "")


@st.composite
def profiles(draw: st.DrawFn) -> tuple[Columns, dict[str, dict[str, str]]]:
    """A table of profiles, and the valid ones."""
    names = draw(st.lists(NAMES.filter(lambda name: name != "user_id"), max_size=4, unique=True))
    names = [name for name in names if name] + ["x" * draw(st.sampled_from([1, 1, 1, 51]))]
    count = draw(st.integers(1, 4))
    first = next(NUMBER)
    users = [f"p{os.getpid()}-{first}-{i}{draw(HOSTILE)}" for i in range(count)]
    values = st.one_of(st.none(), HOSTILE, st.just("v" * 129))
    columns: Columns = {name: [draw(values) for _ in users] for name in dict.fromkeys(names)}
    place = draw(st.integers(0, len(columns)))
    ordered = list(columns.items())
    ordered.insert(place, ("user_id", users))
    stored = {}
    for row, user in enumerate(users):
        attributes = {
            name: column[row] for name, column in columns.items() if column[row] is not None
        }
        if all(len(name) <= 50 and len(value) <= 128 for name, value in attributes.items()):
            stored[user] = attributes
    return dict(ordered), stored


@ANY
@given(profiles(), FORMS)
def test_profiles(
    sender: Sender, table: tuple[Columns, dict[str, dict[str, str]]], form: tuple[str, str]
) -> None:
    """Names and values with delimiters, quotes, spaces and line ends are stored unchanged."""
    columns, stored = table
    with sender.bring(form, columns) as path:
        summary = sender.uploader.send_profiles(path)
    assert_adds_up(summary, len(columns["user_id"]))
    assert summary.acknowledged == len(stored)
    assert {
        user: found
        for user in columns["user_id"]
        if (found := sender.attributes(user)) is not None and user in stored
    } == stored


VALUES = st.one_of(
    st.integers(1, 30_000).map(float),
    st.integers(1, 3_000_000).map(lambda value: value / 100),
    st.sampled_from([0.0, -0.0, -1.0, 30_001.0, math.nan, math.inf]),
)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Columns, dict[str, list[tuple[str, str, float]]]]:
    """A table of samples of two users, and the valid ones."""
    first = next(NUMBER)
    users = [f"s{os.getpid()}-{first}-{i}" for i in range(2)]
    count = draw(st.integers(4, 12))
    names = st.one_of(HOSTILE.filter(str.strip), st.sampled_from(["iPhone", "Watch"]))
    columns: Columns = {
        "user_id": [users[i % 2] for i in range(count)],
        "metric": ["steps"] * count,
        "device_name": [draw(names) for _ in range(count)],
        "start_date": [f"2026-01-31T08:{i:02d}:00+01:00" for i in range(count)],
        "value": [draw(VALUES) for _ in range(count)],
        "unit": ["count"] * count,
    }
    # A request needs three samples: three of each user are valid.
    for place in range(6):
        if place < count:
            columns["value"][place] = float(place + 1)
    for name, filler in (("user_id", None), ("metric", "steps"), ("unit", "count")):
        column = columns[name]
        column += [column[place % 2] if filler is None else filler for place in range(2)]
    columns["device_name"] += ["filler"] * 2
    columns["start_date"] += ["2026-01-31T09:00:00+01:00"] * 2
    columns["value"] += [1.0, 2.0]
    stored: dict[str, list[tuple[str, str, float]]] = {user: [] for user in users}
    for user, device, start, value in zip(
        *(columns[name] for name in ("user_id", "device_name", "start_date", "value")), strict=True
    ):
        if 0 < value <= 30_000:
            stored[user].append((device, start, value))
    return columns, stored


@ANY
@given(samples(), FORMS)
def test_samples(
    sender: Sender,
    table: tuple[Columns, dict[str, list[tuple[str, str, float]]]],
    form: tuple[str, str],
) -> None:
    """Each is stored unchanged, or rejected, or unreadable, or has 0 steps."""
    columns, stored = table
    with sender.bring(form, columns) as path:
        summary = sender.uploader.send_samples(path)
    values = columns["value"]
    assert_adds_up(summary, len(values))
    assert summary.skipped_for == ({"0 steps": values.count(0)} if values.count(0) else {})
    assert summary.unreadable == sum(not math.isfinite(value) for value in values)
    for user, expected in stored.items():
        found = [
            (one["device_name"], one["start_date"], one["value"])
            for one in held(sender.live.url, sender.key, user)
        ]
        assert sorted(found) == sorted(expected)


IDS = st.one_of(
    st.integers(0, 5),
    st.sampled_from([0.5, math.nan, math.inf, -math.inf, 2.0**53, 1.8e19, 2.0**53 - 1]),
)


@ANY
@given(st.lists(IDS, min_size=1, max_size=5), st.sampled_from(KINDS[1:]), st.sampled_from(WAYS))
def test_user_ids_that_are_doubles(sender: Sender, ids: list[float], kind: str, way: str) -> None:
    """A double that is an exact integer is a user id; any other is unreadable."""
    first = next(NUMBER) * 1000 + os.getpid() * 1_000_000
    users = [float(one + first) if one in range(6) else float(one) for one in ids]
    columns: Columns = {"user_id": users, f"n{first}": [f"v{i}" for i in range(len(users))]}
    with sender.bring((kind, way), columns) as path:
        summary = sender.uploader.send_profiles(path)
    exact = [math.isfinite(user) and user.is_integer() and abs(user) < 2**53 for user in users]
    assert (summary.read, summary.unreadable) == (len(users), exact.count(False))
    stored = {str(int(user)): f"v{i}" for i, user in enumerate(users) if exact[i]}
    for user, value in stored.items():
        assert (sender.attributes(user) or {})[f"n{first}"] == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=6,
)
NOT_JSON = st.sampled_from([{"a": math.nan}, {"a": [math.inf]}, {"a": {"b": -math.inf}}])


@ANY
@given(
    st.lists(st.dictionaries(HOSTILE, JSON, max_size=3) | NOT_JSON, min_size=1, max_size=5),
    st.sampled_from(WAYS),
)
def test_documents(sender: Sender, documents: list[dict[str, Any]], way: str) -> None:
    """Each is stored unchanged, or it is not JSON and is reported."""
    user = f"d{os.getpid()}-{next(NUMBER)}"
    columns: Columns = {
        "user_id": [f"{user}-{i}" for i in range(len(documents))],
        "data": list(documents),
    }
    with sender.bring(("ndjson", way), columns) as path:
        summary = sender.uploader.send_documents(DOCUMENT_TYPE, path)
    assert_adds_up(summary, len(documents))
    sound = [_is_json(one) for one in documents]
    assert (summary.acknowledged, summary.unreadable) == (sound.count(True), sound.count(False))
    for name, data, good in zip(columns["user_id"], documents, sound, strict=True):
        assert sender.documents(name) == ([data] if good else [])


def _is_json(document: Any) -> bool:
    try:
        json.dumps(document, allow_nan=False)
    except ValueError:
        return False
    return True
