"""What was exported can be sent again, and gives the same samples, profiles and documents."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from uptake.blobs import Blobs
from uptake.cli import run
from uptake.exports import Kind
from uptake.exports.forms import FormName
from uptake.model.items import Attributes
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.store.records import DocumentRecord
from uptake.testing.live import LiveServer
from uptake.testing.store.making import unique
from uptake.wiring import open_store

from .opening import Rows, export, rows
from .project import FORMULAS, SAMPLES, batch, commit, sample


class Copy(NamedTuple):
    """A project on the live server that others are sent to, and a key of it."""

    store: Store
    project: str
    key: str


@pytest.fixture
def copy(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copy]:
    """An empty project."""
    project = unique("copy")
    live.command("projects", "create", project)
    live.create_type("mood", project)
    key = live.create_key(project=project)
    monkeypatch.setenv("UPTAKE_KEY", key)
    with closing(open_store(Settings(data_dir=live.data_dir))) as store:
        yield Copy(store, project, key)


def send(live: LiveServer, kind: Kind, path: Path, *options: str) -> None:
    """Have a file sent, all of it."""
    ledger = str(path.with_suffix(".ledger"))
    arguments = ["send", kind, str(path), "--to", live.url, "--ledger", ledger, *options]
    assert run(arguments) == 0


def written(store: Store, blobs: Blobs, kind: Kind, form: FormName, folder: Path) -> Path:
    """An export as a file."""
    path = folder / f"{kind}.{form}"
    path.write_bytes(export(store, blobs, kind, form)[0])
    return path


def sound(store: Store, form: FormName) -> None:
    """Store valid samples, at least three for each user, in every unit and time format."""
    some = [
        sample._replace(value=min(sample.value, 300.0), end=None if i == 2 else sample.end)
        for i, sample in enumerate(SAMPLES)
    ]
    if form == "csv":
        # In CSV, an empty cell is a missing value, quoted or not.
        some = [sample._replace(version=sample.version or None) for sample in some]
    commit(
        store, batch("anna", some), batch('\u00e5sa, "x"', [*some, sample("2025-06-01T00:00:00Z")])
    )
    beats = [
        sample(f"2025-01-01T00:0{i}:00.5+05:45", 60 + i / 8, unit="count/min") for i in range(5)
    ]
    commit(store, batch("anna", beats, "bpm"))


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_exported_samples_can_be_sent_again(  # noqa: PLR0917 - fixtures
    live: LiveServer, copy: Copy, empty: Store, blobs: Blobs, tmp_path: Path, form: FormName
) -> None:
    """They are equal to the last digit and offset."""
    sound(empty, form)
    send(live, "samples", written(empty, blobs, "samples", form, tmp_path))
    expected = rows(empty, blobs, "samples")
    assert len(expected) == 14
    assert rows(copy.store, blobs, "samples", project=copy.project) == expected


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_exported_profiles_can_be_sent_again(  # noqa: PLR0917 - fixtures
    live: LiveServer, copy: Copy, empty: Store, blobs: Blobs, tmp_path: Path, form: FormName
) -> None:
    """Missing, empty and `null` attributes stay different."""
    names = tuple(f"n{i}" for i in range(len(FORMULAS)))
    commit(empty, Attributes("anna", names, list(FORMULAS)))
    commit(empty, Attributes("bert", ("n0", "=x"), ["null", ""]))
    commit(empty, Attributes("carl", ("n1",), ["NaN"]))
    send(live, "profiles", written(empty, blobs, "profiles", form, tmp_path))
    expected = rows(empty, blobs, "profiles")
    assert rows(copy.store, blobs, "profiles", project=copy.project) == expected


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_attributes_of_any_name_can_be_sent_again(  # noqa: PLR0917 - fixtures
    live: LiveServer, copy: Copy, empty: Store, blobs: Blobs, tmp_path: Path, form: FormName
) -> None:
    """Names and values with spaces, delimiters, quotes, dots and line breaks."""
    names = (" n ", "a;b;c", "d,e", 'f"g', "h\ti", "j\nk", "l", "l.m", "|", "=n")
    commit(empty, Attributes("dora", names, [f"{name}{name}" for name in names]))
    commit(empty, Attributes("emil", names[:2], ["", " "]))
    send(live, "profiles", written(empty, blobs, "profiles", form, tmp_path))
    expected = rows(empty, blobs, "profiles")
    assert rows(copy.store, blobs, "profiles", project=copy.project) == expected


def test_exported_documents_can_be_sent_again(
    live: LiveServer, copy: Copy, empty: Store, blobs: Blobs, tmp_path: Path
) -> None:
    """With new upload ids."""
    for number in range(3):
        data = b'{"n": %d,\n "text": "\\u00fc \xc3\xbc"}' % number
        commit(empty, DocumentRecord(f"u{number}", f"d{number}", "mood", data))
    path = written(empty, blobs, "documents", "ndjson", tmp_path)
    send(live, "documents", path, "--type", "mood")
    expected = rows(empty, blobs, "documents")
    found = rows(copy.store, blobs, "documents", project=copy.project)
    assert [_said(found), len(found)] == [_said(expected), 3]


def _said(found: Rows) -> list[tuple[Any, ...]]:
    return [(row["user_id"], row["type"], row["data"]) for row in found]
