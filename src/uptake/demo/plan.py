"""The demo's generated users, its requests, and what must be stored afterwards."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

import msgspec

from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

SEED = 20261
"""Every run generates the same data; only the dates differ."""

PEOPLE = 240
FIRST_USER_ID = 10_001
"""User ids are integers, because QuestionPro's path accepts nothing else."""

DAYS = 7
CITIES = (
    ("Lisbon", "PT", 0),
    ("Berlin", "DE", 60),
    ("Dubai", "AE", 240),
    ("Mumbai", "IN", 330),
    ("Tokyo", "JP", 540),
    ("New York", "US", -300),
    ("St. John's", "CA", -210),
)
"""Name, country and minutes east of UTC."""

PHONES = (("iPhone", "17.0.3"), ("Pixel 9", "15"), ("Galaxy S25", None))
WATCHES = (("Apple Watch", "11.1"), ("Fitbit Charge 6", "194.61"), ("Garmin Venu 3", None))
ATTRIBUTES = {
    "language": ("en", "de", "pt", "hi", "日本語"),
    "plan": ("free", "plus", "team"),
    "age_group": ("18-29", "30-44", "45-59", "60+"),
    "newsletter": ("true", "false"),
    "referrer": ("", "friend", "search"),
}

Device = tuple[str, str | None]
Sample = dict[str, Any]
json_body = msgspec.json.Encoder().encode


class Person(NamedTuple):
    """A generated user: attributes, and how much and with which devices the person moves."""

    user_id: str
    zone: timezone
    phone: Device
    watch: Device
    activity: float
    resting: int
    wakes: int
    attributes: dict[str, str]


class Keys(NamedTuple):
    """The API keys of the demo; `bound` is bound to the second user."""

    sender: str
    bound: str
    reader: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A request, how many items it contains, and how many of them must be accepted.

    A document is read back as `user_id` and `document`. With `later`, the request is sent after
    all other requests of its operation.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    items: int = 1
    accepted: int = 1
    user_id: str = ""
    document: Any = None
    later: bool = False


@dataclass
class Plan:
    """The requests by operation, and what must be stored: attributes, samples, number of images."""

    people: list[Person]
    keys: Keys
    random: Random
    uploads: dict[str, list[Upload]] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    images: Counter[str] = field(default_factory=Counter)


def generate_people() -> list[Person]:
    """Return the users of the demo."""
    random = Random(SEED)  # noqa: S311 - generated data
    return [_person(str(FIRST_USER_ID + i), random) for i in range(PEOPLE)]


def _person(user_id: str, random: Random) -> Person:
    city, country, minutes = random.choice(CITIES)
    signed_up = (date(2024, 1, 1) + timedelta(days=random.randrange(600))).isoformat()
    chosen = {name: random.choice(values) for name, values in ATTRIBUTES.items()}
    return Person(
        user_id=user_id,
        zone=timezone(timedelta(minutes=minutes)),
        phone=random.choice(PHONES),
        watch=random.choice(WATCHES),
        activity=random.uniform(0.5, 1.6),
        resting=random.randrange(48, 68),
        wakes=random.choice((6, 6, 7, 7, 8)),
        attributes={"city": city, "country": country, "signed_up": signed_up, **chosen},
    )


def week(zone: timezone) -> list[datetime]:
    """Return the local midnights at which the last whole days before today began."""
    now = datetime.fromtimestamp(clock.now() / MICROSECONDS_PER_SECOND, UTC).astimezone(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(days=DAYS - i) for i in range(DAYS)]


def bearer(key: str) -> dict[str, str]:
    """Return the headers of a JSON body with a bearer token."""
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
