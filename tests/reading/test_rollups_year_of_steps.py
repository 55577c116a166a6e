"""A year of two devices that overlap, made so that the truth is known, rolls up to the truth."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest

from reading.filled import data_of, filled
from samples.making import SentSample, local_time
from uptake.reading import Page, rollups
from uptake.reading.rollup_rows import RollupQuery
from uptake.testing.store.model import ModelStore

YEAR = 2026
SLOT = timedelta(seconds=30)
"""Walks begin and end on multiples of this, and so do the samples of devices."""

WATCH, PHONE = "Watch", "iPhone"
BATCH = 1000


@dataclass(frozen=True)
class Walk:
    """So many steps, at an even pace."""

    start: datetime
    slots: int
    pace: int


@dataclass(frozen=True)
class Home:
    """Where the user is from an instant on."""

    since: datetime
    zone: str


def at(month: int, day: int, hour: int = 0) -> datetime:
    """An instant of the year."""
    return datetime(YEAR, month, day, hour, tzinfo=UTC)


LIVES = {
    "stays in Berlin": [Home(at(1, 1), "Europe/Berlin")],
    "moves to New York between the two days on which clocks change": [
        Home(at(1, 1), "Europe/Berlin"),
        Home(at(10, 28, 11), "America/New_York"),
    ],
    "flies across five zones and back": [
        Home(at(1, 1), "Europe/London"),
        Home(at(5, 4, 13), "America/New_York"),
        Home(at(5, 18, 22), "Europe/London"),
    ],
}


def zone_at(homes: list[Home], moment: datetime) -> ZoneInfo:
    """The local time of the devices."""
    return ZoneInfo(
        max((home for home in homes if home.since <= moment), key=lambda h: h.since).zone
    )


def walks(random: Random) -> Iterator[Walk]:
    """The walks of the user: at any time of day and night, across midnight and every hour."""
    moment = at(1, 1)
    while moment < at(12, 31, 12):
        moment += SLOT * random.randint(1, 1200)
        slots = random.choice([1, 3, 10, 40, 250])
        yield Walk(moment, slots, random.randint(20, 65))
        moment += SLOT * slots


def wearing(random: Random, walk: Walk) -> list[tuple[str, int, int]]:
    """Which device measures which slots: the watch, the phone, both, or one after the other."""
    middle = random.randint(0, walk.slots)
    beside = random.randint(0, walk.slots)
    return [
        (device, first, last)
        for device, first, last in random.choice(
            [
                [(WATCH, 0, walk.slots)],
                [(PHONE, 0, walk.slots)],
                [(WATCH, 0, walk.slots), (PHONE, 0, walk.slots)],
                [(WATCH, 0, max(middle, beside)), (PHONE, min(middle, beside), walk.slots)],
                [(PHONE, 0, middle), (WATCH, middle, walk.slots), (PHONE, middle, walk.slots)],
            ]
        )
        if first < last
    ]


def samples(walk: Walk, homes: list[Home], random: Random) -> Iterator[SentSample]:
    """The samples of a walk: in parts of any length, each in one local time."""
    for device, first, last in wearing(random, walk):
        begun = first
        while begun < last:
            start = walk.start + SLOT * begun
            slots = min(random.choice([2, 2, 2, 7, 100]), last - begun)
            while _offset(homes, start) != _offset(homes, start + SLOT * (slots - 1)):
                slots -= 1
            unit, value = random.choice(
                [
                    ("count", walk.pace * slots),
                    ("count/min", walk.pace * 2),
                    ("count/s", walk.pace / 30),
                ]
            )
            offset = _offset(homes, start)
            end = _iso(start + SLOT * slots, offset)
            yield SentSample(device, None, _iso(start, offset), end, unit, value)
            begun += slots


def _offset(homes: list[Home], moment: datetime) -> timedelta:
    return moment.astimezone(zone_at(homes, moment)).utcoffset() or timedelta()


def _iso(moment: datetime, offset: timedelta) -> str:
    return local_time((moment + offset).replace(tzinfo=None), "", offset // timedelta(minutes=1))


def truth(year: list[Walk], clock: "Clock") -> tuple[dict[str, int], dict[str, int]]:
    """Steps by local day, and by the start of the local hour, slot by slot."""
    days: dict[str, int] = defaultdict(int)
    hours: dict[str, int] = defaultdict(int)
    for walk in year:
        for slot in range(walk.slots):
            local = clock.local(walk.start + SLOT * slot)
            days[f"{local:%Y-%m-%d}"] += walk.pace
            hours[local.replace(minute=0, second=0).isoformat()] += walk.pace
    return days, hours


@dataclass(frozen=True)
class Clock:
    """The local time of a zone or, without one, of the place where the user is."""

    homes: list[Home]
    zone: str | None

    def local(self, moment: datetime) -> datetime:
        """What it shows, with its offset."""
        return moment.astimezone(ZoneInfo(self.zone) if self.zone else zone_at(self.homes, moment))


def rolled_up(store: ModelStore, every: str, zone: str | None) -> dict[str, float]:
    """The rollups of the product by start, on one page."""
    query = RollupQuery("steps", every, zone)  # type: ignore[arg-type]
    found = rollups.page(data_of(store), query, Page(None, 10_000))
    assert found.next is None
    rows = msgspec.to_builtins(found.buckets)
    return {row["start"][:10] if every == "day" else row["start"]: row["sum"] for row in rows}


@pytest.mark.parametrize("life", LIVES)
def test_a_simulated_year_rolls_up_to_the_steps_walked(life: str) -> None:
    """By hour and by day, in local time and in two time zones."""
    homes = LIVES[life]
    random = Random(life)
    year = list(walks(random))
    received = [sample for walk in year for sample in samples(walk, homes, random)]
    random.shuffle(received)
    store = filled([received[i : i + BATCH] for i in range(0, len(received), BATCH)])
    for zone in ("Europe/Berlin", "America/New_York", None):
        days, hours = truth(year, Clock(homes, zone))
        same(rolled_up(store, "day", zone), days)
        same(rolled_up(store, "hour", zone), hours)


def same(found: dict[str, float], expected: dict[str, int]) -> None:
    """Nothing doubled, nothing dropped, nothing elsewhere."""
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)
