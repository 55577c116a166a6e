"""Rollups of a user's samples as rows in order, computed one range of time after the other."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from msgspec import Struct

from uptake.model import cancellation
from uptake.reading import SAMPLE_ZONE, DeviceName, Number
from uptake.reading.bounds import ANSWER_MEMORY, ANSWER_PIECES, PIECE_BYTES, TooMuch
from uptake.reading.series import LATEST, SAMPLES_AT_ONCE, Series
from uptake.samples import zones
from uptake.samples.columns import Columns
from uptake.samples.metrics import METRICS, Aggregation, Metric
from uptake.samples.rollup.calendar import FINE, SIZES, Calendar, Every, calendar
from uptake.samples.rollup.pieces import Flags, TooManyPieces
from uptake.samples.rollup.table import Table, Way, roll_up
from uptake.samples.times import Int64s, offset_of
from uptake.time_units import TICKS_PER_DAY

GROWTH = 4
"""Each range has this many times the buckets of the one before; fewer after a limit was hit."""

LOCAL_MERGE_DAYS = 5
"""Days around a range that affect it when devices are merged by each sample's local day. The local
times of one instant differ by up to 48 hours, and devices are ranked by whole local days."""

ZONE_MERGE_DAYS = 2
"""The same for days of a time zone, which are the same for all samples."""

UNMERGED_DAYS = 1
"""The same without merging: local clocks differ from UTC by a day at most."""

CELLS: dict[Every, int] = {"minute": 1, "hour": 1, "day": 1, "week": 7, "month": 31}
"""Maximum number of cells of a bucket."""

Position = tuple[Number, Number, DeviceName]
"""The position of a row: its key, its tiebreak, and the name of its device."""


class WorkLimits(Struct, frozen=True):
    """Limits of the work at a time.

    Attributes:
        samples: approximate number of samples, few enough for the processor's caches.
        cells: days, hours or minutes; each takes about ten numbers.
        pieces: pieces of samples, unless a single bucket has more.
        memory: approximate memory for a single bucket, in bytes.
        answer: pieces of samples for one answer.
    """

    samples: int = SAMPLES_AT_ONCE
    cells: int = 1 << 19
    pieces: int = 1_000_000
    memory: int = ANSWER_MEMORY
    answer: int = ANSWER_PIECES

    @property
    def most_pieces(self) -> int:
        """Pieces of samples that a single bucket may have."""
        return max(self.pieces, self.memory // PIECE_BYTES)


DEFAULT_LIMITS = WorkLimits()


class Bound(Struct, frozen=True):
    """The start or the end of a range: an instant, or a local time, in ticks."""

    ticks: int
    local: bool = False


class RollupQuery(Struct, frozen=True):
    """Which rollups to compute.

    Attributes:
        metric: which samples.
        every: the length of a bucket.
        zone: the time zone of the buckets; None for the local time of each sample.
        device: reads the samples of this device only; None for all devices.
        each: whether each device has buckets of its own; otherwise devices are merged.
        priority: the rank of devices that come before all others.
        explain: whether each bucket contains the share of each device.
        begin, end: selects buckets that start in [begin, end).
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


def zone_named(name: str) -> str | None:
    """Return the zone of a query; None for `SAMPLE_ZONE`.

    Raises:
        ValueError: the name is not an IANA time zone; the message has the nearest name.
    """
    if name == SAMPLE_ZONE:
        return None
    if name not in zones.names():
        shown = repr(name[: zones.MAX_NAME])
        raise ValueError(f"{shown} is not an IANA time zone{zones.hint(name)}")
    return name


@dataclass(frozen=True, slots=True)
class RollupRows:
    """Some rows of a table, in order of key, tiebreak and device.

    Attributes:
        table: the table.
        which: the indexes of the rows.
        names: the devices.
        key: for each row of the table, when its bucket starts: an instant or, for days and longer
            in the local time of each sample, a local time.
        tiebreak: for each row of the table, the offset if buckets with the same key differ in it,
            else 0.
    """

    table: Table
    which: Int64s
    names: tuple[str, ...]
    key: Int64s
    tiebreak: Int64s

    def take(self, count: int) -> "RollupRows":
        """Return the first rows."""
        return replace(self, which=self.which[:count])

    @property
    def last(self) -> Position:
        """The position of the last row."""
        row = int(self.which[-1])
        device = self.table.device
        name = "" if device is None else self.names[int(device[row])]
        return int(self.key[row]), int(self.tiebreak[row]), name


def rollup_rows(
    found: Series,
    query: RollupQuery,
    after: Position | None,
    limit: int,
    limits: WorkLimits = DEFAULT_LIMITS,
) -> Iterator[RollupRows]:
    """Yield all rows after a position, in order, computing them as they are needed.

    Args:
        found: the samples.
        query: which rollups to compute.
        after: the position of the last row of the page before; None to begin.
        limit: approximate number of rows that will be used.
        limits: of the work at a time.

    Raises:
        TooMuch: a bucket, or the answer, has too many samples or devices.
    """
    size = SIZES[query.every]
    low, stop = _range(found, query, after)
    most = max(1, limits.cells // CELLS[query.every])
    count = min(limit + 1, most)
    tail = found.last + TICKS_PER_DAY + size + 1
    margin = _margin(query)
    around = margin * TICKS_PER_DAY
    least = max(size, 2 * around)
    while low < stop:
        cancellation.check()
        room = found.horizon(low, limits.samples)
        high = min(low + count * size, stop, max(room, low + least), tail if low < tail else LATEST)
        columns = _columns(found, query, low - around, high + size + around)
        if columns is not None:
            try:
                most_pieces = limits.pieces if count > 1 else limits.most_pieces
                table = _table(columns, query, low, high, most_pieces)
            except TooManyPieces as error:
                # With a bucket for each device, a page is full long before its last bucket.
                if count == 1 or (not query.each and count <= limit + 1):
                    _require_fewer(error.count, count, limits)
                count = most = max(1, count // GROWTH)
                continue
            if table is not None:
                yield _chosen(_rows(table, columns.devices, query), query, low, high, after)
        low = _onward(found, columns, high, size)
        count = min(count * GROWTH, most)


def _require_fewer(pieces: int, buckets: int, limits: WorkLimits) -> None:
    """Reject work that would not become less in smaller ranges."""
    if buckets == 1:
        raise TooMuch(
            f"One bucket has {pieces} pieces of samples: use shorter buckets, or a single device"
        )
    if pieces > limits.answer:
        raise TooMuch(
            f"{buckets} buckets have {pieces} pieces of samples: use a single device, an earlier "
            f"`to`, longer buckets or a smaller `limit`"
        )


def _range(found: Series, query: RollupQuery, after: Position | None) -> tuple[int, int]:
    """The range of keys that rows may have."""
    # Without a time zone, an instant and its local time differ by up to a day.
    slack = TICKS_PER_DAY if query.zone is None else 0
    low, stop = found.first - TICKS_PER_DAY - SIZES[query.every], LATEST
    if query.begin is not None:
        low = max(low, _instant(query.begin, query.zone) - slack)
    if query.end is not None:
        stop = _instant(query.end, query.zone) + slack
    if after is not None:
        low = max(low, after[0])
    return low, stop


def _instant(bound: Bound, zone: str | None) -> int:
    if zone is None or not bound.local:
        return bound.ticks
    offsets = zones.offsets(zone, bound.ticks - 2 * TICKS_PER_DAY, bound.ticks + 2 * TICKS_PER_DAY)
    return int(offsets.begin(np.array([bound.ticks]))[0])


def _columns(found: Series, query: RollupQuery, low: int, high: int) -> Columns | None:
    columns = found.overlapping(low, high)
    if columns is None or query.device is None:
        return columns
    if query.device not in columns.devices:
        return None
    mine = columns.take(columns.device == columns.devices.index(query.device))
    return mine if len(mine) else None


def _onward(found: Series, columns: Columns | None, high: int, size: int) -> int:
    """The first key after `high` that a row may have; `LATEST` if there are no more rows."""
    if columns is not None:
        ends = columns.start + np.maximum(columns.duration, 0)
        if int(ends.max()) + TICKS_PER_DAY >= high:
            return high
    coming = found.next(high - TICKS_PER_DAY - size)
    return LATEST if coming is None else max(high, coming - TICKS_PER_DAY - size)


def _has_local_key(query: RollupQuery) -> bool:
    return query.zone is None and query.every not in FINE


def _table(columns: Columns, query: RollupQuery, low: int, high: int, most: int) -> Table | None:
    way = Way(
        aggregation=METRICS[query.metric].aggregation,
        every=query.every,
        each=query.each,
        priority=query.priority,
        explain=query.explain,
    )
    return roll_up(columns, _calendar(columns, query, low, high), way, most)


def _calendar(columns: Columns, query: RollupQuery, low: int, high: int) -> Calendar:
    if query.zone is None and not _has_local_key(query):
        offset = offset_of(columns.start_format)
        low, high = low + int(offset.min()), high + int(offset.max())
    return calendar(query.every, low, high, query.zone, _margin(query))


def _margin(query: RollupQuery) -> int:
    """How many days around a range affect it."""
    if METRICS[query.metric].aggregation is Aggregation.MEAN or query.each:
        return UNMERGED_DAYS
    return LOCAL_MERGE_DAYS if query.zone is None else ZONE_MERGE_DAYS


def _rows(table: Table, names: tuple[str, ...], query: RollupQuery) -> RollupRows:
    key = _local(table) if _has_local_key(query) else table.start
    differ_in_offset = query.zone is None and query.every in FINE
    tiebreak = table.start_offset if differ_in_offset else np.zeros_like(key)
    return RollupRows(table, np.arange(len(key)), names, key, tiebreak)


def _chosen(
    rows: RollupRows, query: RollupQuery, low: int, high: int, after: Position | None
) -> RollupRows:
    """The requested rows with a key in [low, high), in order."""
    table, key, tiebreak = rows.table, rows.key, rows.tiebreak
    wanted = (key >= low) & (key < high)
    if query.begin is not None:
        wanted &= _reached(table, query, query.begin)
    if query.end is not None:
        wanted &= ~_reached(table, query, query.end)
    if after is not None:
        wanted &= _behind(rows, after)
    which = np.flatnonzero(wanted)
    device = np.zeros_like(which) if table.device is None else table.device[which]
    order = np.lexsort((device, tiebreak[which], key[which]))
    return replace(rows, which=which[order])


def _local(table: Table) -> Int64s:
    return table.start + table.start_offset


def _reached(table: Table, query: RollupQuery, bound: Bound) -> Flags:
    if query.zone is None and bound.local:
        return _local(table) >= bound.ticks
    return table.start >= _instant(bound, query.zone)


def _behind(rows: RollupRows, after: Position) -> Flags:
    """Which rows come after a position."""
    key, tiebreak, device = rows.key, rows.tiebreak, rows.table.device
    later: Flags = (key > after[0]) | ((key == after[0]) & (tiebreak > after[1]))
    if device is not None:
        same = (key == after[0]) & (tiebreak == after[1])
        later |= same & (device >= bisect_right(rows.names, after[2]))
    return later
