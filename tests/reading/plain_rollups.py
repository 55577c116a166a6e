"""Rollups worked out the long way: one moment after the other, with Python's own clocks."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from samples.making import SentSample
from uptake.samples import times

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - clock readings
TICKS = 10_000_000
STEP = timedelta(minutes=1)


def instant_of(ticks: int) -> datetime:
    """An instant in UTC, to the microsecond."""
    return EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=ticks // 10)


def ticks_of(moment: datetime) -> int:
    """An instant in ticks."""
    return (moment - EPOCH.replace(tzinfo=UTC)) // timedelta(microseconds=1) * 10


@dataclass(frozen=True)
class Sample:
    """A sample in plain numbers."""

    device: str
    start: int
    end: int
    offset: timedelta
    unit: str
    value: Fraction
    has_end: bool

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Its place among all: a sample without an end comes before one that ends at its start."""
        return self.start, self.length if self.has_end else -1, self.device, self.unit

    @property
    def length(self) -> int:
        """Ticks."""
        return self.end - self.start

    @property
    def steps(self) -> Fraction:
        """A rate counts over the sample's length."""
        seconds = Fraction(self.length, TICKS)
        factors = {"count": Fraction(1), "count/min": seconds / 60, "count/s": seconds}
        return self.value * factors[self.unit]

    @property
    def rate(self) -> Fraction:
        """Beats a minute."""
        return self.value * (60 if self.unit == "count/s" else 1)

    @property
    def speaks(self) -> bool:
        """A rate over no time is no number of steps."""
        return self.length > 0 or self.unit == "count"


def plain(sent: SentSample) -> Sample:
    """A sample as it is sent."""
    start = times.read(sent.start)[0]
    end = start if sent.end is None else times.read(sent.end)[0]
    offset = datetime.fromisoformat(sent.start).utcoffset() or timedelta()
    has_end = sent.end is not None
    return Sample(sent.device, start, end, offset, sent.unit, Fraction(sent.value), has_end)


@dataclass(frozen=True)
class Clock:
    """Local time and the bounds of buckets: in a time zone, or with each sample's offset."""

    every: str
    zone: str | None

    def reading(self, at: int, sample: Sample) -> datetime:
        """What the clock shows."""
        moment = instant_of(at)
        if self.zone is None:
            return moment.replace(tzinfo=None) + sample.offset
        return moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def offset(self, at: int, sample: Sample) -> timedelta:
        """How far the clock is east of UTC."""
        return self.reading(at, sample) - instant_of(at).replace(tzinfo=None)

    def day(self, at: int, sample: Sample) -> date:
        """The local day."""
        return self.reading(at, sample).date()

    def midnight(self, day: date, sample: Sample) -> int:
        """When a day begins."""
        local = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a clock reading
        if self.zone is None:
            return ticks_of((local - sample.offset).replace(tzinfo=UTC))
        # For a midnight that clocks skip, `datetime` returns the moment of the change.
        return ticks_of(local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC))

    def bucket(self, at: int, sample: Sample) -> tuple[int, int]:
        """The start and the end of the bucket that contains a moment."""
        day = self.day(at, sample)
        if self.every == "day":
            first, last = day, day + timedelta(days=1)
        elif self.every == "week":
            first = day - timedelta(days=day.weekday())
            last = first + timedelta(days=7)
        elif self.every == "month":
            first = day.replace(day=1)
            last = (first + timedelta(days=32)).replace(day=1)
        else:
            return self._part(at, sample)
        return self.midnight(first, sample), self.midnight(last, sample)

    def _part(self, at: int, sample: Sample) -> tuple[int, int]:
        """The minute or hour: as long as neither its number nor the offset changes."""
        here = self._label(at, sample)
        first = ticks_of(instant_of(at).replace(second=0, microsecond=0))
        while self._label(first - 60 * TICKS, sample) == here:
            first -= 60 * TICKS
        last = first
        while self._label(last, sample) == here:
            last += 60 * TICKS
        return first, last

    def _label(self, at: int, sample: Sample) -> tuple[datetime, timedelta]:
        reading = self.reading(at, sample).replace(second=0, microsecond=0)
        if self.every == "hour":
            reading = reading.replace(minute=0)
        return reading, self.offset(at, sample)


@dataclass
class Share:
    """What a device has to do with a bucket."""

    given: Fraction = Fraction()
    left_out: Fraction = Fraction()
    count: int = 0
    rates: list[tuple[Fraction, Fraction]] = field(default_factory=list)


@dataclass
class Bucket:
    """What samples come to in a bucket; the shares are by device."""

    touching: list[Sample] = field(default_factory=list)
    shares: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))


Key = tuple[object, ...]


class Rollup:
    """All buckets of samples, each of which is sent once.

    Whole days of each sample's own are the same bucket when their dates are; else a bucket is one
    when its instants and, with hours and minutes of each sample's own, its offset are.
    """

    def __init__(
        self, sent: list[SentSample], clock: Clock, priority: list[str], *, each: bool
    ) -> None:
        self.samples = sorted(
            {one.identity: plain(one) for one in sent}.values(), key=lambda s: s.order
        )
        self.clock, self.priority, self.each = clock, priority, each
        self.buckets: dict[Key, Bucket] = defaultdict(Bucket)
        for sample in self.samples:
            self._share(sample.start, sample).count += 1
        moments = sorted({at for sample in self.samples for at in self._cuts(sample)})
        for begin, end in pairwise(moments):
            self._count_lengths(begin, end)
        for sample in self.samples:
            if not sample.length:
                self._count_point(sample)

    def _cuts(self, sample: Sample) -> Iterator[int]:
        """Its start and end, and where a bucket or a day begins between them."""
        at = sample.start
        while at < sample.end:
            yield at
            tomorrow = self.clock.day(at, sample) + timedelta(days=1)
            at = min(self.clock.bucket(at, sample)[1], self.clock.midnight(tomorrow, sample))
        yield sample.end

    def _key(self, at: int, sample: Sample) -> Key:
        start, end = self.clock.bucket(at, sample)
        device = sample.device if self.each else ""
        if self.clock.zone is not None:
            return start, end, device
        if self.clock.every in {"minute", "hour"}:
            return start, end, sample.offset, device
        return self.clock.reading(start, sample), self.clock.reading(end, sample), device

    def _share(self, at: int, sample: Sample) -> Share:
        bucket = self.buckets[self._key(at, sample)]
        bucket.touching.append(sample)
        return bucket.shares[sample.device]

    def _place(self, at: int, sample: Sample) -> tuple[object, ...]:
        """The rank of a sample's device at a moment: the smallest counts."""
        day = self.clock.day(at, sample)
        count = sum(
            other.device == sample.device and self.clock.day(other.start, other) == day
            for other in self.samples
        )
        named = sample.device in self.priority
        place = self.priority.index(sample.device) if named else len(self.priority)
        return place, -count, sample.device

    def _count_lengths(self, begin: int, end: int) -> None:
        active = [s for s in self.samples if s.start <= begin and end <= s.end and s.length]
        if not active:
            return
        best = min(active, key=lambda s: self._place(begin, s)).device
        for sample in active:
            share = self._share(begin, sample)
            part = Fraction(end - begin, sample.length)
            if self.each or sample.device == best:
                share.given += sample.steps * part
            else:
                share.left_out += sample.steps * part
            share.rates.append((sample.rate, Fraction(end - begin, TICKS)))

    def _count_point(self, point: Sample) -> None:
        share = self._share(point.start, point)
        share.rates.append((point.rate, Fraction(1)))
        if not point.speaks:
            return
        there = [
            s
            for s in self.samples
            if s.speaks
            and (s.start <= point.start < s.end or (not s.length and s.start == point.start))
        ]
        best = min(there, key=lambda s: self._place(point.start, s)).device
        if self.each or point.device == best:
            share.given += point.steps
        else:
            share.left_out += point.steps

    def rows(self, metric: str, *, explain: bool) -> list[dict[str, object]]:
        """The buckets as they are shown, in order."""
        shown = [self._row(key, metric, explain=explain) for key in self.buckets]
        return [row for _, row in sorted(shown, key=lambda pair: pair[0])]

    def _row(
        self, key: Key, metric: str, *, explain: bool
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        bucket = self.buckets[key]
        touching = sorted(bucket.touching, key=lambda sample: sample.order)
        first, last = touching[0], touching[-1]
        start, end = key[0], key[1]
        if isinstance(start, datetime) and isinstance(end, datetime):
            order: tuple[object, ...] = (start, timedelta())
            shown = [_iso(start, first.offset), _iso(end, last.offset)]
        else:
            assert isinstance(start, int)
            assert isinstance(end, int)
            shown = [
                _iso(self.clock.reading(at, first), self.clock.offset(at, first))
                for at in (start, end)
            ]
            own = self.clock.zone is None
            order = (start, first.offset if own else timedelta())
        row: dict[str, object] = {"start": shown[0], "end": shown[1]}
        if self.each:
            row["device_name"] = key[-1]
        row |= _figures(metric, list(bucket.shares.values()))
        row["count"] = sum(share.count for share in bucket.shares.values())
        if explain:
            row["devices"] = [
                {"device_name": name}
                | _figures(metric, [share])
                | ({"left_out": float(share.left_out)} if metric == "steps" else {})
                | {"count": share.count}
                for name, share in sorted(bucket.shares.items())
            ]
        return (*order, key[-1] if self.each else ""), row


def _figures(metric: str, shares: list[Share]) -> dict[str, object]:
    if metric == "steps":
        return {"sum": float(sum(share.given for share in shares))}
    rates = [pair for share in shares for pair in share.rates]
    weight = sum(weight for _, weight in rates)
    return {
        "min": float(min(rate for rate, _ in rates)),
        "mean": float(sum(rate * weight for rate, weight in rates) / weight),
        "max": float(max(rate for rate, _ in rates)),
    }


def _iso(reading: datetime, offset: timedelta) -> str:
    minutes = offset // STEP
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{reading:%Y-%m-%dT%H:%M:%S}{sign}{size // 60:02d}:{size % 60:02d}"
