"""Requests that follow the data of the demo, so that the console has something to show."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from uptake.demo.plan import Plan, Upload, bearer, json_body
from uptake.demo.samples import FAULTS, V2_2
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

NEW = 0.7
"""Share of requests with new samples. The others are sent again, faulty ones among them."""

FAULTY = 0.15
"""Share of requests with new samples of which one is invalid."""

SAMPLES = 3


def trickle(plan: Plan) -> Iterator[Upload]:
    """Yield requests without an end: new samples of the users, and requests of the plan."""
    random = plan.random
    while True:
        if random.random() < NEW:
            yield _new_samples(plan)
        else:
            yield random.choice(plan.uploads[random.choice(list(plan.uploads))])


def _new_samples(plan: Plan) -> Upload:
    """The steps of a user in the last minutes."""
    person, random = plan.random.choice(plan.people), plan.random
    now = datetime.fromtimestamp(clock.now() / MICROSECONDS_PER_SECOND, UTC)
    name, version = person.watch
    samples = [
        {
            "device_name": name,
            "device_version": version,
            "start_date": (now.astimezone(person.zone) - timedelta(minutes=ago)).isoformat(),
            "unit": "count",
            "value": random.randrange(5, 120),
        }
        for ago in range(SAMPLES, 0, -1)
    ]
    if random.random() < FAULTY:
        samples.append({**samples[-1], **FAULTS[random.randrange(3)]})
    body = {"user_id": person.user_id, "data_type": "steps", "data": samples}
    return Upload(V2_2, bearer(plan.keys.sender), json_body(body), items=len(samples))
