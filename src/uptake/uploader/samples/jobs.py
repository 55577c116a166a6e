"""Requests with samples, and the outcome of each sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.formats.encoder import SamplesWire, Verdict
from uptake.uploader.context import UploadContext
from uptake.uploader.ledger import samples as ledger
from uptake.uploader.ledger.rejections import MAX_REASONS, Reason, Rejection, reasons_of
from uptake.uploader.ledger.samples import Series
from uptake.uploader.samples.packed import NONE, Packed
from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.schedule import Halt

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

NOT_NAMED = "the receiver rejected some of {} samples without naming them"


@dataclass(slots=True)
class SplitGroup:
    """What the requests share that one was split into.

    Attributes:
        accepted: a few samples that the receiver is known to accept.
    """

    accepted: Packed = NONE


@dataclass(slots=True, eq=False)
class SamplesJob:
    """A request with samples of one user and one metric.

    Attributes:
        samples: those to be stored.
        fill: others, stored before, that make up the number that a request must have.
        resumed: whether some of the samples had waited in the ledger.
        row: its row in the ledger.
    """

    context: UploadContext[SamplesWire]
    series: Series
    samples: Packed
    fill: Packed = NONE
    resumed: bool = False
    row: int = 0
    group: SplitGroup = field(default_factory=SplitGroup)

    def __post_init__(self) -> None:
        if not self.row:
            self.row = ledger.set_pending(self.context.run, self.series, self.samples.digests)

    @property
    def lanes(self) -> Sequence[str]:
        """One user's requests are sent one after the other."""
        return (self.series[0],)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return self.samples.weight

    def request(self) -> Request:
        """The request."""
        wire, samples = self.context.wire, self.samples.text + self.fill.text
        return Request(wire.path, wire.body(*self.series, samples[:-1]), wire.media)

    def sent(self) -> None:
        """Record that the request is sent."""
        ledger.set_sent(self.context.run, self.row)

    def answered(self, status: int, body: bytes) -> "list[SamplesJob]":
        """Record the outcome of each sample, or return smaller requests that find it out.

        Raises:
            Unclear: the answer is not one of this endpoint's.
            Halt: no samples will be accepted.
        """
        verdict = self.context.wire.read(status, body, len(self.samples) + len(self.fill))
        if verdict.halt:
            raise Halt(verdict.halt)
        if verdict.unnamed:
            return self._search()
        self._settle(verdict)
        return []

    def _settle(self, verdict: Verdict) -> None:
        reasons: dict[int, list[Reason]] = {}
        for fault in verdict.rejected:
            if fault.index is not None:
                some = reasons.setdefault(fault.index, [])
                if len(some) < MAX_REASONS:
                    some += reasons_of([fault])
        of_all = reasons_of([fault for fault in verdict.rejected if fault.index is None])
        for place in range(len(self.samples)) if of_all else ():
            reasons.setdefault(place, []).extend(of_all)
        stored = np.ones(len(self.samples), np.bool_)
        stored[[place for place in reasons if place < len(self.samples)]] = False
        self._record(stored, reasons)
        least = self.context.wire.least
        if stored.any() and len(self.group.accepted) < least:
            self.group.accepted = self.samples.take(stored).slice(0, min(least, int(stored.sum())))

    def _record(self, stored: NDArray[np.bool_], reasons: dict[int, list[Reason]]) -> None:
        context, samples = self.context, self.samples
        rejected = [self._rejection(place, reasons) for place in np.flatnonzero(~stored).tolist()]
        digests = samples.take(stored).digests if stored.any() else b""
        with context.run.transaction():
            ledger.settle(context.run, self.row, digests, rejected)
            if self.resumed:
                digests_of_each = map(b"".join, map(samples.digest, range(len(samples))))
                ledger.remove_waiting(context.run, self.series, digests_of_each)
        for rejection in rejected:
            context.report(rejection, is_of_run=not self.resumed)
        context.tally.add(acknowledged=len(samples) - len(rejected), refused=len(rejected))

    def _rejection(self, place: int, reasons: dict[int, list[Reason]]) -> Rejection:
        samples, context = self.samples, self.context
        item = item_of(context.wire, self.series, samples.item(place))
        file, line = context.files[int(samples.file[place])], int(samples.line[place])
        digest = samples.digest(place)
        return Rejection(*self.series, *digest, file, line, tuple(reasons[place]), item)

    def reject(self, reason: str) -> None:
        """Record that all samples are rejected."""
        reasons = {place: [Reason(reason)] for place in range(len(self.samples))}
        self._record(np.zeros(len(self.samples), np.bool_), reasons)

    def parts(self) -> "list[SamplesJob]":
        """Two halves, if each has as many samples as a request must have."""
        count = len(self.samples)
        if count < 2 * self.context.wire.least:
            return []
        return self._split([(0, count // 2), (count // 2, count)], NONE)

    def _search(self) -> "list[SamplesJob]":
        """Smaller requests: their answers show which samples are rejected."""
        count, least = len(self.samples), self.context.wire.least
        if count >= 2 * least:
            return self.parts()
        others = self.fill if len(self.fill) else self.group.accepted
        if count > 1 and len(others) >= least - 1:
            return self._split([(i, i + 1) for i in range(count)], others.slice(0, least - 1))
        self.reject(NOT_NAMED.format(count))
        return []

    def _split(self, bounds: Sequence[tuple[int, int]], fill: Packed) -> "list[SamplesJob]":
        parts = [self.samples.slice(*bound) for bound in bounds]
        digests = [part.digests for part in parts]
        rows = ledger.split(self.context.run, self.series, self.row, digests)
        return [
            replace(self, samples=part, fill=fill, row=row)
            for part, row in zip(parts, rows, strict=True)
        ]


def item_of(wire: SamplesWire, series: Series, row: bytes) -> bytes:
    """A sample as a source of samples reads it, from its JSON in a request."""
    user_id, metric = series
    columns = dict(wire.row)
    item: dict[str, object] = {} if wire.user_from_key else {"user_id": user_id}
    item["metric"] = metric
    item |= {columns[member]: value for member, value in _object.decode(row).items()}
    return msgspec.json.encode(item)
