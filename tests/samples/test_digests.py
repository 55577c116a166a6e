"""Digests of samples and of days, against the definition worked out one sample at a time."""

import hashlib
import struct
from functools import reduce
from itertools import groupby
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from uptake.samples import times
from uptake.samples.columns import latest
from uptake.samples.digests import DayDigest, day_digests, digests
from uptake.samples.merge import merge

from .making import SentSample, columns_of, samples

WORD = 1 << 64
DAY = 864_000_000_000
MORNING = SentSample("iPhone", None, "2026-01-31T08:00:00Z", "2026-01-31T08:01:00Z", "count", 5)


def mix(word: int) -> int:
    """The finaliser of SplitMix64, as its authors print it."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB % WORD
    return word ^ word >> 31


def plain_digest(sample: SentSample) -> str:
    """A sample's digest, by the definition."""
    start, end, device, unit = sample.identity
    low, high = struct.unpack("<QQ", hashlib.sha256(device.encode()).digest()[:16])
    (known,) = struct.unpack("<Q", hashlib.sha256(unit.encode()).digest()[:8])
    (value,) = struct.unpack("<Q", struct.pack("<d", sample.value))
    last = -(1 << 63) if end is None else end
    words = [low, high, start % WORD, last % WORD, known, value]
    seeds = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
    lanes = [reduce(lambda lane, word: mix(lane ^ word), words, seed) for seed in seeds]
    return "".join(f"{lane:016x}" for lane in lanes)


def plain_days(sent: list[SentSample]) -> list[DayDigest]:
    """Days by the definition: of repeated samples, the last counts."""
    retained = {sample.identity: sample for sample in sent}.values()
    placed = sorted((s.device, times.read(s.start)[0] // DAY, plain_digest(s)) for s in retained)
    days = []
    for (device, day), group in groupby(placed, lambda one: one[:2]):
        those = [int(digest, 16) for _, _, digest in group]
        days.append(DayDigest(device, day, len(those), f"{reduce(xor, those):032x}"))
    return days


def test_the_digest_of_a_sample_never_changes() -> None:
    """Clients and servers of different versions compare them."""
    assert day_digests(columns_of([MORNING])) == [
        DayDigest("iPhone", 20484, 1, "0ab8678d5682f27a64089eda4efc26c8")
    ]


def test_a_digest_does_not_depend_on_the_form_of_a_sample() -> None:
    """Another offset, an integer with a point, another version."""
    elsewhere = SentSample(
        "iPhone", "17.2", "2026-01-31T09:00:00+01:00", "2026-01-31T03:01:00.000-05:00", "count", 5.0
    )
    assert day_digests(columns_of([MORNING])) == day_digests(columns_of([elsewhere]))


def test_a_digest_depends_on_everything_else() -> None:
    """Device, start, end, no end, unit and value."""
    others = [
        MORNING._replace(device="iPhone 2"),
        MORNING._replace(start="2026-01-31T07:59:59.9999999Z"),
        MORNING._replace(end="2026-01-31T08:01:00.0000001Z"),
        MORNING._replace(end=None),
        MORNING._replace(unit="count/min"),
        MORNING._replace(value=5.000000000000001),
    ]
    sent = {day_digests(columns_of([sample]))[0].digest for sample in [MORNING, *others]}
    assert len(sent) == 7


def test_days_are_in_utc_and_for_each_device() -> None:
    """A day begins at midnight; a sample before 1970 is in a day of its own."""
    sent = [
        MORNING._replace(start="2026-02-01T00:00:00Z", end=None),
        MORNING._replace(start="2026-01-31T23:59:59.9999999Z", end=None),
        MORNING._replace(start="2026-02-01T05:00:00+09:00", end=None),
        MORNING._replace(start="1969-12-31T23:59:59Z", end=None),
        MORNING._replace(device="Apple Watch"),
    ]
    counted = [(day.device_name, day.day, day.count) for day in day_digests(columns_of(sent))]
    assert counted == [
        ("Apple Watch", 20484, 1),
        ("iPhone", -1, 1),
        ("iPhone", 20484, 2),
        ("iPhone", 20485, 1),
    ]


@given(st.lists(samples(), min_size=1, max_size=40))
def test_digests_of_columns_equal_the_definition(sent: list[SentSample]) -> None:
    """For any samples."""
    assert day_digests(columns_of(sent)) == plain_days(sent)


@given(st.lists(st.lists(samples(), min_size=1, max_size=20), min_size=1, max_size=4))
def test_days_do_not_depend_on_how_samples_arrived(batches: list[list[SentSample]]) -> None:
    """In one upload or several."""
    whole = columns_of([sample for batch in batches for sample in batch])
    assert day_digests(merge([columns_of(batch) for batch in batches])) == day_digests(whole)


def test_long_columns_have_the_digests_of_short_ones() -> None:
    """Whatever the size of a step is."""
    sent = [
        MORNING._replace(start=times.format_time(i * 10_000_000, 0), end=None)
        for i in range(40_000)
    ]
    columns = latest(columns_of(sent))
    assert digests(columns)[:, [0, 16_383, 16_384, 39_999]].T.tolist() == [
        [int(plain_digest(sent[i])[:16], 16), int(plain_digest(sent[i])[16:], 16)]
        for i in (0, 16_383, 16_384, 39_999)
    ]
