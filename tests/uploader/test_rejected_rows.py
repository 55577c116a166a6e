"""Rows that are rejected or cannot be read: corrected in the file and sent again, they arrive."""

import csv
import io
import itertools
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.testing.live import LiveServer
from uptake.uploader.tally import Summary

from .plain import client
from .sending import Sender, counts_of, lines, sample, some, write
from .table_forms import brought

NUMBER = itertools.count(1)
HEAD = "user_id,metric,device_name,start_date,end_date,value,unit"
MARKED = f"rejected.file,rejected.line,rejected.reasons,{HEAD}"


def cells(one: dict[str, Any], delimiter: str = ",") -> str:
    """A sample as a row of CSV."""
    return delimiter.join(str(one[name]) for name in HEAD.split(","))


def table(samples: list[dict[str, Any]], *more: str) -> str:
    """Samples as CSV, and more rows."""
    return "\n".join([HEAD, *map(cells, samples), *more]) + "\n"


def without_version(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Samples of a table without the device's version."""
    return [one | {"device_version": None} for one in samples]


def test_rows_of_csv_stay_rows_after_cells_with_file_line_and_reasons(
    sender: Sender, user: str
) -> None:
    """Rejected and unreadable ones; corrected there and sent again, all samples are stored."""
    path = sender.folder / "a.csv"
    samples = [*some(user, 3), sample(user, 8, value=-1)]
    path.write_text(table(samples, f'{user},steps,"x, y"', cells(sample(user, 9, value=31000))))
    summary = sender.uploader().send_samples(path)
    assert (
        summary.rejected_files == (summary.refused_file,) == (str(sender.folder / "rejected.csv"),)
    )
    written = Path(summary.refused_file)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert written.read_text() == (
        f"{MARKED}\n"
        f'"{path}","5","value must be greater than 0",{cells(samples[3])}\n'
        f'"{path}","6","has 3 cells where the header has 7",{user},steps,"x, y"\n'
        f'"{path}","7","value must be at most 30000 when unit is count",'
        f"{cells(sample(user, 9, value=31000))}\n"
    )
    again = sender.uploader().send_samples(written)
    assert counts_of(again) == {"read": 3, "refused_before": 2, "unreadable": 1}
    text = written.read_text().replace(",-1,", ",1,").replace("31000", "310")
    written.write_text(text.replace(f'{user},steps,"x, y"', cells(sample(user, 10))))
    assert counts_of(sender.uploader().send_samples(written)) == {
        "read": 3,
        "acknowledged": 3,
        "requests": 1,
    }
    stored = [*some(user, 3), sample(user, 8, 1), sample(user, 9, 310), sample(user, 10)]
    assert sender.held(user) == without_version(stored)


def test_the_options_of_the_source_fit_its_rejected_rows(sender: Sender, user: str) -> None:
    """Lines before the header, names, delimiter, encoding, times, and empty cells at the end."""
    path = sender.folder / "walks.csv"
    rows = [f"{1769846400 + 60 * i};5;Schrittzähler;" for i in range(3)]
    text = "\r\n".join(["made;by;é", "beginn;schritte;gerät", *rows, "1769846700;-5;Ä;", "?;5", ""])
    path.write_bytes(text.encode("cp1252"))
    columns = {"start_date": "beginn", "value": "schritte", "device_name": "gerät"}
    options: dict[str, Any] = {
        "user": user,
        "metric": "steps",
        "unit": "count",
        "columns": columns,
        "skip_rows": 1,
        "encoding": "cp1252",
        "time_unit": "s",
        "duration": 60,
    }
    written = Path(sender.uploader().send_samples(path, **options).refused_file)
    assert written.read_bytes().decode("cp1252") == (
        "made;by;é\r\nrejected.file;rejected.line;rejected.reasons;beginn;schritte;gerät;\r\n"
        f'"{path}";"6";"value must be greater than 0";1769846700;-5;Ä;\r\n'
        f'"{path}";"7";"has 2 cells where the rows before have 4";?;5\r\n'
    )
    corrected = written.read_bytes().replace(b"-5", b"5").replace(b"?;5", b"1769846760;5;A;")
    written.write_bytes(corrected)
    summary = sender.uploader().send_samples(path, written, **options)
    assert (summary.acknowledged, summary.refused_before) == (2, 0)
    assert [one["device_name"] for one in sender.held(user)][3:] == ["Ä", "A"]


def test_lines_that_are_no_json_stay_as_they_are_after_their_reasons(
    sender: Sender, user: str
) -> None:
    """Sent again unchanged, they are unreadable again; bytes that are no text stay too."""
    path = write(sender.folder / "a.ndjson", some(user, 3))
    broken = b'{"user_id": "\xff"}\n[1]\n{"user_id": '
    path.write_bytes(path.read_bytes() + broken)
    summary = sender.uploader().send_samples(path)
    assert (summary.acknowledged, summary.unreadable) == (3, 3)
    written = Path(summary.refused_file)
    texts = written.read_bytes().split(b"\n")
    assert texts[0].startswith(b'{"user_id":"\xff","refused":{"file":')
    assert (texts[2], texts[4]) == (b"[1]", b'{"user_id": ')
    places = [msgspec.json.decode(text)["refused"]["line"] for text in texts[1:4:2]]
    assert places == [5, 6]
    again = sender.uploader().send_samples(written)
    assert counts_of(again) == {"read": 3, "unreadable": 3}
    item = msgspec.json.encode(sample(user, 9))
    written.write_bytes(b"\n".join([texts[1], item]))
    assert sender.uploader().send_samples(path, written).acknowledged == 1


def test_samples_of_a_request_are_lines_of_their_own(sender: Sender, user: str) -> None:
    """Each with its reasons; with names that are mapped."""
    body: dict[str, Any] = {"who": user, "data_type": "steps", "data": some("x", 5)}
    for one in body["data"]:
        del one["user_id"], one["metric"]
    body["data"][3]["value"] = -1
    path = write(sender.folder / "bodies.ndjson", [body])
    columns = {"user_id": "who"}
    written = Path(sender.uploader().send_samples(path, columns=columns).refused_file)
    (item,) = lines(written)
    assert (item["who"], item["value"], item["refused"]["line"]) == (user, -1, 1)
    write(written, [item | {"value": 1}])
    summary = sender.uploader().send_samples(path, written, columns=columns)
    assert (summary.acknowledged, summary.refused_before) == (1, 0)


def test_rows_of_parquet_are_lines_with_the_names_of_its_columns(sender: Sender, user: str) -> None:
    """A value that cannot be sent is no JSON, so that it is never taken for another value."""
    path = sender.folder / "t.parquet"
    samples = [*some(user, 3), sample(user, 4, value=-1), sample(user, 5), sample(user, 6)]
    columns = {
        name: [one[name] for one in samples]
        for name in ("user_id", "metric", "device_name", "start_date", "unit")
    }
    columns["count"] = [one["value"] for one in samples]
    columns["count"][4] = None
    ends = pa.array([None, None, None, None, None, 10**13], pa.timestamp("s", "UTC"))
    pq.write_table(pa.table({**columns, "end_date": ends}), path)
    options: dict[str, Any] = {"columns": {"value": "count"}}
    summary = sender.uploader().send_samples(path, **options)
    written = Path(summary.refused_file)
    texts = written.read_text().splitlines()
    rejected, lacking, _ = map(json.loads, texts[:3])
    assert rejected["count"] == -1
    assert (lacking["refused"]["reasons"], lacking["refused"]["line"]) == (
        [{"message": "lacks value"}],
        5,
    )
    assert '"end_date":<' in texts[3]
    again = sender.uploader().send_samples(written, **options)
    assert counts_of(again) == {"read": 3, "refused_before": 1, "unreadable": 2}


def test_records_of_apple_health_that_cannot_be_read_are_in_the_file(
    sender: Sender, user: str
) -> None:
    """After their reasons."""
    record = (
        '<Record type="HKQuantityTypeIdentifierStepCount" sourceName="Phone" unit="count"'
        ' startDate="2024-03-05 07:08:09 +0100" endDate="2024-03-05 07:18:09 +0100" value="?"/>'
    )
    path = sender.folder / "export.xml"
    path.write_text(f"<HealthData>\n {record}\n</HealthData>\n")
    summary = sender.uploader().send_samples(path, user=user)
    assert summary.unreadable == 1
    reasons, text = Path(summary.refused_file).read_text().splitlines()
    assert json.loads(reasons)["refused"]["line"] == 2
    assert text == record


def test_each_form_has_a_file_of_its_own(sender: Sender, user: str) -> None:
    """NDJSON, and every header of CSV; members of archives and streams too."""
    bad = [sample(user, 8, value=-1)]
    (sender.folder / "a.csv").write_text(table(some(user, 3) + bad))
    (sender.folder / "b.csv").write_text(
        table([sample(user, 7, value=-5)])
        .replace(HEAD, HEAD + ",note")
        .replace("count\n", "count,n\n")
    )
    write(sender.folder / "c.ndjson", [sample(user, 9, value=-2)])
    with zipfile.ZipFile(sender.folder / "d.zip", "w") as archive:
        archive.writestr("d.csv", table([sample(user, 10, value=-3)]))
    with brought(
        "gzip in a pipe", "e", table([sample(user, 11, value=-4)]).encode(), sender.folder
    ) as pipe:
        names = ["a.csv", "b.csv", "c.ndjson", "d.zip"]
        summary = sender.uploader().send_samples(*(sender.folder / name for name in names), pipe)
    folder = sender.folder
    names = [str(folder / name) for name in ("rejected.csv", "rejected-2.csv", "rejected.ndjson")]
    assert sorted(summary.rejected_files) == sorted(names)
    found = {
        Path(name).name: [
            row["value"] for row in csv.DictReader(io.StringIO(Path(name).read_text()))
        ]
        for name in names[:2]
    }
    assert sorted(map(sorted, found.values())) == [["-1", "-3", "-4"], ["-5"]]
    assert [one["value"] for one in lines(folder / "rejected.ndjson")] == [-2]


def test_no_file_of_an_earlier_run_is_changed(sender: Sender, user: str) -> None:
    """Another run writes another file; the same rows again are in the same one."""
    first = write(sender.folder / "a.ndjson", [*some(user, 3), sample(user, 9, value=-1)])
    second = write(sender.folder / "b.ndjson", [*some(user, 3, 20), sample(user, 8, value=-2)])
    for path, name, value in [
        (first, "rejected.ndjson", -1),
        (first, "rejected.ndjson", -1),
        (second, "rejected-2.ndjson", -2),
        (second, "rejected-2.ndjson", -2),
        (first, "rejected.ndjson", -1),
    ]:
        written = Path(sender.uploader().send_samples(path).refused_file)
        assert written == sender.folder / name
        assert [one["value"] for one in lines(written)] == [value]


def test_files_that_cannot_be_written_are_named(sender: Sender, user: str) -> None:
    """In a notice; the items are sent."""
    path = write(sender.folder / "a.ndjson", [*some(user, 3), sample(user, 9, value=-1)])
    missing = sender.folder / "no" / "rejected.ndjson"
    summary = sender.uploader(refused_file=missing).send_samples(path)
    assert (summary.acknowledged, summary.refused, summary.rejected_files) == (3, 1, ())
    assert summary.notices == (
        f"the rejected rows cannot be written to {missing}: No such file or directory",
    )


def test_images_that_cannot_be_read_are_in_the_file(
    live: LiveServer, key: str, tmp_path: Path
) -> None:
    """With absolute paths, so that the file can be elsewhere."""
    sender = Sender(live, key, tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "5.jpg").write_text("no image")
    folder = tmp_path / "photos" / "images.csv"
    folder.write_text("user_id,path\n5,5.jpg\n,5.jpg\n5\n")
    summary = sender.uploader().send_images(folder)
    first, second, third, text = (tmp_path / "rejected.ndjson").read_text().splitlines()
    assert summary.unreadable == 3
    assert json.loads(first)["path"] == json.loads(second)["path"] == str(tmp_path / "photos/5.jpg")
    assert (json.loads(third)["refused"]["line"], text) == (4, "5")


TEXT = st.text(st.sampled_from("ab ,;|\t\"'\nß\ufffd{}="), min_size=1, max_size=6)


def _as_name(text: str) -> str:
    return text.replace("\n", "").strip()


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[dict[str, str]], list[int], list[str]]:
    """A delimiter, profiles as rows, the rows that are spoiled, and how."""
    names = draw(st.lists(TEXT.map(_as_name).filter(bool), min_size=1, max_size=3, unique=True))
    first = next(NUMBER)
    count = draw(st.integers(1, 6))
    rows = [
        {"user_id": f"r{os.getpid()}-{first}-{i}", **{name: draw(TEXT) for name in names}}
        for i in range(count)
    ]
    spoiled = draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    ways = [draw(st.sampled_from(["short", "long", "quote", "rejected", "user"])) for _ in spoiled]
    if ways.count("quote") > 1:  # two open quotes enclose what is between them
        ways = ["quote", *("short" for _ in ways[1:])]
    return draw(st.sampled_from(",;\t|")), rows, spoiled, ways


def missed(summary: Summary) -> int:
    """Rows that did not arrive."""
    return summary.unreadable + summary.refused + summary.refused_before


def _row(values: list[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(
        values
    )
    return text.getvalue()


def _spoilt(row: list[str], way: str, delimiter: str) -> str:
    if way == "short":
        return _row(row[:-1], delimiter)
    if way == "long":
        return _row([*row, ""], delimiter)
    if way == "quote":
        return f'"{row[0]}{delimiter}x\n'
    if way == "user":
        return _row(["", *row[1:]], delimiter)
    return _row([row[0], "x" * 129, *row[2:]], delimiter)


@settings(max_examples=40)
@given(tables(), st.sampled_from(["csv", "ndjson"]))
def test_corrected_rows_make_the_wholly_correct_table(
    live: LiveServer,
    key: str,
    tmp_path_factory: pytest.TempPathFactory,
    made: tuple[str, list[dict[str, str]], list[int], list[str]],
    kind: str,
) -> None:
    """Uncorrected, the file has the same outcome again; corrected, every user has its row."""
    delimiter, rows, spoiled, ways = made
    sender = Sender(live, key, tmp_path_factory.mktemp("rows"))
    bad = dict(zip(spoiled, ways, strict=True))
    path = sender.folder / f"t.{kind}"
    values = [list(row.values()) for row in rows]
    if kind == "csv":
        good = [_row(one, delimiter) for one in values]
        texts = [
            _spoilt(values[i], bad[i], delimiter) if i in bad else good[i] for i in range(len(rows))
        ]
        head = _row(list(rows[0]), delimiter)
    else:
        good = [json.dumps(row) + "\n" for row in rows]
        texts = [_spoilt_line(row, bad[i]) if i in bad else good[i] for i, row in enumerate(rows)]
        head = ""
    if kind == "csv" and "quote" in ways:  # what follows an open quote may belong to it
        last = max(i for i in bad if bad[i] == "quote")
        order = [*(i for i in range(len(rows)) if i != last), last]
        texts = [texts[i] for i in order]
    path.write_bytes((head + "".join(texts)).encode())
    options: dict[str, Any] = {"delimiter": delimiter} if kind == "csv" else {}
    summary = sender.uploader().send_profiles(path, **options)
    wrong = missed(summary)
    assert wrong == len(bad)
    (name,) = summary.rejected_files
    again = sender.uploader().send_profiles(name, **options)
    assert (again.read, missed(again)) == (wrong, wrong)
    head_of_file = Path(name).read_text().splitlines(keepends=True)[0] if kind == "csv" else ""
    corrected = [
        _row(["f", "1", "r", *values[i]], delimiter) if kind == "csv" else good[i] for i in bad
    ]
    Path(name).write_text("".join([head_of_file, *corrected]))
    done = sender.uploader().send_profiles(name, **options)
    assert (done.read, done.complete) == (len(bad), True)
    with client(live.url, {"Authorization": f"Bearer {key}"}) as reader:
        for row in rows:
            user = row.pop("user_id")
            answer = reader.get(f"/uptake/v1/users/{user}").raise_for_status().json()
            assert answer["attributes"] == row


def _spoilt_line(row: dict[str, str], way: str) -> str:
    if way in {"short", "quote"}:
        return json.dumps(row)[:-2] + "\n"
    if way == "long":
        return json.dumps(row) + "]\n"
    others = {name: value for name, value in row.items() if name != "user_id"}
    if way == "user":
        return json.dumps(others) + "\n"
    return json.dumps(row | {next(iter(others)): "x" * 129}) + "\n"
