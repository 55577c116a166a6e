"""One user's samples of one metric, on their way from a source into requests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import Int64s
from uptake.uploader.ledger import rejections
from uptake.uploader.ledger.samples import (
    Known,
    Waiting,
    pack,
    rejection_of,
    unpack,
)
from uptake.uploader.samples.batching import cuts
from uptake.uploader.samples.index import Contents, Index, groups_of
from uptake.uploader.samples.jobs import Office, SamplesJob
from uptake.uploader.samples.packed import NONE, Packed, join
from uptake.uploader.samples.rows import Rows

OWN_BYTES = 4096
"""What a group takes besides its samples."""

DIGEST_BYTES = 24


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Places of a group's samples in a batch, by what is to be done with them.

    Attributes:
        fresh: to be sent; nothing is known of them.
        changed: to be looked at in the end: the same as others that are known, with another value,
            or in line with such.
        neighbours: kept before; a few of them.
        rejected: rejected before.
    """

    fresh: Int64s
    changed: Int64s
    neighbours: Int64s
    rejected: Int64s


@dataclass(eq=False)
class Group:
    """One user's samples of one metric.

    Of samples that are the same the last in the source is to be the last that the receiver gets.
    So what is new is sent as it comes, and what differs from something known waits for the end:
    only then it is clear which of them is the last, and whether the receiver has that already.

    Attributes:
        known: what the ledger says.
        now: what came up in this run, and was not as the ledger says.
        buffer: samples to be sent.
        changed: samples to be looked at in the end.
        changing: what identifies these.
        rejected: samples that were rejected before, without their JSON.
        neighbours: a few that the receiver has, to fill up a request.
        resumed: how many of the buffer had waited in the ledger.
        replaced: whether some were sent instead of others that are the same.
    """

    office: Office
    user_id: str
    metric: str
    known: Known
    now: Index = field(default_factory=Index)
    buffer: list[Packed] = field(default_factory=list)
    changed: list[Packed] = field(default_factory=list)
    changing: Index = field(default_factory=Index)
    rejected: list[Packed] = field(default_factory=list)
    neighbours: Packed = NONE
    resumed: int = 0
    replaced: bool = False

    def __post_init__(self) -> None:
        for one in self.known.waiting:
            self._resume(one)

    def _resume(self, one: Waiting) -> None:
        identity, content = unpack(one.digest)
        known, held = self.known.kept.find(identity)
        if known[0] and held[0] == content[0]:
            self.office.ledger.waited(self.user_id, self.metric, identity, content)
            return
        text = one.item + b","
        places = np.array([0, len(text)], np.int64)
        file = np.array([self.office.file(one.file)], np.int64)
        line = np.array([one.line], np.int64)
        self.buffer.append(Packed(text, places, identity, content, file, line))
        self.now.note(identity, content)
        self.resumed += 1
        self.office.tally.add(resumed=1)

    @property
    def weight(self) -> int:
        """Bytes that it takes, about."""
        packed = sum(part.weight for part in (*self.buffer, *self.changed, *self.rejected))
        return packed + DIGEST_BYTES * (len(self.known.kept) + len(self.now)) + OWN_BYTES

    def _find(
        self, identity: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Contents]:
        """Which are known from before, which from this run, and what the receiver has of them."""
        before, held = self.known.kept.find(identity)
        now, held_now = self.now.find(identity)
        return before, now, np.where(now, held_now, held)

    def sort(self, rows: Rows, places: Int64s) -> Sorted:
        """Say what is to be done with samples of a batch, and know them from now on."""
        identity, content = rows.identity[:, places], rows.content[places]
        before, now, held = self._find(identity)
        known = before | now
        same = known & (held == content)
        rejected = np.zeros(len(places), np.bool_)
        if len(self.known.rejected):
            rejected = self.known.rejected.find(rejection_of(identity, content))[0] & ~same
        fresh = ~known & ~rejected
        changed = known & ~same & ~rejected
        repeated = self._first_only(identity, content, fresh, changed)
        self.now.note(identity[:, fresh], content[fresh])
        self.changing.note(identity[:, changed], content[changed])
        if len(self.changing):
            follows = same & self.changing.find(identity)[0]
            changed |= follows
            same &= ~follows
        again = same & now
        self.office.tally.add(
            read=len(places),
            known=int((same & ~again).sum()),
            repeated=int(again.sum()) + repeated,
        )
        some = places[same & ~again][-(self.office.wire.least - 1) :]
        return Sorted(places[fresh], places[changed], some, places[rejected])

    @staticmethod
    def _first_only(
        identity: NDArray[np.uint64],
        content: Contents,
        fresh: NDArray[np.bool_],
        changed: NDArray[np.bool_],
    ) -> int:
        """Of unknown samples that are the same, leave the first among the fresh.

        Returns:
            How many say the same as the first; if one says something else, all are `changed`.
        """
        where = np.flatnonzero(fresh)
        if (np.diff(np.sort(identity[0, where])) != 0).all():
            return 0
        number, first = groups_of(identity[:, where])
        later = np.ones(len(where), np.bool_)
        later[first] = False
        differs = content[where] != content[where[first]][number]
        disputed = np.zeros(len(first), np.bool_)
        disputed[number[differs]] = True
        fresh[where[later]] = False
        changed[where[later & disputed[number]]] = True
        return int((later & ~disputed[number]).sum())

    def take(self, fresh: Packed, changed: Packed, neighbours: Packed) -> Iterator[SamplesJob]:
        """Take in what was sorted; the requests that are full."""
        self.buffer.append(fresh)
        if len(changed):
            self.changed.append(changed)
        if len(neighbours):
            most = self.office.wire.least - 1
            both = join([self.neighbours, neighbours])
            self.neighbours = both.slice(max(0, len(both) - most), len(both))
        yield from self._cut(more=True)

    def finish(self) -> Iterator[SamplesJob]:
        """The requests with all the rest; what is too little for one waits in the ledger."""
        last = self._last_of_changed()
        self.buffer.append(last)
        self.replaced = len(last) > 0
        yield from self._cut(more=False)
        self._tell_rejected()
        self._mend()

    def _tell_rejected(self) -> None:
        """Tell again of what was rejected before, unless it has been mended."""
        every = join(self.rejected)
        self.rejected.clear()
        if not len(every):
            return
        before, now, _ = self._find(every.identity)
        mended = before | now
        office = self.office
        office.tally.add(refused_before=int((~mended).sum()), repeated=int(mended.sum()))
        for i in np.flatnonzero(~mended).tolist():
            rejection = rejections.find(
                office.ledger.run,
                self.user_id,
                self.metric,
                every.identity[:, i].astype("<u8").tobytes(),
                every.content[i : i + 1].astype("<u8").tobytes(),
            )
            if rejection is not None:
                at = office.files[int(every.file[i])], int(every.line[i])
                office.faults.rejected(rejection.at(*at))

    def _cut(self, *, more: bool) -> Iterator[SamplesJob]:
        wire = self.office.wire
        count = sum(map(len, self.buffer))
        sizes = cuts(count, wire.least, wire.most, more=more)
        if not sizes and (more or not count):
            return
        packed = join(self.buffer)
        self.buffer.clear()
        at = 0
        for size in sizes:
            yield self._job(packed.slice(at, at + size), NONE)
            at += size
        rest = packed.slice(at, count)
        if more:
            self.buffer.append(rest)
        elif len(rest):
            yield from self._fill_up(rest)

    def _job(self, samples: Packed, fill: Packed) -> SamplesJob:
        resumed, self.resumed = self.resumed > 0, max(0, self.resumed - len(samples))
        return SamplesJob(self.office, self.user_id, self.metric, samples, fill, resumed)

    def _fill_up(self, rest: Packed) -> Iterator[SamplesJob]:
        """A request with what is too little and with others that the receiver has."""
        others = self.neighbours
        if len(others) and len(self.changing):
            others = others.take(~self.changing.find(others.identity)[0])
        missing = self.office.wire.least - len(rest)
        if len(others) >= missing:
            yield self._job(rest, others.slice(len(others) - missing, len(others)))
            return
        self.office.ledger.wait(self.user_id, self.metric, self._waiting(rest))
        self.office.tally.add(waiting=len(rest))

    def _waiting(self, rest: Packed) -> list[Waiting]:
        return [
            Waiting(
                pack(rest.identity[:, i : i + 1], rest.content[i : i + 1]),
                rest.item(i),
                self.office.files[int(rest.file[i])],
                int(rest.line[i]),
            )
            for i in range(len(rest))
        ]

    def _last_of_changed(self) -> Packed:
        """Those to be sent of the samples that differ from what was known of them.

        None of an identity of which the last in the source is what the receiver has. What is only
        on its way to it may yet be rejected.
        """
        every = join(self.changed)
        self.changed.clear()
        if not len(every):
            return every
        number, _ = groups_of(every.identity)
        last = np.zeros(int(number.max()) + 1, np.int64)
        np.maximum.at(last, number, np.arange(len(every)))
        before, now, held = self._find(every.identity[:, last])
        wrong = now | (held != every.content[last])
        sent = every.take(wrong[number])
        self.now.note(sent.identity, sent.content)
        known = int((before & ~wrong).sum())
        self.office.tally.add(known=known, repeated=len(every) - len(sent) - known)
        return sent

    def _mend(self) -> None:
        """Note which of the rejected samples have been replaced by others that are kept."""
        run = self.office.ledger.run
        if not len(self.known.rejected):
            return
        rows = rejections.open_of(run, self.user_id, self.metric)
        if rows:
            words = np.frombuffer(b"".join(identity for _, identity in rows), "<u8")
            mended, _ = self.known.kept.find(words.reshape(-1, 2).T)
            numbers = [
                number for (number, _), good in zip(rows, mended.tolist(), strict=True) if good
            ]
            rejections.mend(run.ledger, numbers)
