"""Samples in Apple Health exports."""

from pathlib import Path
from typing import Any

import pytest

from uptake.uploader.sources import UnknownSource, apple_health, opening

from .apple import (
    FIRST_LINE,
    HEAD,
    HEART_RATE,
    PHONE,
    STEPS,
    TAIL,
    archive,
    expected_row,
    export,
    record,
)
from .found import EXAMPLES, read_samples

BEATS = """  <HeartRateVariabilityMetadataList>
   <InstantaneousBeatsPerMinute bpm="61" time="7:08:01,20 AM"/>
  </HeartRateVariabilityMetadataList>
"""


def device(parts: str) -> str:
    """The value of the attribute `device`, escaped as in a file."""
    return f"&lt;&lt;HKDevice: 0x1&gt;, {parts}&gt;"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the export of a test."""
    return tmp_path / "export.xml"


def read(file: Path, text: str) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Write an export and read it."""
    file.write_text(text, encoding="utf-8")
    return read_samples(file, user="ada")


def test_only_steps_and_heart_rates_are_samples(file: Path) -> None:
    """Neither records of types with the same prefix, nor elements of workouts."""
    beat = {"type": HEART_RATE, "unit": "count/min", "value": "61.5"}
    entry = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="0"/>\n'
    others = [
        record(type="HKQuantityTypeIdentifierHeight", unit="cm"),
        record(type="HKQuantityTypeIdentifierRestingHeartRate", unit="count/min"),
        record(BEATS, type="HKQuantityTypeIdentifierHeartRateVariabilitySDNN", unit="ms"),
        f' <Workout duration="3">\n  <WorkoutStatistics type="{STEPS}" sum="7"/>\n </Workout>\n',
    ]
    rows, unreadable = read(file, export(record(), *others, record(entry, **beat), record()))
    expected = {"metric": "bpm", "unit": "count/min", "value": 61.5}
    assert rows == [
        expected_row(),
        expected_row(FIRST_LINE + 11, **expected),
        expected_row(FIRST_LINE + 14),
    ]
    assert unreadable == []


def test_records_within_correlations_are_read(file: Path) -> None:
    """Apple also writes them outside; equal samples are sent once."""
    inside = f" <Correlation>\n{record()} </Correlation>\n"
    assert read(file, export(record(), inside)) == (
        [expected_row(), expected_row(FIRST_LINE + 2)],
        [],
    )


def test_one_phone_is_one_device_for_any_address(file: Path) -> None:
    """The address in `device` is a memory address, which does not identify the device."""
    phones = [record(device=PHONE.format(address=address)) for address in (1, 0xABCDEF0123)]
    rows, unreadable = read(file, export(*phones, record(device=...)))
    assert rows == [
        expected_row(),
        expected_row(FIRST_LINE + 1),
        expected_row(FIRST_LINE + 2, device_version="17.3"),
    ]
    assert unreadable == []


@pytest.mark.parametrize(
    ("attributes", "name", "version"),
    [
        ({"sourceName": "Ada\u2019s Apple\u00a0Watch"}, "Ada\u2019s Apple Watch", "17.3.1"),
        ({"sourceName": " Ada\u2019s  Apple\u202fWatch "}, "Ada\u2019s Apple Watch", "17.3.1"),
        ({"sourceName": "Ada&#8217;s Apple&#160;Watch"}, "Ada\u2019s Apple Watch", "17.3.1"),
        ({"sourceName": "Run &amp; &quot;Fun&quot; &lt;3"}, 'Run & "Fun" <3', "17.3.1"),
        ({"sourceName": "健康 🏃"}, "健康 🏃", "17.3.1"),
        ({"sourceName": " "}, "iPhone", "17.3.1"),
        (
            {"sourceName": "", "device": "&lt;&lt;HKDevice: 0x1&gt;, model:Watch&gt;"},
            "Watch",
            "17.3",
        ),
        (
            {"device": "&lt;&lt;HKDevice: 0x1&gt;, name:Strap, firmware:2.1&gt;"},
            "Ada\u2019s iPhone",
            "2.1",
        ),
        ({"device": "something else"}, "Ada\u2019s iPhone", "17.3"),
        ({"device": ..., "sourceVersion": ...}, "Ada\u2019s iPhone", None),
    ],
)
def test_names_and_versions_are_normalized(
    file: Path, attributes: dict[str, Any], name: str, version: str | None
) -> None:
    """Names have simple spaces; the version of the device precedes that of the source."""
    expected = expected_row(device_name=name, device_version=version)
    assert read(file, export(record(**attributes))) == ([expected], [])


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        (STEPS, "count", "count"),
        (STEPS, "Anzahl", "count"),
        (STEPS, "歩", "count"),
        (STEPS, "", "count"),
        (STEPS, ..., "count"),
        (STEPS, "%", "%"),
        (HEART_RATE, "count/min", "count/min"),
        (HEART_RATE, "Anz./min", "count/min"),
        (HEART_RATE, "Anz./Min.", "count/min"),
        (HEART_RATE, "уд./мин", "count/min"),
        (HEART_RATE, "次/分", "count/min"),
        (HEART_RATE, "BPM", "count/min"),
        (HEART_RATE, ..., "count/min"),
        (HEART_RATE, "count/s", "count/s"),
        (HEART_RATE, "count/hr", "count/hr"),
        (HEART_RATE, "Hz", "Hz"),
    ],
)
def test_units_are_those_of_the_wires(file: Path, kind: str, unit: Any, expected: str) -> None:
    """From any language; an unknown unit is sent unchanged."""
    rows, _ = read(file, export(record(type=kind, unit=unit)))
    assert [row["unit"] for row in rows] == [expected]


def test_unusual_samples_are_read_unchanged(file: Path) -> None:
    """Zero-length, late, overlapping, entered by hand, at or beyond limits, in other time zones."""
    start, end = "startDate", "endDate"
    entered = '  <MetadataEntry key="HKWasUserEntered" value="1"/>\n'
    records = [
        record(**{end: "2024-03-05 07:08:09 +0100"}),
        record(creationDate="2024-09-05 07:20:00 +0200"),
        record(**{start: "2024-03-05 07:00:00 +0100"}, value="0.238"),
        record(entered, sourceName="Health", device=..., value="30000"),
        record(
            **{start: "2023-12-31 23:59:59 -0930", end: "2024-01-01 00:00:00 +1345"}, value="0.5"
        ),
        record(type=HEART_RATE, unit="count/min", value="300"),
    ]
    rows, unreadable = read(file, export(*records))
    line = FIRST_LINE
    assert rows == [
        expected_row(line, end_date="2024-03-05T07:08:09+01:00"),
        expected_row(line + 1),
        expected_row(line + 2, start_date="2024-03-05T07:00:00+01:00", value=0.238),
        expected_row(line + 3, device_name="Health", device_version="17.3", value=30000.0),
        expected_row(
            line + 6,
            start_date="2023-12-31T23:59:59-09:30",
            end_date="2024-01-01T00:00:00+13:45",
            value=0.5,
        ),
        expected_row(line + 7, metric="bpm", unit="count/min", value=300.0),
    ]
    assert unreadable == []


def test_a_malformed_document_type_does_not_matter(file: Path) -> None:
    """Some versions of iOS write declarations that do not end."""
    broken = HEAD.replace(
        "]>\n<HealthData", "<!ATTLIST VisionPrescription\n  type CDATA\n]>\n<HealthData"
    )
    assert read(file, broken + record() + TAIL) == ([expected_row(FIRST_LINE + 2)], [])


def test_a_truncated_file_is_read_as_far_as_it_goes(file: Path) -> None:
    """Its last line is reported."""
    cut = export(record(), record(), record())[: -len(TAIL) - 30]
    rows, unreadable = read(file, cut)
    assert rows == [expected_row(), expected_row(FIRST_LINE + 1)]
    assert unreadable == [
        (FIRST_LINE + 2, "the record is not well-formed: unclosed token"),
        (FIRST_LINE + 2, "the file ends before its last element does: it is cut off"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('unit="count" ', 'unit="count', "not well-formed: not well-formed (invalid token)"),
        ('unit="count" ', 'unit="count" unit="count" ', "not well-formed: duplicate attribute"),
        ('unit="count" ', 'unit="&bad;" ', "not well-formed: undefined entity"),
        ('unit="count" ', "unit ", "not well-formed: not well-formed (invalid token)"),
        ('value="12"/>', 'value="12"', "not well-formed: unclosed token"),
        ('value="12"', 'value="many"', None),
        ('value="12"', "", "lacks value"),
        ('startDate="2024-03-05 07:08:09 +0100" ', "", "lacks startDate"),
    ],
)
def test_a_damaged_record_does_not_stop_the_rest(
    file: Path, old: str, new: str, reason: str | None
) -> None:
    """It is reported with its line."""
    damaged = record().replace(old, new)
    assert damaged != record()
    rows, unreadable = read(file, export(record(), damaged, record()))
    expected_reason = f"the record {'is ' * reason.startswith('not')}{reason}" if reason else None
    assert rows == [expected_row(), expected_row(FIRST_LINE + 2)]
    assert unreadable == [(FIRST_LINE + 1, expected_reason or "the value 'many' is not a number")]


def test_damage_in_records_of_other_types_is_ignored(file: Path) -> None:
    """Some iOS versions write attributes with spaces in their names."""
    old = (
        '<Record type="HKQuantityTypeIdentifierBodyFatPercentage" Health Mate App="2.6" value="x"/>'
    )
    assert read(file, export(record(), f" {old}\n", record())) == (
        [expected_row(), expected_row(FIRST_LINE + 2)],
        [],
    )


def test_characters_that_xml_forbids_are_removed_from_names(file: Path) -> None:
    """Phones write them."""
    assert read(file, export(record(sourceName="Ada\u2019s\x0b iPhone"))) == ([expected_row()], [])


def test_times_of_other_forms_are_sent_unchanged(file: Path) -> None:
    """Early versions of iOS wrote them."""
    odd: dict[str, Any] = {"startDate": "20150616071820-0700", "endDate": ...}
    rows, unreadable = read(file, export(record(), record(**odd), record()))
    expected = expected_row(FIRST_LINE + 1, start_date="20150616071820-0700", end_date=None)
    assert (rows, unreadable) == ([expected_row(), expected, expected_row(FIRST_LINE + 2)], [])


@pytest.mark.parametrize("block", [64, 300, 1 << 20])
def test_comments_and_literal_text_are_ignored(
    file: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also processing instructions, for any block size; their lines are counted."""
    monkeypatch.setattr(apple_health, "BLOCK_BYTES", block)
    monkeypatch.setattr(apple_health, "PROLOG_BYTES", len(HEAD) + 10)
    aside = f" <!--\n{record()}{record()}-->\n <![CDATA[\n{record()}]]>\n <?x {record()}?>\n"
    rows, unreadable = read(file, export(record(), aside, record(), "<!-- - ->-->", record()))
    assert rows == [expected_row(), expected_row(FIRST_LINE + 10), expected_row(FIRST_LINE + 11)]
    assert unreadable == []
    rows, unreadable = read(file, export(record(), "<!-- ", record()))
    assert rows == [expected_row()]
    assert unreadable == [(FIRST_LINE + 1, "the file ends within a comment or literal text")]


def test_a_tag_without_end_is_reported_and_skipped(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole tag is never in memory."""
    monkeypatch.setattr(apple_health, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(apple_health, "PROLOG_BYTES", 4096)
    monkeypatch.setattr(apple_health, "MAX_TAG_BYTES", 100_000)
    rows, unreadable = read(file, export(record(), "<Record " + "x" * 300_000 + "\n", record()))
    assert rows == [expected_row(), expected_row(FIRST_LINE + 2)]
    [(line, reason)] = unreadable
    assert line == FIRST_LINE + 1
    assert reason.startswith("what begins here does not end within ")


BOMB = """<?xml version="1.0"?>
<!DOCTYPE HealthData [
<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
]>
<HealthData><Record type="&b;"/></HealthData>
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "declares entities, which no Apple Health export does"),
        ("<ClinicalDocument/>", "not an Apple Health export: it has no element HealthData"),
        ("", "not an Apple Health export: it has no element HealthData"),
        (
            '<?xml version="1.0" encoding="UTF-16"?><HealthData/>',
            "is encoded in UTF-16; Apple Health exports are in UTF-8",
        ),
    ],
)
def test_a_file_that_is_no_export_is_rejected(file: Path, text: str, reason: str) -> None:
    """At once; entities are not expanded."""
    file.write_text(text)
    with pytest.raises(UnknownSource) as rejected:
        opening.samples(file)
    assert str(rejected.value) == f"{file}: {reason}"


def test_an_export_without_records_is_empty(file: Path) -> None:
    """With and without an end tag."""
    assert read(file, export()) == ([], [])
    assert read(file, "<HealthData/>") == ([], [])


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("apple_health_export", "export.xml"),
        ("apple_health_export", "Export.xml"),
        ("exportar", "Exportación.xml"),
        ("apple_health_export", "导出.xml"),
        ("eksport", "eksport.XML"),
        (".", "vienti.xml"),
    ],
)
def test_an_archive_is_read_in_any_language(tmp_path: Path, folder: str, name: str) -> None:
    """The export is recognized by its content; the clinical document is ignored."""
    clinical = '<?xml version="1.0"?>\n<ClinicalDocument/>\n'
    files = {f"{folder}/export_cda.xml": clinical, f"{folder}/{name}": export(record(), record())}
    path = archive(tmp_path / "export.zip", files)
    assert read_samples(path, user="ada") == ([expected_row(), expected_row(FIRST_LINE + 1)], [])


def test_an_unpacked_archive_is_read(tmp_path: Path) -> None:
    """The folder of the export or its parent."""
    inner = tmp_path / "apple_health_export"
    inner.mkdir()
    (inner / "a_cda.xml").write_text("<ClinicalDocument/>")
    with pytest.raises(UnknownSource, match="a folder without an export that can be read"):
        opening.samples(tmp_path)
    (inner / "export.xml").write_text(export(record()))
    for folder in (inner, tmp_path):
        assert read_samples(folder, user="ada") == ([expected_row()], [])


def test_damaged_archives_are_reported(tmp_path: Path) -> None:
    """A truncated archive at once; a damaged one when the reader reaches the damage."""
    path = archive(tmp_path / "export.zip", {"a/export.xml": export(*[record()] * 30_000)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-60])
    with pytest.raises(UnknownSource, match="the archive cannot be read: "):
        opening.samples(path)
    middle = len(whole) * 3 // 4
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    rows, unreadable = read_samples(path, user="ada")
    assert 0 < len(rows) < 30_000
    assert unreadable[-1][0] == 0
    assert unreadable[-1][1].startswith("the rest cannot be read: ")
    archive(path, {"a/notes.xml": "<notes/>", "b.txt": "b"})
    with pytest.raises(UnknownSource, match=r"without samples .*; it has a/notes\.xml, b\.txt"):
        opening.samples(path)


def test_columns_of_an_export_cannot_be_mapped() -> None:
    """It has none."""
    with pytest.raises(UnknownSource, match="cannot be mapped"):
        opening.samples(EXAMPLES / "export.xml", columns={"value": "x"})


def test_samples_may_have_no_user() -> None:
    """An export has no user, and with one of the wires the key determines the user."""
    rows, _ = read_samples(EXAMPLES / "export.xml")
    assert {row["user_id"] for row in rows} == {None}
