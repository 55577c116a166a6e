"""Units of time as integers; each name has both units.

Moments (when data was received) are microseconds since the epoch. Times of samples are ticks of
100 ns since the epoch, the precision that clients send.
"""

import re

SECONDS_PER_DAY = 86_400

MICROSECONDS_PER_MILLISECOND = 1000
MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_HOUR = 3600 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_DAY = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND

TICKS_PER_SECOND = 10_000_000
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY = SECONDS_PER_DAY * TICKS_PER_SECOND
TICKS_PER_MICROSECOND = TICKS_PER_SECOND // MICROSECONDS_PER_SECOND

DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": SECONDS_PER_DAY, "w": 7 * SECONDS_PER_DAY}
"""Units of a written duration such as `90d`, in seconds."""

MAX_DURATION_SECONDS = 100 * 365 * SECONDS_PER_DAY
"""The longest duration, so that every moment that follows from one is a valid date."""

_DURATION = re.compile(r"([1-9][0-9]{0,9})([smhdw])")


def read_duration(text: str) -> int:
    """Read a duration such as `90d`, in seconds.

    Raises:
        ValueError: it is not a duration.
    """
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) * DURATION_UNITS[found[2]] > MAX_DURATION_SECONDS:
        raise ValueError("must be a number and a unit (s, m, h, d or w), e.g. 90d")
    return int(found[1]) * DURATION_UNITS[found[2]]
