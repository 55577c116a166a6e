"""Who the made-up users are: where they live, what they wear, what is known about them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random

from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

DAYS = 7
FIRST_USER_ID = 10_001
"""User ids are integers, because that is all that QuestionPro's address takes."""

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

Device = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up user.

    Attributes:
        user_id: as every operation is told it.
        zone: the person's own; its offset is told with every time.
        phone, watch: name and version of the devices that count steps and heart beats.
        activity: how much this person walks; 1 is usual.
        resting: heart beats a minute, asleep.
        wakes: hour of getting up on a weekday.
        attributes: values as they are told back, by name.
    """

    user_id: str
    zone: timezone
    phone: Device
    watch: Device
    activity: float
    resting: int
    wakes: int
    attributes: dict[str, str]


def made_up(count: int, random: Random) -> list[Person]:
    """So many users, no two alike."""
    return [_person(str(FIRST_USER_ID + i), random) for i in range(count)]


def _person(user_id: str, random: Random) -> Person:
    city, country, minutes = random.choice(CITIES)
    signed_up = date(2024, 1, 1) + timedelta(days=random.randrange(600))
    return Person(
        user_id=user_id,
        zone=timezone(timedelta(minutes=minutes)),
        phone=random.choice(PHONES),
        watch=random.choice(WATCHES),
        activity=random.uniform(0.5, 1.6),
        resting=random.randrange(48, 68),
        wakes=random.choice((6, 6, 7, 7, 8)),
        attributes={
            "city": city,
            "country": country,
            "language": random.choice(("en", "de", "pt", "hi", "日本語")),
            "plan": random.choice(("free", "plus", "team")),
            "signed_up": signed_up.isoformat(),
            "age_group": random.choice(("18-29", "30-44", "45-59", "60+")),
            "newsletter": random.choice(("true", "false")),
            "referrer": random.choice(("", "friend", "search")),
        },
    )


def week(zone: timezone) -> list[datetime]:
    """The midnights at which the last whole days before today began, all in one zone."""
    now = datetime.fromtimestamp(clock.now() / MICROSECONDS_PER_SECOND, UTC).astimezone(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(days=DAYS - i) for i in range(DAYS)]
