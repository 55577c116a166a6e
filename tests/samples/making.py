"""Samples as clients send them, in all forms that the contract allows."""

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from uptake.samples import columns, times
from uptake.samples.columns import Columns


class SentSample(NamedTuple):
    """A sample in the form in which it is sent."""

    device: str
    version: str | None
    start: str
    end: str | None
    unit: str
    value: float

    @property
    def identity(self) -> tuple[int, int | None, str, str]:
        """The identity of a sample: start and end as instants, device name and unit."""
        end = None if self.end is None else times.read(self.end)[0]
        return times.read(self.start)[0], end, self.device, self.unit

    @property
    def wire(self) -> columns.Sample:
        """The sample as a format decodes it."""
        return columns.Sample(
            self.device, self.start, self.unit, self.value, self.version, self.end
        )

    @property
    def shown(self) -> dict[str, object]:
        """The sample as the read API returns it."""
        return {
            "device_name": self.device,
            "device_version": self.version,
            "start_date": self.start,
            "end_date": self.end,
            "value": self.value,
            "unit": self.unit,
        }


def columns_of(samples: list[SentSample]) -> Columns:
    """One batch of these samples, at least one."""
    return columns.latest(columns.read([sample.wire for sample in samples]))


def local_time(moment: datetime, fraction: str, minutes: int | None) -> str:
    """A local time in canonical form: fraction digits if any, and an offset or `Z`."""
    text = f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if fraction else "")
    if minutes is None:
        return text + "Z"
    hours, rest = divmod(abs(minutes), 60)
    return f"{text}{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
fractions = st.text("0123456789", max_size=7)
offsets = st.none() | st.integers(-23 * 60 - 59, 23 * 60 + 59)
canonical_times = st.builds(local_time, moments, fractions, offsets)

_HOUR = datetime(2024, 2, 29, 23, 30)  # noqa: DTZ001 - has an offset of its own
near_offsets = st.sampled_from([None, 0, 60, -90])
names = st.sampled_from(["Watch", "watch \U0001f600"])
versions = st.sampled_from([None, "", "1.0", "2.0"])
values = st.one_of(
    st.integers(1, 30000),
    st.decimals("0.001", 300, places=3).map(float),
    st.sampled_from([5e-324, 1e-9, 1 / 3, 2.0**53 - 1, 2.0**53, 1e308, 1.7976931348623157e308]),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False),
)


@st.composite
def samples(draw: st.DrawFn) -> SentSample:
    """Samples of one hour on few devices, so that many are repeats or overlap."""
    minute = draw(st.integers(0, 2))
    length = draw(st.sampled_from([None, 0, 60]))
    start = _HOUR + timedelta(minutes=minute)
    return SentSample(
        draw(names),
        draw(versions),
        _at(start, draw(near_offsets)),
        None if length is None else _at(start + timedelta(seconds=length), draw(near_offsets)),
        draw(st.sampled_from(["count", "count/min"])),
        draw(values),
    )


def _at(moment: datetime, minutes: int | None) -> str:
    """The same instant in another offset."""
    return local_time(moment + timedelta(minutes=minutes or 0), "", minutes)


@st.composite
def far_samples(draw: st.DrawFn) -> SentSample:
    """Samples of any year, of any device, in any form."""
    first, second = draw(canonical_times), draw(st.none() | canonical_times)
    if second is not None and times.read(second)[0] < times.read(first)[0]:
        first, second = second, first
    unit = draw(st.sampled_from(["count", "count/min", "count/s"]))
    device = draw(st.text(min_size=1, max_size=5))
    return SentSample(
        device, draw(st.none() | st.text(max_size=5)), first, second, unit, draw(values)
    )


def latest_by_identity(received: list[SentSample]) -> list[dict[str, object]]:
    """The definition: of repeated samples, the last; sorted."""
    retained: dict[tuple[object, ...], SentSample] = {}
    for sample in received:
        retained[sample.identity] = sample
    units = ["count", "count/min", "count/s"]

    def place(sample: SentSample) -> tuple[object, ...]:
        start, end, device, _ = sample.identity
        # A sample without an end comes before those that end.
        return start, end is not None, end or 0, device, units.index(sample.unit)

    return [sample.shown for sample in sorted(retained.values(), key=place)]
