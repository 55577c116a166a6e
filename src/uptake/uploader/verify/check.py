"""Compares sources and ledger with what a server holds, and lists every gap."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from uptake.samples.digests import DayDigest
from uptake.samples.times import format_time
from uptake.uploader.ledger.runs import Run
from uptake.uploader.ledger.samples import Known, SamplesLedger, rejection_of
from uptake.uploader.samples.index import Index
from uptake.uploader.samples.rows import read
from uptake.uploader.sources import Skipped, Source, Unreadable
from uptake.uploader.verify.expected import Aside, Expected, Key, compare, without_rejected
from uptake.uploader.verify.server import Server, day_text

SHOWN = 5
"""Samples of a gap that are named one by one."""

TOGETHER = 31
"""Days asked for in one question, where several in a row differ."""


class Place(msgspec.Struct, frozen=True):
    """A sample that is missing or different, and where it stands."""

    file: str
    line: int
    start: str


class Gap(msgspec.Struct, frozen=True):
    """A day of a device on which the server does not hold what the sources do.

    Attributes:
        user_id, metric, device_name, day: which day of what; days are those of UTC.
        expected: samples of the sources.
        missing: of these, those that the server does not hold.
        different: those that it holds with another value.
        acknowledged: of the missing and different, those that the ledger says it has accepted.
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
    """What came of a comparison; samples that were rejected are not expected.

    Attributes:
        users: how many there are.
        expected: samples of the sources, each once.
        found: of these, those that the server holds.
        missing, different: those that it does not hold, or with another value.
        more: samples that it holds of these users and metrics besides, on the days of the sources.
        refused: samples of the sources that the ledger knows as rejected.
        unreadable: places of the sources without a sample.
        unclear: samples without a time or user by which they could be looked for.
        gaps: one for each device and day that differs.
        forgotten: samples that the ledger no longer calls acknowledged, so that they are sent.
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
        """Whether the server holds every sample that can be held."""
        return not (self.missing or self.different or self.unreadable or self.unclear)


class Check:
    """One comparison.

    Attributes:
        result: what is known so far.
    """

    def __init__(
        self, run: Run, server: Server, *, owner: str = "", user: str = "", forget: bool = False
    ) -> None:
        """Prepare.

        Args:
            run: whose ledger.
            server: whom to ask.
            owner: how the ledger calls the user, where the wire takes it from the key.
            user: how the server calls this user.
            forget: whether the ledger is to forget what the server lacks.
        """
        self.result = Verification()
        self._ledger = SamplesLedger(run)
        self._server = server
        self._owner = owner
        self._user = user
        self._forget = forget

    def run(self, sources: Sequence[Source[Any]], step: Callable[[], None]) -> Verification:
        """Read the sources, and ask about every user; `step` is called after each part.

        Raises:
            Unreachable: the server gives no answer.
            Halt: the key may not ask.
        """
        with Aside() as aside:
            for source in (part for whole in sources for part in whole.parts):
                for item in source():
                    if isinstance(item, Unreadable):
                        self.result.unreadable += 1
                    elif not isinstance(item, Skipped):
                        self._put(aside, item, source.file)
                    step()
            users = set()
            for key, samples in aside.groups():
                users.add(key[0])
                self._check(key, samples, list(aside.files), list(aside.devices))
                step()
            self.result.users = len(users)
        return self.result

    def _put(self, aside: Aside, batch: Any, file: str) -> None:
        rows = read(batch)
        users, metrics = rows.names["user_id"], rows.names["metric"]
        nobody = np.array([not (name or self._user) for name in users.names], np.bool_)
        clear = ~rows.odd & np.isfinite(rows.value) & ~nobody[users.places]
        self.result.unclear += int((~clear).sum())
        places = np.flatnonzero(clear)
        if not len(places):
            return
        number = users.places[places] * len(metrics.names) + metrics.places[places]
        order = np.argsort(number, kind="stable")
        for some in np.split(places[order], np.flatnonzero(np.diff(number[order])) + 1):
            user_id = self._user or users.names[int(users.places[some[0]])] or ""
            metric = metrics.names[int(metrics.places[some[0]])] or ""
            aside.put((user_id, metric), rows, some, file)

    def _check(
        self, key: Key, every: Expected, files: Sequence[str], devices: Sequence[str]
    ) -> None:
        known = self._ledger.known(self._owner or key[0], key[1])
        rejected = np.zeros(len(every), np.bool_)
        if len(known.rejected):
            rejected = known.rejected.find(rejection_of(every.identity, every.content))[0]
        self.result.refused += int(rejected.sum())
        samples = without_rejected(every, rejected)
        if not len(samples):
            return
        self.result.expected += len(samples)
        held = {(day.device_name, day.day): day for day in self._server.days(*key)}
        wrong = []
        for (device, day), places in _by_day(samples):
            there = held.get((devices[device], day))
            mine = samples.take(places)
            if there is not None and (there.count, there.digest) == (len(mine), _digest(mine)):
                self.result.found += len(mine)
            else:
                wrong.append((device, day, mine, there))
        lacking = self._look_closer(key, wrong, known, files, devices)
        if self._forget and len(lacking):
            self._forget_all(key, known, lacking)

    def _look_closer(
        self,
        key: Key,
        wrong: Sequence[tuple[int, int, Expected, DayDigest | None]],
        known: Known,
        files: Sequence[str],
        devices: Sequence[str],
    ) -> list[Expected]:
        """Find the samples that make days differ; those that the server lacks."""
        held = self._held(key, [day for _, day, _, there in wrong if there is not None])
        lacking = []
        for device, day, samples, there in wrong:
            missing, different = compare(samples, held[day] if there is not None else Index())
            short = missing | different
            kept = int((~missing).sum())
            self.result.found += int((~short).sum())
            self.result.more += max(0, (0 if there is None else there.count) - kept)
            if not short.any():
                continue
            self.result.missing += int(missing.sum())
            self.result.different += int(different.sum())
            mine = samples.take(short)
            lacking.append(mine)
            accepted, content = known.kept.find(mine.identity)
            self.result.gaps.append(
                Gap(
                    *key,
                    devices[device],
                    day_text(day),
                    len(samples),
                    int(missing.sum()),
                    int(different.sum()),
                    int((accepted & (content == mine.content)).sum()),
                    _places(mine, files),
                )
            )
        return lacking

    def _held(self, key: Key, days: Sequence[int]) -> dict[int, Index]:
        """What the server holds on some days, asked for several days at a time."""
        held: dict[int, Index] = {}
        for first, last in _spans(sorted(set(days))):
            index = self._server.samples(*key, first, last)
            held |= dict.fromkeys(range(first, last + 1), index)
        return held

    def _forget_all(self, key: Key, known: Known, lacking: Sequence[Expected]) -> None:
        identity = np.concatenate([samples.identity for samples in lacking], axis=1)
        there, _ = known.kept.find(identity)
        if there.any():
            known.kept.forget(identity[:, there])
            self._ledger.keep(self._owner or key[0], key[1], known.kept)
            self.result.forgotten += int(there.sum())


def _by_day(samples: Expected) -> Iterator[tuple[tuple[int, int], Any]]:
    """The places of the samples of each device and day."""
    day, device = samples.day, samples.device
    order = np.lexsort((day, device))
    changes = (np.diff(day[order]) != 0) | (np.diff(device[order]) != 0)
    for places in np.split(order, np.flatnonzero(changes) + 1):
        yield (int(device[places[0]]), int(day[places[0]])), places


def _digest(samples: Expected) -> str:
    high, low = np.bitwise_xor.reduce(samples.digest, axis=1).tolist()
    return f"{high:016x}{low:016x}"


def _spans(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Days as few spans without days between, of at most `TOGETHER`."""
    first = last = None
    for day in days:
        if first is not None and last is not None and day == last + 1 < first + TOGETHER:
            last = day
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = day
    if first is not None and last is not None:
        yield first, last


def _places(samples: Expected, files: Sequence[str]) -> list[Place]:
    order = np.argsort(samples.start, kind="stable")[:SHOWN].tolist()
    return [
        Place(
            files[int(samples.file[i])],
            int(samples.line[i]),
            format_time(int(samples.start[i]), 0),
        )
        for i in order
    ]
