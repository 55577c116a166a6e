"""An export goes on from where an earlier one ended."""

import pytest

from uptake.blobs import Blobs
from uptake.exports import KINDS, Kind
from uptake.model.items import Attributes
from uptake.reading import BadCursor, to_cursor
from uptake.store.base import Store
from uptake.store.records import DocumentRecord
from uptake.testing.store.making import NOON

from .opening import export, rows
from .project import batch, commit, rejection, sample

KEYS = {
    "samples": "value",
    "rollups": "sum",
    "profiles": "user_id",
    "documents": "upload_id",
    "rejections": "rejection_id",
    "users": "user_id",
}


def more(store: Store, number: int, at: int = NOON) -> None:
    """Something of every kind, of a user of its own."""
    name = f"u{number}"
    commit(
        store,
        batch(name, [sample("2025-01-01T00:00:00Z", number + 1)]),
        DocumentRecord(name, f"doc-{number}", "mood", b"{}"),
        Attributes(name, ("a",), [str(number)]),
        at=at,
        rejections=(rejection(f"r-{number}", b"{}", user_id=name),),
    )


def names(kind: Kind, *numbers: int) -> list[object]:
    """What identifies these in an export."""
    forms = {"samples": "{:d}", "rollups": "{:d}", "documents": "doc-{}", "rejections": "r-{}"}
    texts = [forms.get(kind, "u{}").format(number) for number in numbers]
    return [int(text) + 1 for text in texts] if kind in {"samples", "rollups"} else list(texts)


@pytest.mark.parametrize("kind", KINDS)
def test_increments_contain_every_change_once(empty: Store, blobs: Blobs, kind: Kind) -> None:
    """Even data with a `received_at` before the first export."""
    rows_of, cursor = [], None
    for number in range(3):
        more(empty, number, NOON - number)
        content, cursor = export(empty, blobs, kind, since=cursor)
        rows_of.append(content)
        assert rows(empty, blobs, kind, since=cursor) == []
    for number, content in enumerate(rows_of):
        assert content.count(b"\n") == 1
        assert rows(empty, blobs, kind)[number][KEYS[kind]] == names(kind, number)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cursor_works_for_every_kind_and_selection(
    empty: Store, blobs: Blobs, kind: Kind
) -> None:
    """It identifies a moment, not a query."""
    more(empty, 0)
    _, cursor = export(empty, blobs, "users", "csv", users=lambda: ["u9"])
    more(empty, 1)
    more(empty, 2)
    found = rows(empty, blobs, kind, since=cursor, users=lambda: ["u0", "u2"])
    assert [row[KEYS[kind]] for row in found] == names(kind, 2)


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("x", "did not issue"),
        ("gQA", "did not issue"),
        (to_cursor("b"), "did not issue"),
        (to_cursor({64: 1}), "did not issue"),
        (to_cursor({0: -1}), "did not issue"),
        (to_cursor({0: 2}), "newer than the database"),
        (to_cursor({1: 1}), "newer than the database"),
    ],
)
def test_a_cursor_of_another_server_is_rejected(
    empty: Store, blobs: Blobs, cursor: str, reason: str
) -> None:
    """Before any row is exported, so that no data is missed silently."""
    more(empty, 0)
    with pytest.raises(BadCursor, match=reason):
        export(empty, blobs, "samples", since=cursor)


def test_the_cursor_of_an_empty_project_selects_everything(empty: Store, blobs: Blobs) -> None:
    """An increment after it contains all later data."""
    _, cursor = export(empty, blobs, "samples")
    more(empty, 0)
    assert len(rows(empty, blobs, "samples", since=cursor)) == 1
