"""Compares sources and ledger with what a server has, and lists every gap."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from uptake.samples.digests import DayDigest
from uptake.samples.times import format_time
from uptake.uploader.ledger import samples as ledger
from uptake.uploader.ledger.runs import Run
from uptake.uploader.ledger.samples import KnownSamples, Series, rejection_identity
from uptake.uploader.samples.index import Index
from uptake.uploader.samples.rows import read
from uptake.uploader.sources import Skipped, Source, Unreadable
from uptake.uploader.verify.expected import Expected, Spool, compare, days, last_only, words
from uptake.uploader.verify.server import Server, day_text

SHOWN = 5
"""Samples of a gap that are listed."""

MAX_DAYS = 31
"""Days that are fetched in one request, where several in a row differ."""


class Place(msgspec.Struct, frozen=True):
    """Where a sample was read that is missing or different."""

    file: str
    line: int
    start: str


class Gap(msgspec.Struct, frozen=True):
    """A device and a UTC day of which the server does not have what the sources have.

    Attributes:
        user_id, metric, device_name, day: which device and day.
        expected: samples of the sources.
        missing: of these, those that the server does not have.
        different: those that it has with another value.
        acknowledged: of the missing and different, those that are acknowledged in the ledger.
        samples: some of them.
    """

    user_id: str
    metric: str
    device_name: str
    day: str
    expected: int
    missing: int
    different: int
    acknowledged: int
    samples: list[Place]


class Verification(msgspec.Struct):
    """The result of a comparison; rejected samples are not expected.

    Attributes:
        users: how many there are.
        expected: samples of the sources, each once.
        found: of these, those that the server has.
        missing, different: those that it does not have, or has with another value.
        more: other samples that it has of these users and metrics, on the days of the sources.
        refused: samples of the sources that are rejected according to the ledger.
        unreadable: places of the sources without a sample.
        unclear: samples without a time or user by which to find them.
        gaps: one for each device and day that differs.
        forgotten: samples that were removed from the ledger, so that they are sent again.
    """

    users: int = 0
    expected: int = 0
    found: int = 0
    missing: int = 0
    different: int = 0
    more: int = 0
    refused: int = 0
    unreadable: int = 0
    unclear: int = 0
    gaps: list[Gap] = msgspec.field(default_factory=list)
    forgotten: int = 0

    @property
    def complete(self) -> bool:
        """Whether the server has every sample of the sources."""
        return not (self.missing or self.different or self.unreadable or self.unclear)


@dataclass(eq=False)
class Check:
    """One comparison.

    Attributes:
        ledger_run: the destination in the ledger.
        server: the server to compare with.
        owner: the ledger's name for the user, where the wire takes the user from the key.
        user: the server's name for this user.
        forget: whether to remove from the ledger what the server does not have.
    """

    ledger_run: Run
    server: Server
    owner: str = ""
    user: str = ""
    forget: bool = False

    def __post_init__(self) -> None:
        self._result = Verification()
        self._spool = Spool()

    def run(self, sources: Sequence[Source[Any]], step: Callable[[], None]) -> Verification:
        """Read the sources and compare each user; `step` is called after each part.

        Raises:
            Unreachable: the server does not answer.
            Halt: the key is not allowed to read.
        """
        result = self._result
        with self._spool as spool:
            for source in (part for whole in sources for part in whole.parts):
                for item in source():
                    if isinstance(item, Unreadable):
                        result.unreadable += 1
                    elif not isinstance(item, Skipped):
                        self._add(item, source.file)
                    step()
            users = set()
            for series, samples in spool.groups():
                users.add(series[0])
                self._compare(series, samples)
                step()
            result.users = len(users)
        return result

    def _add(self, batch: Any, file: str) -> None:
        rows = read(batch)
        users, metrics = rows.names["user_id"], rows.names["metric"]
        no_user = np.array([not (name or self.user) for name in users.names], np.bool_)
        clear = ~rows.odd & np.isfinite(rows.value) & ~no_user[users.places]
        self._result.unclear += int((~clear).sum())
        places = np.flatnonzero(clear)
        if not len(places):
            return
        number = users.places[places] * len(metrics.names) + metrics.places[places]
        order = np.argsort(number, kind="stable")
        for some in np.split(places[order], np.flatnonzero(np.diff(number[order])) + 1):
            user_id = self.user or users.names[int(users.places[some[0]])] or ""
            metric = metrics.names[int(metrics.places[some[0]])] or ""
            self._spool.add((user_id, metric), rows, some, file)

    def _compare(self, series: Series, samples: Expected) -> None:
        known = ledger.known(self.ledger_run, (self.owner or series[0], series[1]))
        if len(known.rejected):
            identity = rejection_identity(words(samples, "identity"), samples["content"])
            rejected, _ = known.rejected.find(identity)
            self._result.refused += int(rejected.sum())
            samples = samples[~rejected]
        if not len(samples):
            return
        samples = last_only(samples)
        self._result.expected += len(samples)
        stored = {(day.device_name, day.day): day for day in self.server.days(*series)}
        devices = list(self._spool.devices)
        wrong = []
        for some in _by_day(samples):
            device, day = devices[some["device"][0]], int(days(some[:1])[0])
            there = stored.get((device, day))
            if there is not None and (there.count, there.digest) == (len(some), _digest(some)):
                self._result.found += len(some)
            else:
                wrong.append((device, day, some, there))
        lacking = self._find_gaps(series, wrong, known)
        if self.forget and lacking:
            self._forget(series, known, np.concatenate(lacking))

    def _find_gaps(
        self,
        series: Series,
        wrong: Sequence[tuple[str, int, Expected, DayDigest | None]],
        known: KnownSamples,
    ) -> list[Expected]:
        """Add a gap for each day that differs; the samples that the server does not have."""
        result = self._result
        stored = self._stored(series, [day for _, day, _, there in wrong if there is not None])
        lacking = []
        for device, day, samples, there in wrong:
            missing, different = compare(samples, stored[day] if there is not None else Index())
            short = missing | different
            result.found += int((~short).sum())
            result.more += max(0, (0 if there is None else there.count) - int((~missing).sum()))
            if not short.any():
                continue
            result.missing += int(missing.sum())
            result.different += int(different.sum())
            some = samples[short]
            lacking.append(some)
            accepted, content = known.stored.find(words(some, "identity"))
            result.gaps.append(
                Gap(
                    *series,
                    device,
                    day_text(day),
                    len(samples),
                    int(missing.sum()),
                    int(different.sum()),
                    int((accepted & (content == some["content"])).sum()),
                    self._places(some),
                )
            )
        return lacking

    def _stored(self, series: Series, wrong: Sequence[int]) -> dict[int, Index]:
        """What the server has of some days, fetched several days at a time."""
        stored: dict[int, Index] = {}
        for first, last in _spans(sorted(set(wrong))):
            index = self.server.samples(*series, first, last)
            stored |= dict.fromkeys(range(first, last + 1), index)
        return stored

    def _forget(self, series: Series, known: KnownSamples, lacking: Expected) -> None:
        identity = words(lacking, "identity")
        there, _ = known.stored.find(identity)
        if there.any():
            known.stored.remove(identity[:, there])
            owner = self.owner or series[0], series[1]
            ledger.set_stored(self.ledger_run, owner, known.stored)
            self._result.forgotten += int(there.sum())

    def _places(self, samples: Expected) -> list[Place]:
        files = list(self._spool.files)
        some = samples[np.argsort(samples["start"], kind="stable")[:SHOWN]]
        return [
            Place(files[one["file"]], int(one["line"]), format_time(int(one["start"]), 0))
            for one in some
        ]


def _by_day(samples: Expected) -> Iterator[Expected]:
    """The samples of each device and day."""
    day, device = days(samples), samples["device"]
    order = np.lexsort((day, device))
    changes = (np.diff(day[order]) != 0) | (np.diff(device[order]) != 0)
    yield from np.split(samples[order], np.flatnonzero(changes) + 1)


def _digest(samples: Expected) -> str:
    high, low = np.bitwise_xor.reduce(samples["digest"], axis=0).tolist()
    return f"{high:016x}{low:016x}"


def _spans(some: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of consecutive days, at most `MAX_DAYS` together."""
    at = 0
    while at < len(some):
        end = at + 1
        while end < len(some) and some[end] == some[end - 1] + 1 < some[at] + MAX_DAYS:
            end += 1
        yield some[at], some[end - 1]
        at = end
