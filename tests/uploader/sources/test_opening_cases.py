"""Files from practice: no row is lost, changed or merged with another."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from uptake.uploader.sources import ProfileRow, Skipped, UnknownSource, Unreadable, opening

from .found import read_samples, skipped, steps

CASES = Path(__file__).parents[2] / "cases"
TABLES, APPLE = CASES / "tables", CASES / "apple"
TAIL = " or more, which is not exact: store ids as text or as integers"
LARGE = "is a floating-point number of 2^"
EPOCH: dict[str, Any] = {"user": "ada", "metric": "steps", "unit": "count", "device": "iPhone"}


def profiles(path: Path, **options: Any) -> list[tuple[str, dict[str, Any]] | str]:
    """Users and attributes, and the reasons for rows that cannot be read."""
    found = opening.profiles(path, **options)()
    return [
        (one.user_id, one.attributes) if isinstance(one, ProfileRow) else one.reason
        for one in found
        if not isinstance(one, Skipped)
    ]


def test_int96_beyond_64_bits_of_nanoseconds_is_exact() -> None:
    """9999-12-31 and 0001-01-01, with which other databases mark open intervals."""
    rows, unreadable = read_samples(TABLES / "int96-sentinel-samples.parquet")
    assert [row["start_date"] for row in rows] == [
        "9999-12-31T00:00:00",
        "0001-01-01T00:00:00",
        "2026-01-31T00:00:00",
    ]
    assert unreadable == []
    assert profiles(TABLES / "int96-sentinel-profiles.parquet") == [
        (user, {"since": "9999-12-31T00:00:00"}) for user in "123"
    ]


def test_fractions_of_int96_are_exact(tmp_path: Path) -> None:
    """Also of times outside the range of 64-bit nanoseconds, and of missing ones."""
    path = tmp_path / "times.parquet"
    moments = ["1500-01-01T00:00:00.123456", None, "9999-12-31T23:59:59.999999", "2026-01-31"]
    micros = [
        None if one is None else int(pa.scalar(one).cast(pa.timestamp("us")).value)
        for one in moments
    ]
    column = pa.array(micros, pa.timestamp("us"))
    table = pa.table({"user_id": list("1234"), "t": column})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    expected = [{"t": one} if one else {} for one in (*moments[:3], "2026-01-31T00:00:00")]
    assert profiles(path) == [(str(i), one) for i, one in enumerate(expected, 1)]


def test_doubles_that_are_not_exact_are_no_users() -> None:
    """Too large doubles are not one user, and NaN is not a user, in every kind of file."""
    for name, words in (("double-over-int64", "2^53 or more"), ("nan", "neither text nor a whole")):
        path = TABLES / f"user-id-{name}.parquet"
        rows, unreadable = read_samples(path, user="ada")
        assert (rows, [line for line, _ in unreadable]) == ([], [1, 2, 3])
        assert all(words in reason for _, reason in unreadable)
        reasons = profiles(path, user="ada")
        assert len(reasons) == 3
        assert all(words in str(reason) for reason in reasons)


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_floats_are_exact_ids_up_to_their_own_precision(tmp_path: Path, kind: pa.DataType) -> None:
    """Up to 2^11, 2^24 and 2^53."""
    exact = {16: 11, 32: 24, 64: 53}[kind.bit_width]
    values = [42.0, float(2**exact - 1), float(2**exact), None, 0.5]
    path = tmp_path / "ids.parquet"
    column = pa.array(values, pa.float64()).cast(kind)
    pq.write_table(
        pa.table({"user_id": column.dictionary_encode() if kind == pa.float64() else column}), path
    )
    assert profiles(path) == [
        f"column 'user_id': the user_id {values[2]!r} {LARGE}{exact}{TAIL}",
        "column 'user_id': the user_id 0.5 is neither text nor a whole number",
        ("42", {}),
        (str(2**exact - 1), {}),
        "lacks user_id; name a default user with --user",
    ]


def test_decimals_that_are_whole_are_ids_and_other_types_are_rejected(tmp_path: Path) -> None:
    """By name and type."""
    path = tmp_path / "ids.parquet"
    column = pa.array(["42.00", "4.20"]).cast(pa.decimal128(9, 2))
    pq.write_table(pa.table({"user_id": column}), path)
    assert profiles(path)[1] == ("42", {})
    for values in ([True], [b"1"], [pa.scalar(0).cast(pa.timestamp("s"))]):
        pq.write_table(pa.table({"user_id": pa.array(values)}), path)
        with pytest.raises(UnknownSource, match=r"column 'user_id' is of type .*, not user ids"):
            opening.profiles(path)


def test_two_columns_of_one_name_are_rejected() -> None:
    """With a one-line message, as for CSV."""
    for open_ in (opening.samples, opening.profiles, opening.images):
        with pytest.raises(UnknownSource, match="two columns are named value"):
            open_(TABLES / "duplicate-column-value.parquet")


def test_float32_has_its_own_shortest_text() -> None:
    """Not that of the double with the same value."""
    rows = [("1", {"w": 1.1}), ("2", {"w": 72.3}), ("3", {"w": 80.0})]
    assert profiles(TABLES / "float32-attribute.parquet") == rows


def test_times_and_numbers_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    """Beyond the year 9999, and infinity; NaN is a missing value."""
    path = tmp_path / "odd.parquet"
    columns = {
        "user_id": ["1", "2", "3", "4"],
        "day": pa.array([10**7, 0, 0, 0], pa.date32()),
        "at": pa.array([0, 10**13, 0, 0], pa.timestamp("s", "UTC")),
        "w": [0.5, 0.5, float("inf"), float("nan")],
        "e": pa.array(["0.0000001"] * 4).cast(pa.decimal128(20, 7)),
    }
    pq.write_table(pa.table(columns), path)
    day, at = "1970-01-01", "1970-01-01T00:00:00Z"
    assert profiles(path) == [
        "column 'day': the time is outside the years 1 to 9999",
        "column 'at': the time is outside the years 1 to 9999",
        "column 'w': infinity is not a number",
        ("4", {"day": day, "at": at, "e": "0.0000001"}),
    ]


def test_names_of_columns_with_dots_are_columns(tmp_path: Path) -> None:
    """They are not paths to nested columns."""
    path = tmp_path / "dots.parquet"
    pq.write_table(pa.table({"user_id": ["1"], "a": ["x"], "a.b": ["y"]}), path)
    assert profiles(path) == [("1", {"a": "x", "a.b": "y"})]


def test_delimiters_within_quotes_are_text() -> None:
    """Unless the option `delimiter` is given."""
    path = TABLES / "header-quoted-commas.csv"
    name = "Do you walk, run, or cycle, most days?"
    assert profiles(path) == [("10001", {name: "yes"}), ("10002", {name: "no"})]
    with pytest.raises(UnknownSource, match="no column 'user_id'"):
        opening.profiles(path, delimiter=",")
    with pytest.raises(UnknownSource, match="the delimiter ';;' is not one ASCII character"):
        opening.profiles(path, delimiter=";;")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_id,a;b;c\n1,x\n", {"a;b;c": "x"}),
        ("user_id;a,b,c\n1;x\n", {"a,b,c": "x"}),
        ('user_id,"x, y"," n "\n1,"l1\nl2", v \n', {"x, y": "l1\nl2", " n ": " v "}),
        (" user_id , plan\n1, pro\n", {" plan": " pro"}),
        ('\ufeff"user_id"\t"a"\n1\t"b"\n', {"a": "b"}),
        ("user_id|a,b\n1|c,d\n", {"a,b": "c,d"}),
        ('user_id,a\n"1","ask ""x;y;z"""\n', {"a": 'ask "x;y;z"'}),
        ("user_id,a,\n1,x,\n", {"a": "x"}),
        ("user_id,a\n1,x,\n", {"a": "x"}),
        ("user_id,a,,\n1,x,,\n", {"a": "x"}),
        ("user_id,a,\n1,x\n", {"a": "x"}),
    ],
)
def test_headers_are_read_unchanged(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    """With spaces; the delimiter is detected, and a delimiter at the end has no column."""
    path = tmp_path / "p.csv"
    path.write_text(text)
    assert profiles(path) == [("1", expected)]


def test_cells_without_a_column_are_reported(tmp_path: Path) -> None:
    """Rows of empty cells are counted as skipped, blank lines are ignored."""
    path = tmp_path / "p.csv"
    path.write_text("user_id,a,\n1,x,\n2,y,z\n\n,,\n3,x\n")
    assert sorted(profiles(path), key=str) == [
        ("1", {"a": "x"}),
        "has 2 cells where the rows before have 3",
        "has a cell in a column without a name",
    ]
    assert skipped(opening.profiles(path)) == [(1, "an empty row")]


def test_lines_before_the_header_are_skipped_and_epochs_are_read() -> None:
    """As in tables of Samsung Health."""
    columns = {"start_date": "day_time", "value": "count", "device_name": "deviceuuid"}
    options = EPOCH | {"skip_rows": 1, "time_unit": "ms", "columns": columns}
    rows, unreadable = read_samples(TABLES / "samsung-step-daily-trend.csv", **options)
    assert unreadable == []
    assert rows == [
        steps(3, device_name="dev1", start_date="2025-10-01T00:00:00Z", value=8000.0),
        steps(4, device_name="dev1", start_date="2025-10-02T00:00:00Z", value=5000.0),
    ]
    with pytest.raises(UnknownSource, match="has no header after 9 lines"):
        opening.samples(TABLES / "samsung-step-daily-trend.csv", skip_rows=9)


@pytest.mark.parametrize(
    ("unit", "number", "time"),
    [
        ("s", 1759276800, "2025-10-01T00:00:00Z"),
        ("s", 1759276800.5, "2025-10-01T00:00:00.5Z"),
        ("ms", 1759276800123, "2025-10-01T00:00:00.123Z"),
        ("us", -1, "1969-12-31T23:59:59.999999Z"),
        ("ns", 1759276800123456789, "2025-10-01T00:00:00.123456789Z"),
        ("s", -62135596800, "0001-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_epoch_times_are_exact(
    tmp_path: Path, kind: str, unit: str, number: float, time: str
) -> None:
    """In every file format."""
    path = tmp_path / f"s.{kind}"
    if kind == "csv":
        path.write_text(f"start_date,value\n{number},12\n")
    elif kind == "ndjson":
        path.write_text(json.dumps({"start_date": number, "value": 12}) + "\n")
    else:
        pq.write_table(pa.table({"start_date": [number], "value": [12]}), path)
    line = 2 if kind == "csv" else 1
    expected = [steps(line, start_date=time)]
    assert read_samples(path, **EPOCH, time_unit=unit) == (expected, [])


def test_numbers_that_are_no_epoch_are_sent_unchanged(tmp_path: Path) -> None:
    """Times beyond the year 9999."""
    path = tmp_path / "s.csv"
    path.write_text("start_date,value\n99999999999999,12\n2024-03-05T07:08:09+01:00,12\n")
    rows, _ = read_samples(path, **EPOCH, time_unit="s")
    assert [row["start_date"] for row in rows] == ["99999999999999", "2024-03-05T07:08:09+01:00"]
    with pytest.raises(UnknownSource, match="the time unit 'h' is none of s, ms, us, ns"):
        opening.samples(path, **EPOCH, time_unit="h")


def test_a_space_before_the_offset_and_12_hour_clocks_are_read() -> None:
    """In tables as in exports."""
    columns = {"start_date": "startDate", "end_date": "endDate", "device_name": "sourceName"}
    rows, unreadable = read_samples(
        TABLES / "apple-csv-converter.csv", user="ada", metric="steps", columns=columns
    )
    assert unreadable == []
    assert [(row["start_date"], row["end_date"]) for row in rows] == [
        ("2019-05-14T18:52:09-04:00", "2019-05-14T19:01:40-04:00"),
        ("2019-05-14T19:11:56-04:00", "2019-05-14T19:11:58-04:00"),
        ("2024-09-21T07:57:00+10:00", "2024-09-21T07:58:00+10:00"),
    ]
    rows, unreadable = read_samples(APPLE / "twelve-hour.xml", user="ada")
    assert unreadable == []
    assert [row["start_date"][11:] for row in rows] == [
        "07:57:00+10:00",
        "19:57:00+10:00",
        "07:57:00+10:00",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024-01-31 12:05:00 am", "2024-01-31T00:05:00"),
        ("2024-01-31 12:05:00 p.m. +0530", "2024-01-31T12:05:00+05:30"),
        ("2024-01-31 01:05\u202fPM Z", "2024-01-31T13:05:00Z"),
        ("2024-01-31T07:05:06.5 -03:30", "2024-01-31T07:05:06.5-03:30"),
        ("2024-01-31 13:05:00 pm", "2024-01-31 13:05:00 pm"),
        ("2024-01-31 07:05:06", "2024-01-31 07:05:06"),
        ("tomorrow", "tomorrow"),
    ],
)
def test_times_are_converted_or_unchanged(tmp_path: Path, written: str, read: str) -> None:
    """A time of an unknown form is sent unchanged."""
    for kind in ("csv", "ndjson"):
        path = tmp_path / f"s.{kind}"
        row = {"start_date": written, "value": 12}
        path.write_text(
            f"start_date,value\n{written},12\n" if kind == "csv" else json.dumps(row) + "\n"
        )
        rows, _ = read_samples(path, **EPOCH)
        assert [one["start_date"] for one in rows] == [read]


def test_samples_without_an_end_get_the_given_duration(tmp_path: Path) -> None:
    """The end has the offset of the start; existing ends are unchanged; 0 steps are skipped."""
    path = tmp_path / "takeout.csv"
    path.write_text(
        "timestamp,steps,data source,end_date\n"
        "2024-03-05T23:59:30.5+01:00,12,phone,\n2024-03-05,12,phone,2024-03-06\n"
        "2024-03-05,0,phone,\nsoon,12,phone,\n"
    )
    columns = {"start_date": "timestamp", "value": "steps", "device_name": "data source"}
    options: dict[str, Any] = EPOCH | {"columns": columns, "duration": 60}
    rows, _ = read_samples(path, **options)
    assert [row["end_date"] for row in rows] == ["2024-03-06T00:00:30.5+01:00", "2024-03-06", None]
    assert skipped(opening.samples(path, **options)) == [(1, "0 steps")]


def test_rates_of_0_are_sent_unchanged(tmp_path: Path) -> None:
    """Only 0 steps are skipped."""
    path = tmp_path / "s.csv"
    path.write_text("start_date,value\n2024-03-05,0\n")
    options = EPOCH | {"metric": "bpm", "unit": "count/min"}
    assert [row["value"] for row in read_samples(path, **options)[0]] == [0.0]


def test_only_known_parts_of_a_device_are_read() -> None:
    """The version has no hardware id, so it is the same in the next export."""
    exports = [
        read_samples(APPLE / f"device-creation-date{name}.xml", user="ada")
        for name in ("", "-next-export")
    ]
    assert exports[0] == exports[1]
    rows, unreadable = exports[0]
    assert [row["device_version"] for row in rows] == ["10.6.1", "10.6.1", "3.1.1"]
    assert unreadable == []


@pytest.mark.parametrize("name", ["two-exports.zip", "two-exports-folder"])
def test_all_exports_in_an_archive_or_folder_are_read(name: str, tmp_path: Path) -> None:
    """In order of name, and errors have the name of the export."""
    path = APPLE / name
    rows, unreadable = read_samples(path, user="ada")
    assert (sorted({row["start_date"][:7] for row in rows}), unreadable) == (
        ["2024-01", "2024-02"],
        [],
    )
    assert len(rows) == 6
    parts = [part.file for part in opening.samples(path, user="ada").parts]
    names = ["a/export.xml", "b/export.xml"] if path.is_file() else ["export 2.xml", "export.xml"]
    assert parts == [f"{path}/{one}" for one in names]
    copy = tmp_path / "copy"
    shutil.copy(path, copy) if path.is_file() else shutil.copytree(path, copy)
    assert len(read_samples(copy, user="ada")[0]) == 6


def test_unusual_exports_are_read() -> None:
    """A broken document type, an unusual layout, and an export of iOS 8."""
    rows, unreadable = read_samples(APPLE / "ios16-broken-dtd-vt.xml", user="ada")
    assert ([row["value"] for row in rows], unreadable) == ([10.0, 20.0, 30.0], [])
    rows, unreadable = read_samples(APPLE / "odd-layout.xml", user="ada")
    assert (len(rows), unreadable) == (10, [])
    assert rows[1]["device_name"] == 'A "B" & C > D'
    assert [row["unit"] for row in rows[:5]] == ["count", "count", *["count/min"] * 3]
    rows, unreadable = read_samples(APPLE / "ios8.xml", user="ada")
    assert (rows, [line for line, _ in unreadable]) == ([], [3, 4])


@pytest.mark.parametrize("number", ["42.0", "4.2e1", "42"])
def test_whole_numbers_in_json_are_user_ids(tmp_path: Path, number: str) -> None:
    """In every kind of file."""
    path = tmp_path / "x.ndjson"
    path.write_text(f'{{"user_id": {number}, "start_date": "2024-03-05", "value": 12}}\n')
    assert [row["user_id"] for row in read_samples(path, **EPOCH)[0]] == ["42"]
    assert [one[0] for one in profiles(path) if isinstance(one, tuple)] == ["42"]
    for body in (f'"user_id": {number}', f'"user": {{"userLabel": {number}}}'):
        path.write_text(f'{{{body}, "data": {{}}}}\n')
        [document] = opening.documents(path)()
        assert not isinstance(document, Unreadable | Skipped)
        assert document.user_id == "42"


def test_text_in_csv_is_text(tmp_path: Path) -> None:
    """The user ids `42.0` and `007` are not 42 and 7."""
    path = tmp_path / "p.csv"
    path.write_text("user_id,a\n42.0,NaN\n007,null\n")
    assert profiles(path) == [("42.0", {"a": "NaN"}), ("007", {"a": "null"})]
