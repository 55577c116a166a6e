"""Profiles in CSV, NDJSON and Parquet files."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from uptake.uploader.sources import ProfileRow, UnknownSource, Unreadable, opening

from .found import items


def read(path: Path, **options: Any) -> list[ProfileRow | Unreadable]:
    """The items of a file, without skipped ones."""
    return items(opening.profiles(path, **options))


def test_every_column_of_csv_is_an_attribute(tmp_path: Path) -> None:
    """An empty cell is missing, a quoted empty cell is the empty value."""
    path = tmp_path / "profiles.csv"
    path.write_text('plan,user_id,city,age\npro,ada,Lyon,34\n,ben,"",\n\nfree,7,"Den Haag",5\n')
    assert read(path) == [
        ProfileRow("ada", {"plan": "pro", "city": "Lyon", "age": "34"}, str(path), 2),
        ProfileRow("ben", {"city": ""}, str(path), 3),
        ProfileRow("7", {"plan": "free", "city": "Den Haag", "age": "5"}, str(path), 5),
    ]


def test_every_member_of_ndjson_is_an_attribute(tmp_path: Path) -> None:
    """Numbers and booleans are unchanged, null is missing, `refused` is not an attribute."""
    path = tmp_path / "profiles.ndjson"
    lines = [
        {"user_id": "ada", "plan": "pro", "age": 34, "height": 1.78, "news": True, "city": None},
        {"user_id": 7, "city": "", "refused": [{"code": "too_long"}]},
        {"refused": [{"code": "too_long"}]},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    attributes: dict[str, str | int | float | bool]
    attributes = {"plan": "pro", "age": 34, "height": 1.78, "news": True}
    assert read(path) == [
        ProfileRow("ada", attributes, str(path), 1),
        ProfileRow("7", {"city": ""}, str(path), 2),
    ]


def test_every_column_of_parquet_is_an_attribute(tmp_path: Path) -> None:
    """Null and NaN are missing; times and decimals become text."""
    path = tmp_path / "profiles.parquet"
    columns = {
        "user_id": pa.array([1, 2], pa.int64()),
        "plan": pa.array(["pro", None]).dictionary_encode(),
        "age": pa.array([34, None], pa.int32()),
        "height": pa.array([1.78, float("nan")]),
        "news": pa.array([True, None]),
        "born": pa.array([date(1990, 1, 2), None]),
        "seen": pa.array([datetime(2024, 3, 5, tzinfo=UTC), None], pa.timestamp("ms", "UTC")),
        "debt": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
        "city": pa.array(["", "Lyon"]),
    }
    pq.write_table(pa.table(columns), path)
    attributes: dict[str, str | int | float | bool]
    attributes = {"plan": "pro", "age": 34, "height": 1.78, "news": True, "born": "1990-01-02"}
    attributes |= {"seen": "2024-03-05T00:00:00Z", "debt": "1.50", "city": ""}
    assert read(path) == [
        ProfileRow("1", attributes, str(path), 1),
        ProfileRow("2", {"city": "Lyon"}, str(path), 2),
    ]


def test_rows_that_cannot_be_read_do_not_stop_the_rest(tmp_path: Path) -> None:
    """Each is reported with its line."""
    path = tmp_path / "profiles.ndjson"
    faulty = [
        ("{", "is not complete JSON"),
        ('{"plan": "pro"}', "lacks user_id; name a default user with --user"),
        ('{"user_id": true}', "the user_id True is neither text nor a whole number"),
        ('{"user_id": 1.5}', "the user_id 1.5 is neither text nor a whole number"),
        (
            '{"user_id": "ada", "tags": ["a"]}',
            "the member 'tags' is neither text nor a number, true or false",
        ),
    ]
    path.write_text("\n".join([text for text, _ in faulty] + ['{"user_id": "ada"}']))
    expected = [Unreadable(str(path), i, reason) for i, (_, reason) in enumerate(faulty, 1)]
    assert read(path) == [*expected, ProfileRow("ada", {}, str(path), 6)]
    path = path.with_suffix(".csv")
    path.write_text("user_id,plan\n,pro\nada\nben,free\n")
    assert sorted(read(path), key=lambda found: found.line) == [
        Unreadable(str(path), 2, "lacks user_id; name a default user with --user"),
        Unreadable(str(path), 3, "has 1 cells where the header has 2"),
        ProfileRow("ben", {"plan": "free"}, str(path), 4),
    ]


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_columns_can_be_mapped_and_the_user_given(tmp_path: Path, kind: str) -> None:
    """Attributes then have the names that are sent."""
    path = tmp_path / f"profiles.{kind}"
    columns = {"nr": ["4"], "Tarif": ["pro"], "ort": ["Graz"]}
    if kind == "csv":
        path.write_text("nr,Tarif,ort\n4,pro,Graz\n")
    elif kind == "ndjson":
        path.write_text(json.dumps({name: values[0] for name, values in columns.items()}))
    else:
        pq.write_table(pa.table(columns), path)
    [row] = read(path, columns={"user_id": "nr", "plan": "Tarif"})
    assert isinstance(row, ProfileRow)
    assert (row.user_id, row.attributes) == ("4", {"plan": "pro", "ort": "Graz"})
    [row] = read(path, user="ada")
    assert isinstance(row, ProfileRow)
    assert (row.user_id, row.attributes) == ("ada", {"nr": "4", "Tarif": "pro", "ort": "Graz"})
    with pytest.raises(UnknownSource, match="'alter'; found: nr, Tarif, ort"):
        opening.profiles(path, columns={"user_id": "nr", "age": "alter"})
    if kind != "ndjson":
        with pytest.raises(UnknownSource, match="no column 'user_id'; found: nr, Tarif, ort"):
            opening.profiles(path)


def test_columns_of_nested_types_are_rejected(tmp_path: Path) -> None:
    """The message has name and type."""
    path = tmp_path / "profiles.parquet"
    pq.write_table(pa.table({"user_id": ["ada"], "tags": [["a", "b"]]}), path)
    with pytest.raises(UnknownSource, match=r"column 'tags' is of type list<.*>, not text"):
        opening.profiles(path)
