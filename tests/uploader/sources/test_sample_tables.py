"""Samples in CSV and Parquet files."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import (
    FileOptions,
    Progress,
    UnknownSource,
    Unreadable,
    csv_tables,
    opening,
    streams,
)
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import FileInput

from .found import read_samples, steps, types_of

OPEN_QUOTE = "a quote is not closed, or the row is far too long"
HEADER = "user_id,metric,device_name,start_date,value,unit\n"
ROW = "ada,steps,iPhone,2024-03-05T07:08:09+01:00,12,count\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The path of the CSV file of a test."""
    return tmp_path / "samples.csv"


def parquet(folder: Path, **differing: Any) -> Path:
    """A Parquet file with three samples; columns that are `...` are omitted."""
    columns: dict[str, Any] = {
        "user_id": ["ada"] * 3,
        "metric": ["steps"] * 3,
        "device_name": ["iPhone"] * 3,
        "start_date": ["2024-03-05T07:08:09+01:00"] * 3,
        "value": [12.0] * 3,
        "unit": ["count"] * 3,
    } | differing
    path = folder / "samples.parquet"
    pq.write_table(
        pa.table({name: column for name, column in columns.items() if column is not ...}), path
    )
    return path


def test_every_row_of_csv_is_a_sample(table: Path) -> None:
    """Columns in any order, some missing, others ignored; an empty cell is missing."""
    table.write_text(
        "mood,unit,value,start_date,device_name,device_version,metric,user_id,end_date\n"
        "calm,count,12,2024-03-05T07:08:09+01:00,iPhone,17.3,steps,ada,2024-03-05\n"
        'calm,count,1.2e1,2024-03-05T07:08:09+01:00,"iPhone","",steps,ada,\n'
    )
    optional = {"device_version": "17.3", "end_date": "2024-03-05"}
    assert read_samples(table) == ([steps(2, **optional), steps(3)], [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_in_the_header(table: Path, delimiter: str) -> None:
    """Tools write different ones."""
    table.write_text((HEADER + ROW).replace(",", delimiter))
    assert read_samples(table) == ([steps(2)], [])


def test_quoted_cells_may_have_line_ends(table: Path) -> None:
    """The reported line is the first line of the row."""
    quoted = ROW.replace("iPhone", '"i\n""Phone"",\r\n"')
    table.write_text(HEADER + quoted + ROW + "ada\n" + ROW, newline="")
    rows, unreadable = read_samples(table)
    assert rows == [steps(2, device_name='i\n"Phone",\r\n'), steps(5), steps(7)]
    assert unreadable == [(6, "has 1 cells where the header has 6")]


def test_rows_of_csv_that_cannot_be_read_do_not_stop_the_rest(table: Path) -> None:
    """Each is reported with its line; blank lines are ignored."""
    faulty = [
        "ada,steps,iPhone,2024-03-05T07:08:09+01:00,twelve,count",
        "",
        "ada,steps,,2024-03-05T07:08:09+01:00,12,count",
        "ada,steps,iPhone,2024-03-05T07:08:09+01:00,12",
        ",,,,,",
        "ada,sleep,iPhone,2024-03-05T07:08:09+01:00,12,count",
        'ada,steps,iPhone,2024-03-05T07:08:09+01:00,"1,5",count',
    ]
    table.write_text(HEADER + ROW + "\n".join(faulty) + "\n" + ROW)
    rows, unreadable = read_samples(table)
    assert rows == [steps(2), steps(10)]
    assert sorted(unreadable) == [
        (3, "the value 'twelve' is not a number"),
        (5, "lacks device_name"),
        (6, "has 5 cells where the header has 6"),
        (8, "the metric 'sleep' is none of steps, bpm"),
        (9, "the value '1,5' is not a number; the decimal separator is a point"),
    ]


def test_a_quote_that_is_not_closed_is_reported(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The following rows are read, also if the quoted cell exceeds the longest row."""
    open_ = ROW.replace("iPhone", '"iPhone')
    expected = ([steps(2), *map(steps, range(4, 14))], [(3, OPEN_QUOTE)])
    table.write_text(HEADER + ROW + open_ + ROW * 10)
    assert read_samples(table) == expected
    monkeypatch.setattr(csv_tables, "BLOCK_BYTES", 100)
    monkeypatch.setattr(csv_tables, "MAX_LINE_BYTES", 200)
    assert read_samples(table) == expected


def test_a_quote_that_is_closed_too_late_is_reported(table: Path) -> None:
    """The rows up to the closing quote are one row."""
    table.write_text(HEADER + ROW + ROW.replace("iPhone", '"iPhone') + ROW.replace(",", '",') + ROW)
    reason = "has 8 cells where the header has 6"
    assert read_samples(table) == ([steps(2), steps(5)], [(3, reason)])


def test_bytes_of_csv_that_are_not_utf_8_are_reported(table: Path) -> None:
    """Only for their row, also if it has too few cells."""
    row = ROW.encode()
    table.write_bytes(
        HEADER.encode() + row + row.replace(b"iPhone", b"i\xfcPhone") + b"\xfc\n"
        + row.replace(b"iPhone", "iPhoné".encode())
    )  # fmt: skip
    rows, unreadable = read_samples(table)
    assert rows == [steps(2), steps(5, device_name="iPhoné")]
    hint = "is not UTF-8; name the encoding of the file with --encoding, e.g. cp1252"
    assert sorted(unreadable) == [(3, hint), (4, "has 1 cells where the header has 6")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "shift_jis", "utf-8-sig"])
def test_the_encoding_of_csv_can_be_named(
    table: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of columns and cells are read as they were written, wherever the file is cut."""
    device = "ウォッチ" if encoding == "shift_jis" else "iPhoné"
    rows = [ROW.replace("iPhone", device), ROW]
    table.write_bytes((HEADER + "".join(rows)).encode(encoding))
    expected: tuple[list[dict[str, Any]], list[tuple[int, str]]] = (
        [steps(2, device_name=device), steps(3)],
        [],
    )
    assert read_samples(table, encoding=encoding) == expected
    monkeypatch.setattr(streams, "BLOCK_BYTES", 7)
    assert read_samples(table, encoding=encoding) == expected


def test_a_named_encoding_that_does_not_fit_is_reported(table: Path) -> None:
    """Row by row where the others can be read, else for the file."""
    table.write_bytes((HEADER + ROW + ROW.replace("iPhone", "iPhoné")).encode("latin-1"))
    assert read_samples(table, encoding="ascii") == ([steps(2)], [(3, "is not ascii")])
    table.write_bytes(HEADER.replace("value", "välue").encode("latin-1"))
    with pytest.raises(UnknownSource, match="the header is not ascii"):
        read_samples(table, encoding="ascii")
    with pytest.raises(UnknownSource, match="the header is not UTF-8; name the encoding"):
        read_samples(table)


@pytest.mark.parametrize("encoding", ["utf-9", "base64", ""])
def test_an_unknown_encoding_is_an_error(encoding: str) -> None:
    """With examples; encodings of bytes are none of text."""
    with pytest.raises(UnknownSource, match="is unknown; examples are cp1252"):
        FileOptions(encoding=encoding)


def test_marks_and_line_ends_of_csv_do_not_matter(table: Path) -> None:
    """Spreadsheets write a byte order mark and CRLF."""
    table.write_bytes(
        b"\xef\xbb\xbf" + (HEADER + ROW + ROW.rstrip()).replace("\n", "\r\n").encode()
    )
    assert read_samples(table) == ([steps(2), steps(3)], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no header, which names the columns"),
        ("\nada\n", "has no header, which names the columns"),
        ("a,b,a\n", "the header names a twice"),
        ("a,b\n", "no column 'metric', and none is mapped to it; found: a, b"),
        (HEADER.replace("value", "count"), "no column 'value', and none is mapped to it; found: u"),
    ],
)
def test_an_unusable_header_is_rejected(table: Path, text: str, reason: str) -> None:
    """The message has the columns that were found."""
    table.write_text(text)
    with pytest.raises(UnknownSource) as rejected:
        opening.samples(table)
    assert str(rejected.value).startswith(f"{table}: {reason}")


def test_columns_of_tables_can_be_mapped_and_defaults_given(table: Path, tmp_path: Path) -> None:
    """The same for CSV and Parquet."""
    table.write_text("wer,wann,wert\nada,2024-03-05T07:08:09+01:00,12\n")
    columns = {"user_id": "wer", "start_date": "wann", "value": "wert"}
    defaults: dict[str, Any] = {"metric": "steps", "unit": "count", "device": "iPhone"}
    assert read_samples(table, columns=columns, **defaults) == ([steps(2)], [])
    path = tmp_path / "samples.parquet"
    pq.write_table(
        pa.table({"wer": ["ada"], "wann": ["2024-03-05T07:08:09+01:00"], "wert": [12]}), path
    )
    assert read_samples(path, columns=columns, **defaults) == ([steps(1)], [])
    for file in (table, path):
        with pytest.raises(UnknownSource, match="no column 'wo'; found: wer, wann, wert"):
            opening.samples(file, columns={**columns, "unit": "wo"}, **defaults)


def test_every_row_of_parquet_is_a_sample(tmp_path: Path) -> None:
    """Its line is its row number; the types of columns are those of every source."""
    path = parquet(tmp_path, device_version=["17.3", None, "17.4"])
    expected = [steps(1, device_version="17.3"), steps(2), steps(3, device_version="17.4")]
    assert read_samples(path) == (expected, [])
    codes, text = {pa.dictionary(pa.int32(), pa.string())}, {pa.string()}
    types = [codes, codes, codes, codes, text, text, {pa.float64()}, codes, {pa.int64()}]
    assert types_of(path) == types


@pytest.mark.parametrize(
    "column",
    [
        pa.array([12, 13, 14], pa.int8()),
        pa.array([12, 13, 14], pa.uint64()),
        pa.array([12, 13, 14], pa.float32()),
        pa.array([Decimal("12.0"), Decimal(13), Decimal(14)], pa.decimal128(9, 1)),
        pa.array(["12", "13.0", "1.4e1"]),
        pa.array(["12", "13", "14"]).dictionary_encode(),
        pa.array(["12", "13", "14"], pa.large_string()),
    ],
    ids=lambda column: str(column.type),
)
def test_values_of_parquet_may_be_numbers_of_any_type(tmp_path: Path, column: pa.Array) -> None:
    """Or text with numbers."""
    rows, unreadable = read_samples(parquet(tmp_path, value=column))
    assert ([row["value"] for row in rows], unreadable) == ([12.0, 13.0, 14.0], [])


BERLIN = "Europe/Berlin"
MOMENT = datetime(2024, 3, 5, 6, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moments", "texts"),
    [
        (pa.array([MOMENT], pa.timestamp("s", BERLIN)), ["2024-03-05T07:08:09+01:00"]),
        (pa.array([MOMENT], pa.timestamp("ns", BERLIN)), ["2024-03-05T07:08:09+01:00"]),
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), ["2024-03-05T06:08:09Z"]),
        (pa.array([MOMENT], pa.timestamp("ms", "-03:30")), ["2024-03-05T02:38:09-03:30"]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms")), ["2024-03-05T06:08:09"]),
        (pa.array([date(2024, 3, 5)]), ["2024-03-05"]),
        (
            pa.array(
                [
                    MOMENT + timedelta(milliseconds=120),
                    MOMENT + timedelta(microseconds=120_001),
                    MOMENT + timedelta(days=120),
                ],
                pa.timestamp("us", BERLIN),
            ),
            [
                "2024-03-05T07:08:09.120+01:00",
                "2024-03-05T07:08:09.120001+01:00",
                "2024-07-03T08:08:09+02:00",
            ],
        ),
        (
            pa.array([-3_600_000_000_000, 1, 1_000_000_000], pa.timestamp("ns", "UTC")),
            ["1969-12-31T23:00:00Z", "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:01Z"],
        ),
        # The offset of Berlin was 53:28 minutes then, which ISO 8601 cannot express.
        (pa.array([-3_000_000_000], pa.timestamp("s", BERLIN)), ["1874-12-07T18:40:00+00:00"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_timestamps_of_parquet_become_text(
    tmp_path: Path, moments: pa.Array, texts: list[str]
) -> None:
    """ISO 8601 in the time zone of the column, without trailing zeros."""
    filled = pa.concat_arrays([moments, moments[:1], moments[:1]])[:3]
    rows, unreadable = read_samples(parquet(tmp_path, start_date=filled))
    assert unreadable == []
    assert [row["start_date"] for row in rows][: len(texts)] == texts


def test_missing_ends_and_numeric_users_of_parquet_are_read(tmp_path: Path) -> None:
    """Other tools convert integers to floating-point numbers if some are missing."""
    path = parquet(
        tmp_path,
        user_id=pa.array([42.0, None, 7.0]),
        end_date=pa.array([None, MOMENT, None], pa.timestamp("us", "UTC")),
    )
    expected = [
        steps(1, user_id="42"),
        steps(2, user_id=None, end_date="2024-03-05T06:08:09Z"),
        steps(3, user_id="7"),
    ]
    assert read_samples(path) == (expected, [])


def test_rows_of_parquet_that_cannot_be_read_do_not_stop_the_rest(tmp_path: Path) -> None:
    """Nulls in required columns, and NaN."""
    path = parquet(tmp_path, value=[12.0, float("nan"), None], unit=["count", None, "count"])
    rows, unreadable = read_samples(path)
    assert (rows, unreadable) == ([steps(1)], [(2, "lacks unit"), (3, "lacks value")])


def test_columns_of_parquet_of_other_types_are_rejected(tmp_path: Path) -> None:
    """For example lists as units and times as values."""
    for column, values in {"unit": [["count"]] * 3, "value": [True] * 3}.items():
        with pytest.raises(UnknownSource, match=f"column '{column}' is of type "):
            opening.samples(parquet(tmp_path, **{column: values}))
    with pytest.raises(UnknownSource, match=r"column 'value' is of type timestamp.*, not numbers"):
        opening.samples(parquet(tmp_path, value=[MOMENT] * 3))
    with pytest.raises(UnknownSource, match="no column 'unit', and none is mapped to it; found: u"):
        opening.samples(parquet(tmp_path, unit=...))


def test_a_damaged_parquet_file_is_reported(tmp_path: Path) -> None:
    """A missing footer at once; damaged pages when they are read."""
    path = parquet(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(UnknownSource, match="not a Parquet file"):
        opening.samples(path)
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    rows, [(place, reason)] = read_samples(path)
    assert (rows, place) == ([], 0)
    assert reason.startswith("the rest cannot be read: ")


CELLS = st.text(st.sampled_from('ab",;\n\r é'), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=12), st.integers(1, 400))
def test_any_cells_are_read_with_their_lines(rows: list[list[str]], block: int) -> None:
    """For any quoted text and any block size, with rows of too many cells between them."""
    text, line = '"a","b"\n', 2
    expected, misshapen = [], []
    for row in rows:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
        if len(row) == 2:
            expected.append((line, tuple(row)))
        else:
            misshapen.append(line)
        text += written.getvalue()
        line += written.getvalue().count("\n")
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_tables, "BLOCK_BYTES", block)
        path = Path(folder) / "cells.csv"
        path.write_bytes(text.encode())
        parts = list(
            CsvTable(FileInput(path), FileOptions(), [], quoted_empty=True).parts(Progress())
        )
    assert [
        line for part in parts if isinstance(part, Unreadable) for line in [part.line]
    ] == misshapen
    batches = [part for part in parts if isinstance(part, Part)]
    lines = [line for part in batches for line in part.lines.to_pylist()]
    cells = [tuple(row.values()) for part in batches for row in part.batch.to_pylist()]
    assert list(zip(lines, cells, strict=True)) == expected
