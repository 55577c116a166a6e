"""Times and time zones in queries."""

from dataclasses import dataclass
from typing import Annotated

from uptake.http.api.dependencies import Text, query
from uptake.model.problems import Kinds, Problem
from uptake.reading.rollup_rows import Bound, zone_named
from uptake.reading.series import EARLIEST, LATEST, SampleQuery
from uptake.samples import times
from uptake.samples.metrics import Metric
from uptake.time_units import TICKS_PER_MICROSECOND

TIME = "ISO 8601; the default zone is UTC"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Parameters that select samples by their start."""

    from_: Annotated[Text, query(f"Inclusive. {TIME}", name="from")] = None
    to: Annotated[Text, query(f"Exclusive. {TIME}")] = None

    def samples(self, metric: Metric) -> SampleQuery:
        """The samples of a metric in this range.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        start, end = instant("from", self.from_), instant("to", self.to)
        return SampleQuery(
            metric, EARLIEST if start is None else start, LATEST if end is None else end
        )


def instant(name: str, text: str | None) -> int | None:
    """A time from a query, in ticks; None without one.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    return _zoned_instant(name, text)[0] if text else None


def microseconds(name: str, text: str | None) -> int | None:
    """The first whole microsecond at or after a time from a query; None without one.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    ticks = instant(name, text)
    return None if ticks is None else -(-ticks // TICKS_PER_MICROSECOND)


def _zoned_instant(name: str, text: str) -> tuple[int, bool]:
    """A time from a query, in ticks, and whether it has an offset or `Z`.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    # In a query, an offset's plus sign that is not encoded arrives as a space.
    for attempt in (text, "+".join(text.rsplit(" ", 1))):
        try:
            return times.read_zoned(attempt)
        except ValueError:
            continue
    raise Problem(Kinds.BAD_REQUEST, f"{name}: {text[:100]!r} is not an ISO 8601 timestamp")


def zone(name: str) -> str | None:
    """The time zone of rollups from a query; None for `SAMPLE_ZONE`.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    try:
        return zone_named(name)
    except ValueError as error:
        raise Problem(Kinds.BAD_REQUEST, f"zone: {error}") from None


def bound(name: str, text: str | None) -> Bound | None:
    """A time from a query, which without an offset is local; None without one.

    Raises:
        Problem: `BAD_REQUEST`.
    """
    if not text:
        return None
    ticks, with_offset = _zoned_instant(name, text)
    return Bound(ticks, local=not with_offset)
