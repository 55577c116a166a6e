"""One user's samples of one metric, from a source into requests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uptake.formats.encoder import SamplesWire
from uptake.samples.digests import Words
from uptake.samples.times import Int64s
from uptake.uploader.context import UploadContext
from uptake.uploader.ledger import samples as ledger
from uptake.uploader.ledger.samples import (
    DIGEST_BYTES,
    KnownSamples,
    Series,
    WaitingSample,
    rejection_identity,
    unpack,
)
from uptake.uploader.samples.index import Contents, Index, groups_of, last_of_each
from uptake.uploader.samples.jobs import SamplesJob
from uptake.uploader.samples.packed import NONE, Packed, join
from uptake.uploader.samples.rows import Rows

OWN_BYTES = 4096
"""Memory of a group besides its samples."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Places of a group's samples in a batch, by what happens to them.

    Attributes:
        fresh: sent; nothing is known of them.
        changed: decided at the end: they are known with another value, or repeat such a sample.
        neighbours: a few that are stored.
        rejected: rejected in an earlier run.
    """

    fresh: Int64s
    changed: Int64s
    neighbours: Int64s
    rejected: Int64s


@dataclass(eq=False)
class Group:
    """One user's samples of one metric.

    Of samples with the same identity the receiver must get the last one in the source last. So new
    samples are sent as they are read, and those that differ from a known one wait for the end: only
    then it is known which is the last, and whether the receiver has that already.

    Attributes:
        known: what the ledger has.
        in_run: what was read in this run and differs from the ledger.
        buffer: samples to be sent.
        changed: samples to be decided at the end.
        changing: the identities of these.
        rejected: samples that an earlier run was rejected for, without their JSON.
        neighbours: a few that the receiver has, to fill up a request.
        resumed: how many of the buffer had waited in the ledger.
        has_replaced: whether some were sent to replace others with the same identity.
    """

    context: UploadContext[SamplesWire]
    series: Series
    known: KnownSamples
    in_run: Index = field(default_factory=Index)
    buffer: list[Packed] = field(default_factory=list)
    changed: list[Packed] = field(default_factory=list)
    changing: Index = field(default_factory=Index)
    rejected: list[Packed] = field(default_factory=list)
    neighbours: Packed = NONE
    resumed: int = 0
    has_replaced: bool = False

    def __post_init__(self) -> None:
        for sample in self.known.waiting:
            self._resume(sample)

    def _resume(self, sample: WaitingSample) -> None:
        identity, content = unpack(sample.digest)
        known, stored = self.known.stored.find(identity)
        if known[0] and stored[0] == content[0]:
            ledger.remove_waiting(self.context.run, self.series, [sample.digest])
            return
        text = sample.item + b","
        ends = np.array([0, len(text)], np.int64)
        file = np.array([self.context.file_number(sample.file)], np.int64)
        line = np.array([sample.line], np.int64)
        self.buffer.append(Packed(text, ends, identity, content, file, line))
        self.in_run.add(identity, content)
        self.resumed += 1
        self.context.tally.add(resumed=1)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        packed = sum(part.weight for part in (*self.buffer, *self.changed, *self.rejected))
        return packed + DIGEST_BYTES * (len(self.known.stored) + len(self.in_run)) + OWN_BYTES

    def _find(self, identity: Words) -> tuple[Mask, Mask, Contents]:
        """Which are known from before, which from this run, and what the receiver has of them."""
        before, stored = self.known.stored.find(identity)
        in_run, latest = self.in_run.find(identity)
        return before, in_run, np.where(in_run, latest, stored)

    def sort(self, rows: Rows, places: Int64s) -> Sorted:
        """Decide what happens to samples of a batch, and know them from now on."""
        identity, content = rows.identity[:, places], rows.content[places]
        before, in_run, stored = self._find(identity)
        known = before | in_run
        same = known & (stored == content)
        rejected = np.zeros(len(places), np.bool_)
        if len(self.known.rejected):
            rejected = self.known.rejected.find(rejection_identity(identity, content))[0] & ~same
        fresh = ~known & ~rejected
        changed = known & ~same & ~rejected
        repeated = _keep_first(identity, content, fresh, changed)
        self.in_run.add(identity[:, fresh], content[fresh])
        self.changing.add(identity[:, changed], content[changed])
        if len(self.changing):
            follows = same & self.changing.find(identity)[0]
            changed |= follows
            same &= ~follows
        again = same & in_run
        self.context.tally.add(
            read=len(places),
            known=int((same & ~again).sum()),
            repeated=int(again.sum()) + repeated,
        )
        some = places[same & ~again][-(self.context.wire.least - 1) :]
        return Sorted(places[fresh], places[changed], some, places[rejected])

    def add(self, fresh: Packed, changed: Packed, neighbours: Packed) -> Iterator[SamplesJob]:
        """Add what was sorted; the requests that are full."""
        self.buffer.append(fresh)
        if len(changed):
            self.changed.append(changed)
        if len(neighbours):
            most = self.context.wire.least - 1
            both = join([self.neighbours, neighbours])
            self.neighbours = both.slice(max(0, len(both) - most), len(both))
        yield from self._cut(more=True)

    def finish(self) -> Iterator[SamplesJob]:
        """The requests with all the rest; what is too little for one waits in the ledger."""
        last = self._last_of_changed()
        self.buffer.append(last)
        self.has_replaced = len(last) > 0
        yield from self._cut(more=False)
        self._report_rejected()
        if len(self.known.rejected):
            ledger.set_corrected(self.context.run, self.series, self.known.stored)

    def _report_rejected(self) -> None:
        """Report what an earlier run was rejected for, unless it has been corrected."""
        every = join(self.rejected)
        self.rejected.clear()
        if not len(every):
            return
        before, in_run, _ = self._find(every.identity)
        corrected = before | in_run
        count = int(corrected.sum())
        context = self.context
        context.tally.add(refused_before=len(every) - count, repeated=count)
        for i in np.flatnonzero(~corrected).tolist():
            place = context.files[int(every.file[i])], int(every.line[i])
            context.report_again((*self.series, *every.digest(i)), *place)

    def _cut(self, *, more: bool) -> Iterator[SamplesJob]:
        wire = self.context.wire
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
        return SamplesJob(self.context, self.series, samples, fill, resumed)

    def _fill_up(self, rest: Packed) -> Iterator[SamplesJob]:
        """A request that is filled up with samples that the receiver has; else they wait."""
        others = self.neighbours
        if len(others) and len(self.changing):
            others = others.take(~self.changing.find(others.identity)[0])
        missing = self.context.wire.least - len(rest)
        if len(others) >= missing:
            yield self._job(rest, others.slice(len(others) - missing, len(others)))
            return
        files = self.context.files
        waiting = [
            WaitingSample(
                b"".join(rest.digest(i)),
                rest.item(i),
                files[int(rest.file[i])],
                int(rest.line[i]),
            )
            for i in range(len(rest))
        ]
        ledger.set_waiting(self.context.run, self.series, waiting)
        self.context.tally.add(waiting=len(rest))

    def _last_of_changed(self) -> Packed:
        """Those of the changed samples that must be sent.

        None of an identity if the receiver has its last sample already. A sample that is in flight
        may yet be rejected.
        """
        every = join(self.changed)
        self.changed.clear()
        if not len(every):
            return every
        number, last = last_of_each(every.identity)
        before, in_run, stored = self._find(every.identity[:, last])
        wrong = in_run | (stored != every.content[last])
        sent = every.take(wrong[number])
        self.in_run.add(sent.identity, sent.content)
        known = int((before & ~wrong).sum())
        self.context.tally.add(known=known, repeated=len(every) - len(sent) - known)
        return sent


def _keep_first(identity: Words, content: Contents, fresh: Mask, changed: Mask) -> int:
    """Of fresh samples with the same identity, leave the first in `fresh`.

    If one has another value, the later ones become `changed`.

    Returns:
        How many of the others have the value of the first.
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


def cuts(count: int, least: int, most: int, *, more: bool = False) -> list[int]:
    """Sizes of the requests for `count` items, in order.

    Each is from `least` to `most`, and as many as possible are `most`. While `more` items may
    follow, so many are left over that the rest can always be sent; else all are used up, unless
    there are fewer than `least`.

    Args:
        count: how many items there are.
        least: items that a request must have.
        most: items that a request may have, at least `2 * least - 1`.
        more: whether further items may follow.
    """
    sizes = []
    while count >= most + least:
        sizes.append(most)
        count -= most
    if more or count < least:
        return sizes
    if count > most:
        # The rest would be too few for a request of its own.
        return [*sizes, count - least, least]
    return [*sizes, count]
