"""The wall clock; no other module reads it."""

import time
from datetime import UTC, datetime
from functools import lru_cache

from uptake.time_units import MICROSECONDS_PER_SECOND


def now() -> int:
    """The current time in microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000


def iso(moment: int) -> str:
    """A time of `now` as RFC 3339 text in UTC with microseconds."""
    seconds, fraction = divmod(moment, MICROSECONDS_PER_SECOND)
    return f"{_stamp(seconds)}.{fraction:06d}Z"


@lru_cache  # many lines of the log share a second
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
