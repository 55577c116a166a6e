"""What a person's devices measure in a week: steps by the hour, heart beats day and night."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from uptake.demo.people import Person, week

Sample = dict[str, Any]

# fmt: off
WEEKDAY = (0, 0, 0, 0, 0, 0, 250, 900, 1400, 500, 250, 300,
           1100, 800, 300, 300, 350, 900, 1500, 1000, 500, 250, 100, 30)
WEEKEND = (0, 0, 0, 0, 0, 0, 20, 100, 300, 700, 1200, 1500,
           1300, 900, 1000, 1300, 1500, 1200, 800, 600, 400, 300, 200, 80)
# fmt: on
"""Steps in each hour of a usual day: to work, lunch and home, or late up and out. Both in the same
hours, and all chance below taken in the same measure: so as many samples are made on any day."""

SATURDAY = 5


def steps(person: Person, random: Random) -> list[Sample]:
    """A sample for every hour in which the phone was carried."""
    samples = []
    name, version = person.phone
    for midnight in week(person.zone):
        curve = WEEKEND if midnight.weekday() >= SATURDAY else WEEKDAY
        mood = person.activity * random.uniform(0.6, 1.4)
        for hour, usual in enumerate(curve):
            value = round(usual * mood * random.uniform(0.5, 1.5))
            if value == 0 or random.random() < 0.1:
                continue
            start = midnight + timedelta(hours=hour, seconds=random.randrange(600))
            end = start + timedelta(seconds=random.randrange(300, 2900))
            samples.append(_sample(name, version, start, end, value, "count"))
    return samples


def beats(
    person: Person, random: Random, minutes: int = 60, watch: str | None = None
) -> list[Sample]:
    """The heart rate every so many minutes: low at night, high after getting up and at six."""
    samples = []
    name, version = person.watch if watch is None else (watch, None)
    for midnight in week(person.zone):
        for minute in range(0, 24 * 60, minutes):
            at = midnight + timedelta(minutes=minute, seconds=random.randrange(minutes * 30))
            samples.append(_sample(name, version, at, None, _rate(person, at, random), "count/min"))
    return samples


def _rate(person: Person, at: datetime, random: Random) -> int:
    wakes = person.wakes + 2 * (at.weekday() >= SATURDAY)
    asleep, awake = random.randrange(-3, 5), random.gauss(0, 6)
    if at.hour < wakes or at.hour >= 23:
        return person.resting + asleep
    exercise = 45 * person.activity if at.hour == 18 else 0
    return round(person.resting + 18 + exercise + awake)


def _sample(  # noqa: PLR0913, PLR0917 - one argument a member
    name: str, version: str | None, start: datetime, end: datetime | None, value: int, unit: str
) -> Sample:
    return {
        "device_name": name,
        "device_version": version,
        "start_date": start.isoformat(timespec="milliseconds"),
        "end_date": end and end.isoformat(timespec="milliseconds"),
        "value": value,
        "unit": unit,
    }
