"""What a user's samples come to, as rows of tables in order, stretch by stretch of time."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from uptake.model import cancellation
from uptake.reading import DeviceName, Number
from uptake.reading.bounds import (
    ANSWER_MEMORY,
    ANSWER_PIECES,
    PIECE_BYTES,
    TooMuch,
)
from uptake.reading.stretches import LATEST, WORKED_SAMPLES, Series
from uptake.samples import zones
from uptake.samples.columns import Columns
from uptake.samples.metrics import METRICS, Aggregation, Metric
from uptake.samples.rollup.calendar import FINE, SIZES, Calendar, Every, calendar
from uptake.samples.rollup.pieces import Flags, TooManyPieces
from uptake.samples.rollup.table import Table, Way, roll_up
from uptake.samples.times import Int64s, offset_of
from uptake.time_units import TICKS_PER_DAY

GROWTH = 4
"""How much longer a stretch is than the one before, and shorter where that was too much."""

APART_DAYS = 5
"""Days around a stretch that have a say in it when devices are merged. Two samples of one instant
may be told up to 48 hours apart, and which one counts is decided over the whole day of each."""

AROUND_DAYS = 2
"""The same where days are those of a zone, and so are the same for all samples."""

NEAR_DAYS = 1
"""The same when devices are not merged: clocks are at most a day from UTC, and change by less."""

CELLS: dict[Every, int] = {"minute": 1, "hour": 1, "day": 1, "week": 7, "month": 31}
"""Cells of a bucket at most."""

Place = tuple[Number, Number, DeviceName]
"""A row's place in the order: its key, its offset where that tells it apart, its device's name."""


class Stretch(Struct, frozen=True):
    """How much is worked on at a time.

    Attributes:
        samples: about so many: what is worked out of them still fits the processor's caches, and
            the memory that it takes is not asked of the system again and again.
        cells: days, hours or minutes at most; about ten numbers are kept for each.
        pieces: into which samples are cut, at most unless a single bucket needs more.
        memory: bytes that a single bucket may take, about.
        answer: pieces that may be worked on for a whole answer.
    """

    samples: int = WORKED_SAMPLES
    cells: int = 1 << 19
    pieces: int = 1_000_000
    memory: int = ANSWER_MEMORY
    answer: int = ANSWER_PIECES

    @property
    def most_pieces(self) -> int:
        """Into which the samples of a single bucket may be cut."""
        return max(self.pieces, self.memory // PIECE_BYTES)


USUAL = Stretch()


class Bound(Struct, frozen=True):
    """From when on, or until when: an instant in ticks, or what the local clock shows then."""

    ticks: int
    local: bool


class Question(Struct, frozen=True):
    """What is asked.

    Attributes:
        metric: what the samples measure.
        every: how long a bucket is.
        zone: whose days and hours; None for those of each sample's own clock.
        device: samples of this device alone; None for those of all.
        each: whether every device has buckets of its own; else they are brought together.
        priority: the places of devices that go before all others.
        explain: whether each bucket tells the part of every device.
        begin, end: only buckets that start in [begin, end).
    """

    metric: Metric
    every: Every = "day"
    zone: str | None = None
    device: str | None = None
    each: bool = False
    priority: dict[str, int] = {}
    explain: bool = False
    begin: Bound | None = None
    end: Bound | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table, in order of key, offset and device.

    Attributes:
        table: what they are rows of.
        which: their numbers in it.
        names: of the devices.
        key: of every row of the table: when its bucket starts, an instant or, for whole days of
            every sample's own, a reading of the local clock.
        apart: of every row: its offset where two buckets of one key differ in that, else 0.
    """

    table: Table
    which: Int64s
    names: tuple[str, ...]
    key: Int64s
    apart: Int64s

    def take(self, count: int) -> "Rows":
        """The first so many."""
        return Rows(self.table, self.which[:count], self.names, self.key, self.apart)

    @property
    def last(self) -> Place:
        """The place of the last."""
        row = int(self.which[-1])
        device = self.table.device
        name = "" if device is None else self.names[int(device[row])]
        return int(self.key[row]), int(self.apart[row]), name


def rows(
    found: Series,
    question: Question,
    after: Place | None,
    limit: int,
    stretch: Stretch = USUAL,
) -> Iterator[Rows]:
    """All rows after a place, in order; no more work is done than has to be for what is taken.

    Args:
        found: where the samples are.
        question: what is asked of them.
        after: the place of the row before the first.
        limit: how many rows will be taken, about.
        stretch: how much is worked on at a time.

    Raises:
        TooMuch: a bucket, or what may be asked for at once, has too many samples or devices.
    """
    size = SIZES[question.every]
    low, stop = _range(found, question, after)
    most = max(1, stretch.cells // CELLS[question.every])
    count = min(limit + 1, most)
    tail = found.last + TICKS_PER_DAY + size + 1
    margin = _margin(question)
    around = margin * TICKS_PER_DAY
    least = max(size, 2 * around)
    while low < stop:
        cancellation.check()
        room = found.horizon(low, stretch.samples)
        high = min(low + count * size, stop, max(room, low + least), tail if low < tail else LATEST)
        columns = _columns(found, question, low - around, high + size + around)
        if columns is not None:
            try:
                most_pieces = stretch.pieces if count > 1 else stretch.most_pieces
                table = _table(columns, question, low, high, most_pieces)
            except TooManyPieces as error:
                # Devices in buckets of their own fill a page long before its last bucket.
                if count == 1 or (not question.each and count <= limit + 1):
                    _require_fewer(error.count, count, stretch)
                count = most = max(1, count // GROWTH)
                continue
            if table is not None:
                yield _chosen(table, columns.devices, question, low, high, after)
        low = _onward(found, columns, high, size)
        count = min(count * GROWTH, most)


def _require_fewer(pieces: int, buckets: int, stretch: Stretch) -> None:
    """Reject what will not be less when it is worked out in parts."""
    if buckets == 1:
        raise TooMuch(
            f"One bucket has {pieces} parts of samples: ask for shorter buckets, or a device"
        )
    if pieces > stretch.answer:
        raise TooMuch(
            f"{pieces} parts of samples in {buckets} buckets: ask for one device, a nearer `to`, "
            f"longer buckets or a smaller `limit`"
        )


def _range(found: Series, question: Question, after: Place | None) -> tuple[int, int]:
    """From which key on there may be rows, and up to which."""
    # Where the local clock is each sample's own, instant and reading are up to a day apart.
    slack = TICKS_PER_DAY if question.zone is None else 0
    low, stop = found.first - TICKS_PER_DAY - SIZES[question.every], LATEST
    if question.begin is not None:
        low = max(low, _instant(question.begin, question.zone) - slack)
    if question.end is not None:
        stop = _instant(question.end, question.zone) + slack
    if after is not None:
        low = max(low, after[0])
    return low, stop


def _instant(bound: Bound, zone: str | None) -> int:
    if zone is None or not bound.local:
        return bound.ticks
    offsets = zones.offsets(zone, bound.ticks - 2 * TICKS_PER_DAY, bound.ticks + 2 * TICKS_PER_DAY)
    return int(offsets.begin(np.array([bound.ticks]))[0])


def _columns(found: Series, question: Question, low: int, high: int) -> Columns | None:
    columns = found.reaching(low, high)
    if columns is None or question.device is None:
        return columns
    if question.device not in columns.devices:
        return None
    mine = columns.take(columns.device == columns.devices.index(question.device))
    return mine if len(mine) else None


def _onward(found: Series, columns: Columns | None, high: int, size: int) -> int:
    """The key from which on there may be rows, after all up to `high`; `LATEST` when none is."""
    if columns is not None:
        ends = columns.start + np.maximum(columns.duration, 0)
        if int(ends.max()) + TICKS_PER_DAY >= high:
            return high
    coming = found.next(high - TICKS_PER_DAY - size)
    return LATEST if coming is None else max(high, coming - TICKS_PER_DAY - size)


def _by_reading(question: Question) -> bool:
    return question.zone is None and question.every not in FINE


def _table(columns: Columns, question: Question, low: int, high: int, most: int) -> Table | None:
    way = Way(
        aggregation=METRICS[question.metric].aggregation,
        every=question.every,
        each=question.each,
        priority=question.priority,
        explain=question.explain,
    )
    return roll_up(columns, _calendar(columns, question, low, high), way, most)


def _calendar(columns: Columns, question: Question, low: int, high: int) -> Calendar:
    if question.zone is None and not _by_reading(question):
        offset = offset_of(columns.start_format)
        low, high = low + int(offset.min()), high + int(offset.max())
    return calendar(question.every, low, high, question.zone, _margin(question))


def _margin(question: Question) -> int:
    """How many days around a stretch have a say in it."""
    if METRICS[question.metric].aggregation is Aggregation.MEAN or question.each:
        return NEAR_DAYS
    return APART_DAYS if question.zone is None else AROUND_DAYS


def _chosen(  # noqa: PLR0913, PLR0917 - a table and all that limits it
    table: Table,
    names: tuple[str, ...],
    question: Question,
    low: int,
    high: int,
    after: Place | None,
) -> Rows:
    """The rows with a key in [low, high) that were asked for, in order."""
    reading = table.start + table.start_offset
    own_parts = question.zone is None and question.every in FINE
    key = reading if _by_reading(question) else table.start
    apart = table.start_offset if own_parts else np.zeros_like(key)
    wanted = (key >= low) & (key < high)
    if question.begin is not None:
        wanted &= _reached(table.start, reading, question, question.begin)
    if question.end is not None:
        wanted &= ~_reached(table.start, reading, question, question.end)
    if after is not None:
        wanted &= _behind(key, apart, table.device, names, after)
    which = np.flatnonzero(wanted)
    device = np.zeros_like(which) if table.device is None else table.device[which]
    order = np.lexsort((device, apart[which], key[which]))
    return Rows(table, which[order], names, key, apart)


def _reached(start: Int64s, reading: Int64s, question: Question, bound: Bound) -> Flags:
    if question.zone is None and bound.local:
        reached: Flags = reading >= bound.ticks
    else:
        reached = start >= _instant(bound, question.zone)
    return reached


def _behind(
    key: Int64s, apart: Int64s, device: Int64s | None, names: tuple[str, ...], place: Place
) -> Flags:
    """Which rows come after a place."""
    later: Flags = (key > place[0]) | ((key == place[0]) & (apart > place[1]))
    if device is None:
        return later
    here = (key == place[0]) & (apart == place[1])
    later |= here & (device >= bisect_right(names, place[2]))
    return later
