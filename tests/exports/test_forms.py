"""Every kind in every form holds exactly what was stored, and opens in pyarrow and in DuckDB."""

import io
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from uptake.blobs import Blobs
from uptake.exports import KINDS, Kind
from uptake.exports.forms import FORMS, Compression, FormName
from uptake.store.base import Store

from .opening import Rows, by_arrow, by_csv, by_duckdb, export, parsed, unpacked
from .project import FORMULAS

WATCH = {"user_id": "anna", "metric": "steps", "device_name": "Watch"}
STEPS: dict[str, float | None] = {"sum": 0.0, "min": None, "mean": None, "max": None}
HEART: dict[str, float | None] = {"sum": None, "min": 60.0, "mean": 60.0, "max": 60.0}
"""Figures of a day. A rate without a duration has a sum of 0."""

EXPECTED: dict[str, Rows] = {
    "samples": [
        {
            "user_id": "anna",
            "metric": "bpm",
            "device_name": "Watch",
            "device_version": None,
            "start_date": "2025-01-01T00:00:00Z",
            "end_date": None,
            "value": 60.0,
            "unit": "count",
            "start_utc": "2025-01-01T00:00:00.000000Z",
            "end_utc": None,
        },
        WATCH
        | {
            "device_version": "17.0.3",
            "start_date": "2025-01-01T00:00:00+01:00",
            "end_date": "2025-01-01T00:01:00.5+01:00",
            "value": 12.0,
            "unit": "count",
            "start_utc": "2024-12-31T23:00:00.000000Z",
            "end_utc": "2024-12-31T23:01:00.500000Z",
        },
        WATCH
        | {
            "device_name": "=SUM(A1)",
            "device_version": None,
            "start_date": "2025-01-01T08:00:00Z",
            "end_date": None,
            "value": 0.1,
            "unit": "count/s",
            "start_utc": "2025-01-01T08:00:00.000000Z",
            "end_utc": None,
        },
        WATCH
        | {
            "device_version": "",
            "start_date": "2025-02-28T23:59:59.1234567-05:30",
            "end_date": "2025-03-01T05:30:00Z",
            "value": 5e-324,
            "unit": "count",
            "start_utc": "2025-03-01T05:29:59.123456Z",
            "end_utc": "2025-03-01T05:30:00.000000Z",
        },
        WATCH
        | {
            "device_name": '\u00fc, "q"\n',
            "device_version": None,
            "start_date": "9999-12-31T23:59:59Z",
            "end_date": None,
            "value": 1.7976931348623157e308,
            "unit": "count/min",
            "start_utc": "9999-12-31T23:59:59.000000Z",
            "end_utc": None,
        },
        {
            "user_id": "bert",
            "metric": "steps",
            "device_name": "=SUM(A1)",
            "device_version": None,
            "start_date": "2025-01-01T08:00:00Z",
            "end_date": None,
            "value": 0.1,
            "unit": "count/s",
            "start_utc": "2025-01-01T08:00:00.000000Z",
            "end_utc": None,
        },
    ],
    "rollups": [
        {"user_id": user_id, "metric": metric, "day": day, "count": 1, "zone": "UTC"} | figures
        for user_id, metric, day, figures in (
            ("anna", "bpm", "2025-01-01", HEART),
            ("anna", "steps", "2024-12-31", STEPS | {"sum": 12.0}),
            ("anna", "steps", "2025-01-01", STEPS),
            ("anna", "steps", "2025-03-01", STEPS | {"sum": 5e-324}),
            ("anna", "steps", "9999-12-31", STEPS),
            ("bert", "steps", "2025-01-01", STEPS),
        )
    ],
    "profiles": [
        {"user_id": "anna", "=x": "", **dict.fromkeys([f"n{i}" for i in range(9)]), "n0": "null"},
        {"user_id": "bert", "=x": None, **dict.fromkeys([f"n{i}" for i in range(9)])},
        {"user_id": "carl", "=x": None, **{f"n{i}": text for i, text in enumerate(FORMULAS)}},
    ],
    "users": [
        {
            "user_id": "anna",
            "first_seen": "2023-11-14T22:13:20.000000Z",
            "last_seen": "2023-11-14T22:13:24.000000Z",
        },
        {
            "user_id": "bert",
            "first_seen": "2023-11-14T22:13:21.000000Z",
            "last_seen": "2023-11-14T22:13:25.000000Z",
        },
        {
            "user_id": "carl",
            "first_seen": "2023-11-14T22:13:22.000000Z",
            "last_seen": "2023-11-14T22:13:22.000000Z",
        },
    ],
    "documents": [
        {
            "upload_id": "doc-2",
            "user_id": "anna",
            "type": "mood",
            "version": 1,
            "received_at": "2023-11-14T22:13:24.000000Z",
            "data": '{"a":\n [1, 1e5, "\\u00fc"], "b": "\u00fc"}',
        },
        {
            "upload_id": "doc-1",
            "user_id": "bert",
            "type": "diary/x",
            "version": 1,
            "received_at": "2023-11-14T22:13:25.000000Z",
            "data": "{}",
        },
    ],
    "rejections": [
        {
            "rejection_id": rejection_id,
            "request_id": "",
            "received_at": "2023-11-14T22:13:26.000000Z",
            "format": "gerosense-v2.2",
            "key_id": "key-1",
            "user_id": user_id,
            "index": index,
            "faults": '[{"code":"missing","message":"value is missing","place":["value"]}]',
            "resolved_by": None,
            "item": item,
            "raw_base64": raw,
        }
        for rejection_id, user_id, index, item, raw in (
            ("r-3", None, None, '{"large": true}', None),
            ("r-1", "anna", 2, '{"value":\r\n null}', None),
            ("r-2", "bert", None, None, "/wA="),
        )
    ],
}
CASES = [
    (kind, form, packed) for kind in KINDS for form in FORMS for packed in FORMS[form].compressions
]


def without_request(found: Rows) -> Rows:
    """Rows without request ids, which differ on every run."""
    return [row | {"request_id": ""} if "request_id" in row else row for row in found]


@pytest.mark.parametrize(("kind", "form", "packed"), CASES)
def test_pyarrow_reads_exactly_what_was_stored(
    store: Store, blobs: Blobs, kind: Kind, form: FormName, packed: Compression
) -> None:
    """Each row once and in order, texts and numbers exact, null for missing values."""
    content, _ = export(store, blobs, kind, form, packed)
    if form in {"parquet", "arrow"}:
        assert without_request(by_arrow(content, form)) == EXPECTED[kind]
    elif form == "csv":
        found = without_request(by_csv(unpacked(content, packed)))
        assert [_numbers(row) for row in found] == EXPECTED[kind]
    else:
        found = without_request(parsed(unpacked(content, packed)))
        assert found == [_as_object(kind, row) for row in EXPECTED[kind]]


def test_a_parquet_file_has_statistics_of_its_row_groups(store: Store, blobs: Blobs) -> None:
    """For the columns that queries filter by, so that they skip row groups."""
    content, _ = export(store, blobs, "samples", "parquet")
    group = pq.read_metadata(io.BytesIO(content)).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    ranged = {one.path_in_schema for one in columns if one.is_stats_set}
    assert ranged == {"user_id", "metric", "value", "start_utc", "end_utc"}


@pytest.mark.parametrize(
    ("kind", "form", "packed"), [case for case in CASES if case[1] in {"parquet", "csv"}]
)
def test_duckdb_reads_exactly_what_was_stored(  # noqa: PLR0917 - fixtures
    store: Store, blobs: Blobs, tmp_path: Path, kind: Kind, form: FormName, packed: Compression
) -> None:
    """By the name of the file; CSV needs an option to keep `""` as a text."""
    ending = {"gzip": ".gz", "zstd": ".zst", "none": ""}[packed] if form == "csv" else ""
    path = tmp_path / f"{kind}.{form}{ending}"
    path.write_bytes(export(store, blobs, kind, form, packed)[0])
    read = f"'{path}'"
    if form == "csv":
        read = f"read_csv('{path}', allow_quoted_nulls=false, all_varchar=true)"
    found = without_request(by_duckdb(read))
    assert [_numbers(row) for row in found] == EXPECTED[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_duckdb_reads_ndjson_and_arrow_streams(
    store: Store, blobs: Blobs, tmp_path: Path, kind: Kind
) -> None:
    """NDJSON by the name of the file, Arrow through pyarrow."""
    path = tmp_path / f"{kind}.ndjson.gz"
    path.write_bytes(export(store, blobs, kind, "ndjson", "gzip")[0])
    key = next(iter(EXPECTED[kind][0]))
    lines = by_duckdb(f"'{path}'")
    assert [str(row[key]) for row in lines] == [row[key] for row in EXPECTED[kind]]
    stream = pa.ipc.open_stream(export(store, blobs, kind, "arrow")[0])
    assert without_request(by_duckdb("stream", stream=stream)) == EXPECTED[kind]


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row of texts with the numbers that some of them are."""
    kinds = {"value": float, "index": int, "version": int, "count": int}
    kinds |= dict.fromkeys(("sum", "min", "mean", "max"), float)
    return {
        name: kinds[name](text) if name in kinds and text is not None else text
        for name, text in row.items()
    }


def _as_object(kind: Kind, row: dict[str, Any]) -> dict[str, Any]:
    """A row as in NDJSON: JSON values for JSON text, and no missing attributes."""
    if kind == "profiles":
        return {name: value for name, value in row.items() if value is not None}
    return {
        name: msgspec.json.decode(value)
        if name in {"data", "faults", "item"} and value is not None
        else value
        for name, value in row.items()
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_export_is_a_valid_file(
    empty: Store, blobs: Blobs, kind: Kind, form: FormName
) -> None:
    """With its columns, if the form has any."""
    content, _ = export(empty, blobs, kind, form)
    if form == "ndjson":
        assert content == b""
    elif form == "csv":
        assert content.startswith(b'"user_id"' if kind in {"samples", "users"} else b'"')
        assert content.count(b"\n") == 1
    else:
        assert by_arrow(content, form) == []


def test_ndjson_has_a_line_for_each_row(store: Store, blobs: Blobs) -> None:
    """Even if a value contains line breaks; integers stay integers."""
    documents, _ = export(store, blobs, "documents", "ndjson")
    assert documents.split(b"\n")[0].endswith(
        b'"data":{"a":  [1, 1e5, "\\u00fc"], "b": "\xc3\xbc"}}'
    )
    samples, _ = export(store, blobs, "samples", "ndjson")
    assert samples.split(b"\n")[1] == (
        b'{"user_id":"anna","metric":"steps","device_name":"Watch","device_version":"17.0.3",'
        b'"unit":"count","start_date":"2025-01-01T00:00:00+01:00",'
        b'"end_date":"2025-01-01T00:01:00.5+01:00","value":12,'
        b'"start_utc":"2024-12-31T23:00:00.000000Z","end_utc":"2024-12-31T23:01:00.500000Z"}'
    )


def test_csv_does_not_escape_formulas(store: Store, blobs: Blobs) -> None:
    """So that an export can be sent again unchanged."""
    content, _ = export(store, blobs, "profiles", "csv")
    assert content.decode().startswith(
        '"user_id","=x","n0","n1","n2","n3","n4","n5","n6","n7","n8"\n'
        '"anna","","null",,,,,,,,\n"bert",,,,,,,,,,\n'
        '"carl",,"=1+1","+1","-1","@cmd","""q""","a,b","line\nbreak",'
    )
