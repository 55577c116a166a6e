"""A user's year as a phone sends it: ten samples every quarter of an hour, read back.

`python -m benchmarks --only phone` measures this alone, when none of the batches is folded, when
the newest are not, as at this rate, and when all are. The reads are called in this process,
without HTTP.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec

from benchmarks.server import ServerError
from benchmarks.subjects import POSTGRESQL, PRODUCTS
from benchmarks.tables import table
from benchmarks.verdicts import verdict
from uptake.intake.fold import LEAST_BATCHES
from uptake.reading import Page, rollups, samples, sync, users
from uptake.reading.rollup_rows import Bound, RollupQuery
from uptake.reading.series import SampleQuery, UserData
from uptake.samples import columns
from uptake.store import postgres as postgres_store
from uptake.store import sqlite, tables
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import BatchRecord, Entry
from uptake.testing.postgres import Postgres, PostgresFailed, postgres
from uptake.time_units import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_MILLISECOND,
    MICROSECONDS_PER_SECOND,
    TICKS_PER_DAY,
    TICKS_PER_SECOND,
)

if TYPE_CHECKING:
    from rich.console import Console

PART = "phone"
SEED = 20260131
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAY = 96
"""Batches of a day."""

BATCHES = 365 * DAY
BATCH = 10
EVERY = timedelta(minutes=15)
GAP = 90
"""Seconds from one sample to the next, about."""

USER = "42"
DATABASE = "phone"
ID_MILLISECONDS = 20
"""Milliseconds at most from the time in the id of a request to its receipt."""

GROUP = 32
"""Batches of one commit at most, as if other users had sent them too."""

ASKED = 7
"""How often each read is called."""

LARGEST_PAGE = 10_000


class Read(NamedTuple):
    """A read, and the target of its time after folding; before folding it is twice that."""

    name: str
    call: Callable[[UserData], Any]
    at_most_ms: float


def _rollup(every: Any, begin: datetime | None = None) -> Callable[[UserData], Any]:
    bound = None
    end = None
    if begin is not None:
        start = int(begin.timestamp()) * TICKS_PER_SECOND
        bound, end = Bound(start, local=False), Bound(start + 7 * TICKS_PER_DAY, local=False)
    query = RollupQuery("steps", every, zone="UTC", begin=bound, end=end)
    return lambda user: rollups.page(user, query, Page(None, LARGEST_PAGE))


READS = (
    Read("profile", users.profile, 5),
    Read("first page", partial(samples.page, query=SampleQuery("steps"), page=Page(None, 100)), 10),
    Read("year by day", _rollup("day"), 150),
    Read("week by hour", _rollup("hour", BEGIN + timedelta(days=200)), 15),
    Read("sync state", partial(sync.page, query=SampleQuery("steps"), page=Page(None, 1000)), 100),
)


class State(NamedTuple):
    """How much of the year is folded.

    Attributes:
        name: of the state.
        unfolded: the number of the newest batches, which are not folded.
    """

    name: str
    unfolded: int


STATES = (
    State("as they arrived", BATCHES),
    # Of both metrics, as many as are not folded yet at most, because each batch is seen in time.
    State("at a phone's rate", 2 * (LEAST_BATCHES - 1)),
    State("folded", 0),
)


class Took(NamedTuple):
    """Milliseconds of one call: until it returned, and of this process's processor time."""

    wall: float
    processor: float


class Figure(NamedTuple):
    """How long a read took, every time."""

    subject: str
    state: State
    read: Read
    took: list[Took]


def batch(number: int, chance: random.Random) -> BatchRecord:
    """The batch of a quarter of an hour: steps and heart rates in turns."""
    begin = BEGIN + number * EVERY
    steps = number % 2 == 0
    sent = []
    for place in range(BATCH):
        start = begin + timedelta(seconds=GAP * place + chance.randint(0, 20))
        end = start + timedelta(seconds=chance.randint(30, 60) if steps else 0)
        sent.append(
            columns.Sample(
                device_name="iPhone 15",
                device_version="17.3.1",
                start_date=start.isoformat(),
                end_date=end.isoformat(),
                unit="count" if steps else "count/min",
                value=chance.randint(1, 150) if steps else chance.randint(50, 180),
            )
        )
    found = columns.latest(columns.read(sent))
    encoded = columns.to_bytes(found)
    return BatchRecord(
        USER,
        "steps" if steps else "bpm",
        columns.digest(encoded),
        int(found.start[0]),
        int(found.start[-1]),
        len(found),
        encoded,
        len(sent),
    )


def year() -> Iterator[Entry]:
    """The uploads, in order; each is received some time after its last sample."""
    chance = random.Random(SEED)
    for number in range(BATCHES):
        received = BEGIN + (number + 1) * EVERY + timedelta(milliseconds=chance.randint(500, 9000))
        moment = int(received.timestamp() * MICROSECONDS_PER_SECOND)
        record = batch(number, chance)
        made = moment // MICROSECONDS_PER_MILLISECOND - chance.randint(1, ID_MILLISECONDS)
        request_id = _request_id(made, chance)
        yield Entry(DEFAULT_PROJECT, request_id, moment, (record,), (), "gerosense-v2.2", "key-1")


def _request_id(milliseconds: int, chance: random.Random) -> str:
    """The id that a server gives a request at this time: a UUID of version 7."""
    bits = milliseconds << 80 | 0x7 << 76 | chance.getrandbits(12) << 64
    return str(UUID(int=bits | 0b10 << 62 | chance.getrandbits(62)))


class Stored(NamedTuple):
    """A year in a store.

    Attributes:
        subject: which store.
        state: how much is folded.
        bytes: on the disk, with receipts.
        empty: of these, the ones that the store had before.
        written: bytes of blocks that were written, in all.
    """

    subject: str
    state: State
    bytes: int
    empty: int
    written: int


@contextmanager
def _opened(scratch: Path, engine: str) -> Iterator[tuple[Callable[[], Store], Callable[[], int]]]:
    """Open an empty store; what opens it again, and what returns its bytes on the disk."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        if engine != POSTGRESQL:
            path = folder / "uptake.db"
            yield partial(sqlite.open_store, path), lambda: path.stat().st_size
            return
        try:
            database = stack.enter_context(postgres(scratch))
        except PostgresFailed as error:
            raise ServerError(f"PostgreSQL: {str(error).strip()}") from error
        database.create(DATABASE)
        yield partial(postgres_store.open_store, database.url(DATABASE)), partial(_size, database)


def _size(database: Postgres) -> int:
    """The bytes of all tables and their indexes, without those of deleted rows."""
    database.execute("VACUUM FULL", DATABASE)
    query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ({})"
    names = ", ".join(f"'{name}'" for name in tables.metadata.tables)
    ((size,),) = database.execute(query.format(names), DATABASE)
    return int(size)


def _send(store: Store, unfolded: int) -> int:
    """Send the year, and fold once a day. Returns the bytes of the blocks written.

    Args:
        store: that is sent to.
        unfolded: the number of the newest batches, which are not folded.
    """
    written, group = 0, []
    last = BATCHES - unfolded
    for number, one in enumerate(year(), 1):
        group.append(one)
        ends = number % DAY == 0 or number == last
        if ends or len(group) == GROUP:
            store.commit(group)
            group = []
        if number % DAY == 0:
            # The receipts of a day are folded when it has ended.
            store.fold_receipts(DEFAULT_PROJECT, one.received_at + MICROSECONDS_PER_DAY)
        if ends and number <= last:
            written += store.fold(DEFAULT_PROJECT, LEAST_BATCHES, lambda: False).bytes
    return written


def measure(scratch: Path, engines: Sequence[str]) -> tuple[list[Figure], list[Stored]]:
    """Every read, in each state, on each engine."""
    figures, stored = [], []
    for engine in engines:
        for state in STATES:
            with _opened(scratch, engine) as (open_store, size):
                open_store().close()
                empty = size()
                store = open_store()
                written = _send(store, state.unfolded)
                store.close()
                stored.append(Stored(PRODUCTS[engine], state, size(), empty, written))
                store = open_store()
                user = UserData(store, DEFAULT_PROJECT, USER)
                for read in READS:
                    read.call(user)
                    took = [_milliseconds(read, user) for _ in range(ASKED)]
                    figures.append(Figure(PRODUCTS[engine], state, read, took))
                store.close()
    return figures, stored


def _milliseconds(read: Read, user: UserData) -> Took:
    began, worked = time.perf_counter(), time.process_time()
    msgspec.json.encode(read.call(user))
    return Took(1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked))


def show(measured: tuple[Sequence[Figure], Sequence[Stored]], console: Console) -> None:
    """Print the figures, what they should reach, and whether they do."""
    figures, stored = measured
    count = BATCHES * BATCH
    shown = table(f"A phone's year: {count:,} samples in {BATCHES:,} batches of {BATCH}")
    for name in ("store", "batches", "what", "ms", "min - max", "processor ms", "target", ""):
        right = name in {"ms", "min - max", "processor ms"}
        shown.add_column(name, justify="right" if right else "left")
    for one in figures:
        wall, processor = zip(*one.took, strict=True)
        middle = median(wall)
        wanted = one.read.at_most_ms * (2 if one.state.unfolded else 1)
        shown.add_row(
            one.subject,
            one.state.name,
            one.read.name,
            f"{middle:,.1f}",
            f"{min(wall):,.1f} - {max(wall):,.1f}",
            f"{median(processor):,.1f}",
            f"<= {wanted:g} ms",
            verdict(reached=middle <= wanted),
        )
    console.print(shown)
    sizes = table("A phone's year on the disk, with its receipts")
    names = "bytes a sample", "of an empty database", "bytes of blocks written, a sample"
    for name in ("store", "batches", *names):
        sizes.add_column(name, justify="left" if name in {"store", "batches"} else "right")
    for year_of in stored:
        sizes.add_row(
            year_of.subject,
            year_of.state.name,
            f"{(year_of.bytes - year_of.empty) / count:.1f}",
            f"{year_of.empty / count:.1f}",
            f"{year_of.written / count:.1f}",
        )
    console.print(sizes)
