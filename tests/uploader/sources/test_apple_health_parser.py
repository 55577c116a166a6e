"""The reader of Apple Health exports finds the same records as an XML parser."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.uploader.sources import FileOptions, apple_health, read_each
from uptake.uploader.sources.apple_health import pieces
from uptake.uploader.sources.apple_records import Records

from .apple import HEAD, HEART_RATE, STEPS, TAIL, USUAL, export, record
from .found import EXAMPLES, samples_of


def parsed(text: bytes) -> list[dict[str, Any]] | None:
    """The records of a document as expat parses them; None if it is malformed."""
    found: list[dict[str, Any]] = []
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name == "Record" and attributes.get("type") in {STEPS, HEART_RATE}:
            found.append({"line": parser.CurrentLineNumber, **attributes})

    parser.StartElementHandler = begin
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        return None
    return found


def expected(record: dict[str, Any]) -> dict[str, Any]:
    """The members of a sample of a record, without those that are derived from names."""
    start, end = (
        f"{time[:10]}T{time[11:19]}{time[20:23]}:{time[23:]}"
        for time in (record["startDate"], record["endDate"])
    )
    metric = {STEPS: "steps", HEART_RATE: "bpm"}[record["type"]]
    members = {"line": record["line"], "metric": metric, "value": float(record["value"])}
    return members | {"start_date": start, "end_date": end}


def read(text: bytes, block: int) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The samples of a document, read in blocks of this size."""
    records = Records("export.xml", FileOptions("ada"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apple_health, "BLOCK_BYTES", block)
        patch.setattr(apple_health, "PROLOG_BYTES", text.index(b"<HealthData ") + 12)
        found = list(read_each(pieces(BytesIO(text), "export.xml"), lambda one: records.read(*one)))
    return samples_of(found)


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members of rows that `expected` returns."""
    return [
        {name: row[name] for name in ("line", "metric", "value", "start_date", "end_date")}
        for row in rows
    ]


TIMES = st.datetimes().map(lambda moment: moment.strftime("2024-%m-%d %H:%M:%S +0100"))
NAMES = st.text(st.sampled_from("aé\u00a0<>&\"'\n\t !?-]健"), max_size=6)
SPACES = st.sampled_from([" ", " ", " ", "  ", "\n ", "\t"])
ASIDES = st.sampled_from(
    [
        "",
        "",
        "\n",
        "<!-- x -->",
        f"<!--\n{record()}-->",
        f"<![CDATA[{record()}]]>",
        "<?pi > ?>",
        '<MetadataEntry key="&lt;Record " value=">"/>',
        " text &amp; more\n",
    ]
)


def escaped(text: str, quote: str) -> str:
    """The value of an attribute as it is written in a file."""
    for character, entity in {
        "&": "&amp;",
        "<": "&lt;",
        quote: "&#34;" if quote == '"' else "&#x27;",
    }.items():
        text = text.replace(character, entity)
    return text


@st.composite
def records(draw: st.DrawFn) -> str:
    """A record as phones write it, or an equivalent one in another notation."""
    kind = draw(st.sampled_from([STEPS, HEART_RATE, "HKQuantityTypeIdentifierHeight"]))
    value = draw(st.sampled_from(["12", "0.238", "1e2", "007", "-1", "12345678901234567890"]))
    attributes = USUAL | {
        "type": kind,
        "value": value,
        "startDate": draw(TIMES),
        "endDate": draw(TIMES),
    }
    attributes["sourceName"] = "x" + draw(NAMES)
    if draw(st.booleans()):
        attributes |= {"sourceName": escaped(attributes["sourceName"], '"')}
        return record(draw(ASIDES), **attributes)
    text = " <Record"
    del attributes["device"]
    for name in draw(st.permutations(sorted(attributes))):
        quote = draw(st.sampled_from("\"'"))
        equals = draw(st.sampled_from(["=", " = "]))
        text += draw(SPACES) + name + equals + quote + escaped(attributes[name], quote) + quote
    ends = ["/>\n", " />", "></Record>\n", f">{draw(ASIDES)}</Record>"]
    return text + draw(st.sampled_from(ends))


DOCUMENTS = st.lists(st.tuples(ASIDES, records()), max_size=6).map(
    lambda parts: export(*(aside + text for aside, text in parts)).encode()
)


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 700))
def test_a_well_formed_export_is_read_as_a_parser_reads_it(text: bytes, block: int) -> None:
    """Every record with its line, in any notation and for any block size."""
    found = parsed(text)
    assert found is not None
    rows, unreadable = read(text, block)
    assert unreadable == []
    assert compared(rows) == [expected(record) for record in found]


CHANGES = st.sampled_from([b"", b"<", b">", b'"', b"'", b"&", b"\xff", b"\0", b"<!--", b"/", b"x"])


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 700), st.integers(0), st.integers(0, 9), CHANGES)
def test_a_damaged_export_is_read_to_its_end(
    text: bytes, block: int, place: int, length: int, change: bytes
) -> None:
    """For any change of its body; if it is still well-formed, no record is missing."""
    at = len(HEAD.encode()) + place % (len(text) - len(HEAD.encode()))
    damaged = text[:at] + change + text[at + length :]
    rows, unreadable = read(damaged, block)
    assert all(reason for _, reason in unreadable)
    found = parsed(damaged)
    if found is not None:
        lines = [row["line"] for row in rows] + [line for line, _ in unreadable]
        assert sorted(lines) == [record["line"] for record in found]


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 700), st.integers(0))
def test_a_truncated_export_is_read_as_far_as_it_goes(text: bytes, block: int, place: int) -> None:
    """The truncation is reported."""
    head = len(HEAD.encode())
    size = head + place % (len(text) - head - len(TAIL) + 1)
    whole, _ = read(text, 1 << 20)
    rows, unreadable = read(text[:size], block)
    assert rows == whole[: len(rows)]
    assert unreadable


def benchmark(*arguments: object) -> str:
    """The output of the command that makes and reads exports of any size."""
    command = [sys.executable, "-m", "benchmarks.apple_health", *map(str, arguments)]
    done = subprocess.run(command, cwd=EXAMPLES.parent, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_generated_export_is_read_completely(tmp_path: Path) -> None:
    """The export of the benchmark has the requested size and is well-formed."""
    path = tmp_path / "export.xml"
    made = benchmark("make", path, 3)
    assert 2_700_000 < path.stat().st_size < 3_300_000
    found = parsed(path.read_bytes())
    assert found is not None
    assert made == f"{path}: {len(found):,} steps and heart rates\n"
    rows, unreadable = read(path.read_bytes(), 1 << 20)
    assert unreadable == []
    assert compared(rows) == [expected(record) for record in found]


def test_the_example_is_read_as_a_parser_reads_it() -> None:
    """It has records of other types, within other elements, and a complete document type."""
    text = (EXAMPLES / "export.xml").read_bytes()
    found = parsed(text)
    assert found is not None
    rows, unreadable = read(text, 1000)
    assert (compared(rows), unreadable) == ([expected(record) for record in found], [])


def test_a_large_export_is_read_in_little_memory(tmp_path: Path) -> None:
    """The limit is that of an export of a gigabyte, and less than its records or its text need."""
    path = tmp_path / "export.xml"
    benchmark("make", path, 150)
    megabytes, samples, _, processor_seconds, peak_megabytes = json.loads(benchmark("read", path))
    assert 140 < megabytes < 160
    assert samples > 100_000
    assert peak_megabytes < 200
    assert megabytes / processor_seconds > 60
