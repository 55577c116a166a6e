"""Samples in NDJSON."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import FileOptions, UnknownSource, opening, streams
from uptake.uploader.sources.sample_lines import LineReader

from .found import read_samples, samples_of, steps, types_of

SAMPLE: dict[str, Any] = {
    "user_id": "ada",
    "metric": "steps",
    "device_name": "iPhone",
    "start_date": "2024-03-05T07:08:09+01:00",
    "value": 12,
    "unit": "count",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the file of a test."""
    return tmp_path / "samples.ndjson"


def line(**differing: Any) -> str:
    """A line with a sample; members that are `...` are omitted."""
    members = {**SAMPLE, **differing}
    return json.dumps({name: value for name, value in members.items() if value is not ...}) + "\n"


def test_every_line_is_a_sample(file: Path) -> None:
    """With all members, or only the required ones."""
    whole = line(device_version="17.3", end_date="2024-03-05T07:18:09+01:00", value=72.5)
    file.write_text(whole + line())
    optional = {"device_version": "17.3", "end_date": "2024-03-05T07:18:09+01:00", "value": 72.5}
    assert ([steps(1, **optional), steps(2)], []) == read_samples(file)


def test_repetitive_columns_are_dictionary_encoded(file: Path) -> None:
    """Names and units, so that batches are small; times and values are not."""
    file.write_text(line() + line(value="3"))
    codes, text = {pa.dictionary(pa.int32(), pa.string())}, {pa.string()}
    expected = [codes, codes, codes, codes, text, text, {pa.float64()}, codes, {pa.int64()}]
    assert expected == types_of(file)


def test_the_name_of_the_metric_in_the_wire_is_read(file: Path) -> None:
    """`data_type`, also in a file in which other lines have `metric`."""
    file.write_text(line(metric=..., data_type="bpm") * 2)
    assert ([steps(1, metric="bpm"), steps(2, metric="bpm")], []) == read_samples(file)
    file.write_text(line(metric=..., data_type="bpm") + line())
    assert ([steps(1, metric="bpm"), steps(2)], []) == read_samples(file)


def test_numbers_may_be_text_and_ids_numbers(file: Path) -> None:
    """Other tools write them in this form."""
    file.write_text(line(value="12.50", user_id=42) + line(value=" 1e2 "))
    assert ([steps(1, value=12.5, user_id="42"), steps(2, value=100.0)], []) == read_samples(file)


def test_a_line_may_be_an_upload_body(file: Path) -> None:
    """In the form of Gerosense: the user and the type apply to all of `data`."""
    sample = {name: SAMPLE[name] for name in ("device_name", "start_date", "unit")}
    data = [{**sample, "value": value} for value in (12, "13")]
    body = {"user_id": "ben", "data_type": "steps", "data": data}
    file.write_text(line() + json.dumps(body) + "\n" + line())
    expected = [steps(1), steps(2, user_id="ben"), steps(2, user_id="ben", value=13.0), steps(3)]
    assert (expected, []) == read_samples(file)


def test_an_element_that_cannot_be_read_does_not_stop_its_neighbours(file: Path) -> None:
    """Its index in `data` is reported."""
    sample = {name: SAMPLE[name] for name in ("device_name", "start_date", "unit", "value")}
    odd = [{**sample, "value": []}, 5, {**sample, "value": "many"}, {**sample, "unit": None}]
    body = {"user_id": "ada", "data_type": "steps", "data": [sample, *odd, sample]}
    file.write_text(json.dumps(body))
    rows, unreadable = read_samples(file)
    assert [steps(1), steps(1)] == rows
    assert unreadable == [
        (1, "data[1]: Expected `float | str | null`, got `array` - at `$.value`"),
        (1, "data[2]: is not a JSON object"),
        (1, "data[3]: the value 'many' is not a number"),
        (1, "lacks unit"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not complete JSON"),
        ('{"value": 1', "is not complete JSON"),
        ("[]", "is not a JSON object"),
        ("12", "is not a JSON object"),
        (line(device_name=5), "Expected `str | null`, got `int` - at `$.device_name`"),
        (line(value=True), "Expected `float | str | null`, got `bool` - at `$.value`"),
        (line(value="twelve"), "the value 'twelve' is not a number"),
        (line(value="NaN"), "the value 'NaN' is not a number"),
        (line(value="1_000"), "the value '1_000' is not a number"),
        (line(value="1e999"), "the value '1e999' is not a number"),
        (line(value=...), "lacks value"),
        (line(value=None), "lacks value"),
        (line(start_date=..., unit=None), "lacks start_date, unit"),
        (line(metric="sleep"), "the metric 'sleep' is none of steps, bpm"),
        (line(metric=...), "lacks metric"),
        ("{}", "lacks metric, device_name, start_date, unit"),
        (json.dumps({"user_id": "ada", "data": 5}), "data: Expected `array`, got `int`"),
    ],
)
def test_a_line_that_cannot_be_read_does_not_stop_the_rest(
    file: Path, text: str, reason: str
) -> None:
    """It is reported with its number and the error."""
    file.write_text(line() + "\n" + text.rstrip("\n") + "\n" + line())
    assert ([steps(1), steps(4)], [(3, reason)]) == read_samples(file)


def test_invalid_samples_are_read_unchanged(file: Path) -> None:
    """The server validates them."""
    odd = {"device_name": " ", "start_date": "yesterday", "end_date": "", "value": -1, "unit": "km"}
    file.write_text(line(**odd))
    assert ([steps(1, **{**odd, "value": -1.0})], []) == read_samples(file)


def test_bytes_that_are_not_utf_8_are_reported(file: Path) -> None:
    """Only for their line."""
    file.write_bytes(line().encode() + line().encode().replace(b"iPhone", b"i\xffhone"))
    rows, [(place, reason)] = read_samples(file)
    assert ([steps(1)], 2) == (rows, place)
    assert "utf-8" in reason.lower()


def test_the_default_user_applies_to_rows_without_one(file: Path) -> None:
    """Without a default, the user is missing."""
    text = line(user_id=...) + line()
    file.write_text(text)
    assert [row["user_id"] for row in read_samples(file)[0]] == [None, "ada"]
    assert [row["user_id"] for row in read_samples(file, user="eve")[0]] == ["eve", "ada"]


def test_defaults_apply_to_missing_members(file: Path) -> None:
    """Metric, unit and device, in blocks that are read at once or line by line."""
    bare = line(metric=..., unit=..., device_name=...)
    defaults = {"metric": "bpm", "unit": "count/min", "device": "strap"}
    filled = {"metric": "bpm", "unit": "count/min", "device_name": "strap"}
    file.write_text(bare + line())
    assert ([steps(1, **filled), steps(2)], []) == read_samples(file, **defaults)
    file.write_text(bare + line(value="12"))
    assert ([steps(1, **filled), steps(2)], []) == read_samples(file, **defaults)


def test_members_of_other_names_can_be_mapped(file: Path) -> None:
    """Also one member to two names, for samples of zero length."""
    member = line(
        start_date=..., unit=..., metric=..., when=SAMPLE["start_date"], u="count", k="bpm"
    )
    columns = {"start_date": "when", "end_date": "when", "unit": "u", "data_type": "k"}
    expected = {"end_date": SAMPLE["start_date"], "metric": "bpm"}
    file.write_text(member)
    assert ([steps(1, **expected)], []) == read_samples(file, columns=columns)
    file.write_text(member.replace("12", '"12"'))
    assert ([steps(1, **expected)], []) == read_samples(file, columns=columns)


def test_a_mapping_to_a_missing_member_is_rejected(file: Path) -> None:
    """Otherwise the values would be lost without a message."""
    file.write_text(line())
    with pytest.raises(UnknownSource, match=r"no line has a member 'when'; found: user_id, metric"):
        opening.samples(file, columns={"end_date": "when"})
    with pytest.raises(UnknownSource, match=r"samples have no 'when', but user_id, metric, dev"):
        opening.samples(file, columns={"when": "end_date"})


def test_rejected_lines_can_be_read_again(file: Path) -> None:
    """The reasons are ignored, and so are lines that have nothing else."""
    reasons = [{"code": "above_limit", "message": "at most 30000"}]
    file.write_text(line(refused=reasons) + json.dumps({"refused": reasons}) + "\n" + line())
    assert ([steps(1), steps(3)], []) == read_samples(file)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_blank_lines_and_line_ends_do_not_matter(file: Path, end: str) -> None:
    """A byte order mark, carriage returns, and a last line without a line end."""
    text = line() + "\n  \n" + line()
    file.write_bytes(b"\xef\xbb\xbf" + text.rstrip("\n").replace("\n", end).encode())
    assert ([steps(1), steps(4)], []) == read_samples(file)


def test_compressed_files_are_recognized_by_their_content(tmp_path: Path) -> None:
    """Gzip and zstd, also of several members; a truncated file is read as far as it goes."""
    text = (line() * 3).encode()
    packed = {".gz": gzip.compress(text) * 2, ".zst": zstandard.compress(text) * 2}
    packed |= {"": packed[".gz"], ".bin": packed[".zst"]}
    for suffix, data in packed.items():
        path = tmp_path / f"samples.ndjson{suffix}"
        path.write_bytes(data)
        assert ([steps(i) for i in range(1, 7)], []) == read_samples(path)
    cut = tmp_path / "cut.ndjson.gz"
    many = "".join(line(value=i) for i in range(1, 2000)).encode()
    cut.write_bytes(gzip.compress(many)[:-9])
    [(place, reason)] = read_samples(cut)[1]
    assert place == 0
    assert reason.startswith("the rest cannot be read: ")


def test_a_source_has_a_position_and_can_be_read_again(file: Path) -> None:
    """The position is in bytes of the file."""
    file.write_text(line() * 2)
    source = opening.samples(file)
    assert (str(file), 0) == (source.file, source.position)
    assert samples_of(source()) == samples_of(source()) != ([], [])
    assert source.position == source.size == file.stat().st_size


def test_a_line_without_end_is_reported_and_skipped(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole line is never in memory."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 256)
    monkeypatch.setattr(streams, "MAX_LINE_BYTES", 1 << 20)
    file.write_text(line() + "x" * (3 << 20) + "\n" + line())
    expected = [(2, "the line has more than 1 MiB")]
    assert ([steps(1), steps(3)], expected) == read_samples(file)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["steps", "bpm", "count", "12"]),
    st.just([]),
)
MEMBERS = st.sampled_from(
    [*SAMPLE, "data_type", "device_version", "end_date", "data", "refused", "x"]
)
TAILS = st.sampled_from(["", "", "", "", " ", "\r", "{}", ",", "]"])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Lines that are samples, almost samples, or something else."""
    text = ""
    for _ in range(draw(st.integers(1, 4))):
        changes = draw(st.dictionaries(MEMBERS, VALUES, max_size=2))
        text += (
            line(**changes).rstrip("\n") + draw(TAILS) + draw(st.sampled_from(["\n", "\n", "\n\n"]))
        )
    return text.encode()


@settings(deadline=None)
@given(lines())
def test_blocks_read_at_once_are_read_as_line_by_line(block: bytes) -> None:
    """The fast readers have the same result as the slow one."""
    reader = LineReader("file", {}, FileOptions())
    assert samples_of(reader.read(1, block)) == samples_of(reader.read_slowly(1, block))
