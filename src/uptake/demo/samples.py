"""A week of steps by the hour and heart rates day and night, uploaded as Gerosense's clients do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from uptake.demo.plan import Device, Person, Plan, Sample, Upload, bearer, json_body, week

V1_1, V2_2 = "/api/v1.1/samples", "/api/v2.2/samples"
FAULTY_EVERY = 6
"""One in this many batches contains invalid samples."""

REPEATED_EVERY = 10
"""The end of one in this many batches is sent twice, as by a client that lost a response."""

BATCH = 1000
FAULTS: tuple[Sample, ...] = (
    {"value": 0},
    {"value": 31_000},
    {"value": "120"},
    {"unit": "steps"},
    {"device_name": " "},
    {"start_date": "yesterday"},
    {"end_date": "2001-01-01T00:00:00Z"},
    {"value": ...},
)
"""Changes that make a valid sample invalid; `...` removes the member."""

# fmt: off
WEEKDAY = (0, 0, 0, 0, 0, 0, 250, 900, 1400, 500, 250, 300,
           1100, 800, 300, 300, 350, 900, 1500, 1000, 500, 250, 100, 30)
WEEKEND = (0, 0, 0, 0, 0, 0, 20, 100, 300, 700, 1200, 1500,
           1300, 900, 1000, 1300, 1500, 1200, 800, 600, 400, 300, 200, 80)
# fmt: on
"""Average steps in each hour. Both have steps in the same hours, so that the number of samples
does not depend on the day of the week on which the demo runs."""

SATURDAY = 5


def server_uploads(plan: Plan) -> list[Upload]:
    """Return everybody's steps and heart rates for v2.2, some of them repeated, some invalid."""
    found = []
    for i, person in enumerate(plan.people):
        steps, beats = _steps(person, plan.random), _beats(person, person.watch, 60, plan.random)
        plan.samples[person.user_id, "steps"] += steps
        plan.samples[person.user_id, "bpm"] += beats
        invalid = steps[: len(FAULTS)] if i % FAULTY_EVERY == 0 else []
        user, key = person.user_id, plan.keys.sender
        found.append(_upload(V2_2, key, _body("steps", steps, user), invalid))
        found.append(_upload(V2_2, key, _body("bpm", beats, user)))
        if i % REPEATED_EVERY == 0:
            found.append(_upload(V2_2, key, _body("bpm", beats[-100:], user)))
    return found


def user_uploads(plan: Plan) -> list[Upload]:
    """Return the second user's heart rates for v1.1, with a key that is bound to that user."""
    person, keys = plan.people[1], plan.keys
    beats = _beats(person, ("Polar Ignite 3", None), 5, plan.random)
    plan.samples[person.user_id, "bpm"] += beats
    batches = [beats[start : start + BATCH] for start in range(0, len(beats), BATCH)]
    overlapping = beats[BATCH // 2 : BATCH // 2 + BATCH]
    return [
        *(_upload(V1_1, keys.bound, _body("bpm", some)) for some in (*batches, overlapping)),
        _upload(V1_1, keys.bound, _body("bpm", beats[:50]), beats[: len(FAULTS)]),
    ]


def _steps(person: Person, random: Random) -> list[Sample]:
    """A sample for every hour in which the phone was carried."""
    samples = []
    for midnight in week(person.zone):
        curve = WEEKEND if midnight.weekday() >= SATURDAY else WEEKDAY
        mood = person.activity * random.uniform(0.6, 1.4)
        for hour, average in enumerate(curve):
            value = round(average * mood * random.uniform(0.5, 1.5))
            if value == 0 or random.random() < 0.1:
                continue
            start = midnight + timedelta(hours=hour, seconds=random.randrange(600))
            end = start + timedelta(seconds=random.randrange(300, 2900))
            samples.append(_sample(person.phone, start, end, value))
    return samples


def _beats(person: Person, watch: Device, minutes: int, random: Random) -> list[Sample]:
    """The heart rate every few minutes: low at night, high at six in the evening."""
    samples = []
    for midnight in week(person.zone):
        wakes = person.wakes + 2 * (midnight.weekday() >= SATURDAY)
        for minute in range(0, 24 * 60, minutes):
            at = midnight + timedelta(minutes=minute, seconds=random.randrange(minutes * 30))
            rate = person.resting + random.gauss(0, 5)
            if wakes <= at.hour < 23:
                rate += 18 + 45 * person.activity * (at.hour == 18)
            samples.append(_sample(watch, at, None, round(rate)))
    return samples


def _sample(device: Device, start: datetime, end: datetime | None, value: int) -> Sample:
    return {
        "device_name": device[0],
        "device_version": device[1],
        "start_date": start.isoformat(timespec="milliseconds"),
        "end_date": end and end.isoformat(timespec="milliseconds"),
        "value": value,
        "unit": "count" if end else "count/min",
    }


def _body(metric: str, samples: Sequence[Any], user_id: str | None = None) -> dict[str, Any]:
    user = {} if user_id is None else {"user_id": user_id}
    return {**user, "data_type": metric, "data": samples}


def _upload(path: str, key: str, body: dict[str, Any], invalid: Sequence[Sample] = ()) -> Upload:
    """A batch of valid samples, to which some that are made invalid are added."""
    valid = body["data"]
    bad = [
        {name: value for name, value in (sample | change).items() if value is not ...}
        for sample, change in zip(invalid, FAULTS, strict=False)
    ]
    content = json_body(body | {"data": [*valid, *bad]})
    return Upload(path, bearer(key), content, len(valid) + len(bad), len(valid))
