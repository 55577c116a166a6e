"""An Apple Health export arrives completely; of the next export, only new samples are sent."""

from collections.abc import Iterable
from pathlib import Path

from .sending import Sender, counts_of

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="de_AT">\n'
PHONE, WATCH = "Adas iPhone", "Adas Apple\N{NO-BREAK SPACE}Watch"
DEVICE = "&lt;&lt;HKDevice: 0x28{n:07x}0&gt;, name:iPhone, model:iPhone, software:17.3&gt;"


class Export:
    """Records of an export; the device of each has another memory address."""

    def __init__(self) -> None:
        self.records: list[str] = []

    def add(  # noqa: PLR0917 - in the order of the attributes in an export
        self, type_: str, source: str, start: str, end: str, value: str, unit: str
    ) -> None:
        """Add a record; manual entries have no device."""
        device = f' device="{DEVICE.format(n=len(self.records))}"' if source != "Health" else ""
        self.records.append(
            f' <Record type="HKQuantityTypeIdentifier{type_}" sourceName="{source}"'
            f' sourceVersion="17.3"{device} unit="{unit}" creationDate="2026-02-01 09:00:00 +0100"'
            f' startDate="2026-01-{start}:00 +0100" endDate="2026-01-{end}:00 +0100"'
            f' value="{value}"/>\n'
        )

    def steps(self, source: str, start: str, end: str, value: str) -> None:
        """Add steps."""
        self.add("StepCount", source, start, end, value, "count")

    def beats(self, start: str, value: str) -> None:
        """Add a heart rate, which has no duration."""
        self.add("HeartRate", WATCH, start, start, value, "count/min")

    def write(self, path: Path) -> Path:
        """Write the export with a record of another type."""
        other = ' <Record type="HKQuantityTypeIdentifierHeight" sourceName="Health" value="170"/>\n'
        path.write_text(HEAD + other + "".join(self.records) + "</HealthData>\n", encoding="utf-8")
        return path


def first_export() -> Export:
    """Overlaps of phone and watch, late and zero-length samples, and values at the limits."""
    export = Export()
    export.steps(PHONE, "31 08:00", "31 08:10", "500")
    export.steps(WATCH, "31 08:02", "31 08:12", "540")
    export.steps(PHONE, "31 08:05", "31 08:15", "30000")
    export.steps("Health", "30 12:00", "30 12:00", "1")
    export.steps(WATCH, "29 23:55", "30 00:05", "120")
    export.steps(WATCH, "29 07:00", "29 07:00", "0.238")
    export.steps("Health", "28 10:00", "28 11:00", "2500")
    for minute in range(5):
        export.beats(f"31 08:{minute:02d}", "300" if minute == 4 else str(60 + minute))
    return export


def shown(samples: Iterable[dict[str, object]]) -> list[tuple[object, ...]]:
    """The identity and the value of each sample."""
    names = ("device_name", "start_date", "end_date", "value", "unit")
    return [tuple(one[name] for name in names) for one in samples]


def test_all_samples_arrive_and_then_only_new_ones(sender: Sender, user: str) -> None:
    """New samples of earlier days; other memory addresses do not make other devices."""
    export = first_export()
    path = export.write(sender.folder / "export.xml")
    summary = sender.uploader().send_samples(path, user=user)
    assert counts_of(summary) == {"read": 12, "acknowledged": 12, "requests": 2}
    steps = shown(sender.held(user))
    watch = WATCH.replace("\N{NO-BREAK SPACE}", " ")
    day = "2026-01-"
    assert steps == [
        ("Health", f"{day}28T10:00:00+01:00", f"{day}28T11:00:00+01:00", 2500, "count"),
        (watch, f"{day}29T07:00:00+01:00", f"{day}29T07:00:00+01:00", 0.238, "count"),
        (watch, f"{day}29T23:55:00+01:00", f"{day}30T00:05:00+01:00", 120, "count"),
        ("Health", f"{day}30T12:00:00+01:00", f"{day}30T12:00:00+01:00", 1, "count"),
        (PHONE, f"{day}31T08:00:00+01:00", f"{day}31T08:10:00+01:00", 500, "count"),
        (watch, f"{day}31T08:02:00+01:00", f"{day}31T08:12:00+01:00", 540, "count"),
        (PHONE, f"{day}31T08:05:00+01:00", f"{day}31T08:15:00+01:00", 30000, "count"),
    ]
    assert [one[3] for one in shown(sender.held(user, "bpm"))] == [60, 61, 62, 63, 300]

    later = Export()
    later.steps(WATCH, "02 06:00", "02 06:10", "77")
    for record in first_export().records:
        later.records.append(record.replace("HKDevice: 0x28", "HKDevice: 0x30"))
    later.steps(PHONE, "30 18:00", "30 18:20", "900")
    later.beats("15 07:00", "58")
    path = later.write(sender.folder / "later.xml")
    summary = sender.uploader().send_samples(path, user=user)
    assert counts_of(summary) == {"read": 15, "known": 12, "acknowledged": 3, "requests": 2}
    assert len(sender.held(user)) == 9
    assert sender.uploader().verify_samples(path, user=user).found == 15
