"""Requests with samples, and what their answers say of each sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from uptake.formats.encoder import SamplesWire, Verdict
from uptake.uploader.faults import Faults
from uptake.uploader.ledger.rejections import MAX_REASONS, Reason, Rejection, reasons_of
from uptake.uploader.ledger.samples import SamplesLedger, pack
from uptake.uploader.samples.packed import NONE, Packed
from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.job import Halt
from uptake.uploader.tally import Tally

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

NOT_NAMED = "the receiver has refused some of {} samples and does not say which"


@dataclass(frozen=True, slots=True)
class Office:
    """What all requests with samples work with.

    Attributes:
        wire: how they are told.
        ledger: where they are noted.
        tally, faults: where outcomes are told.
        files: names, by the numbers of `Packed.file`.
    """

    wire: SamplesWire
    ledger: SamplesLedger
    tally: Tally
    faults: Faults
    files: list[str] = field(default_factory=list)

    def file(self, name: str) -> int:
        """The number of a file."""
        if name not in self.files:
            self.files.append(name)
        return self.files.index(name)


@dataclass(slots=True)
class Family:
    """What the requests have in common that one was split into.

    Attributes:
        kept: a few samples of which it is known that the receiver takes them.
    """

    kept: Packed = NONE


@dataclass(slots=True, eq=False)
class SamplesJob:
    """A request with samples of one user and one metric.

    Attributes:
        samples: those that are to be kept.
        fill: others, kept before, that make up the number that a request must have.
        resumed: whether some of the samples had waited in the ledger.
        number: under which the ledger has it.
    """

    office: Office
    user_id: str
    metric: str
    samples: Packed
    fill: Packed = NONE
    resumed: bool = False
    number: int = 0
    family: Family = field(default_factory=Family)

    def __post_init__(self) -> None:
        if not self.number:
            self.number = self.office.ledger.gathered(self.user_id, self.metric, self._digests())

    def _digests(self) -> bytes:
        return pack(self.samples.identity, self.samples.content)

    @property
    def lanes(self) -> Sequence[str]:
        """One user's requests go one after the other."""
        return (self.user_id,)

    @property
    def weight(self) -> int:
        """Bytes."""
        return self.samples.weight

    def request(self) -> Request:
        """The request."""
        wire = self.office.wire
        parts = (wire.opening(self.user_id, self.metric), self.samples.text, self.fill.text)
        return Request(wire.path, b"".join(parts)[:-1] + wire.closing, wire.media)

    def sent(self) -> None:
        """Note that it is."""
        self.office.ledger.sent(self.number)

    def answered(self, status: int, body: bytes) -> "list[SamplesJob]":
        """Note what became of each sample; where that is not told, what is to be sent to find out.

        Raises:
            Unclear: the answer is none of this endpoint's.
            Halt: no samples will be taken.
        """
        verdict = self.office.wire.read(status, body, len(self.samples) + len(self.fill))
        if verdict.halt:
            raise Halt(verdict.halt)
        if verdict.unnamed:
            return self._search()
        self._settle(verdict)
        return []

    def _settle(self, verdict: Verdict) -> None:
        reasons: dict[int, list[Reason]] = {}
        for fault in verdict.rejected:
            if fault.index is None:
                continue
            told = reasons.setdefault(fault.index, [])
            if len(told) < MAX_REASONS:
                told += reasons_of([fault])
        everything = reasons_of([fault for fault in verdict.rejected if fault.index is None])
        for place in range(len(self.samples)) if everything else ():
            reasons.setdefault(place, []).extend(everything)
        kept = np.ones(len(self.samples), np.bool_)
        kept[[place for place in reasons if place < len(self.samples)]] = False
        self._note(kept, reasons)
        least = self.office.wire.least
        if kept.any() and len(self.family.kept) < least:
            self.family.kept = self.samples.take(kept).slice(0, min(least, int(kept.sum())))

    def _note(self, kept: NDArray[np.bool_], reasons: dict[int, list[Reason]]) -> None:
        rejected = [
            self._rejection(place, tuple(reasons[place]))
            for place in np.flatnonzero(~kept).tolist()
        ]
        samples = self.samples
        digests = pack(samples.identity[:, kept], samples.content[kept]) if kept.any() else b""
        ledger = self.office.ledger
        with ledger.run.ledger.together():
            ledger.acknowledged(self.number, digests, rejected)
            if self.resumed:
                ledger.waited(self.user_id, self.metric, samples.identity, samples.content)
        for rejection in rejected:
            self.office.faults.rejected(rejection)
        self.office.tally.add(acknowledged=len(samples) - len(rejected), refused=len(rejected))

    def _rejection(self, place: int, reasons: tuple[Reason, ...]) -> Rejection:
        samples, office = self.samples, self.office
        return Rejection(
            self.user_id,
            self.metric,
            samples.identity[:, place].astype("<u8").tobytes(),
            samples.content[place : place + 1].astype("<u8").tobytes(),
            office.files[int(samples.file[place])],
            int(samples.line[place]),
            reasons,
            item_of(office.wire, self.user_id, self.metric, samples.item(place)),
        )

    def reject(self, reason: str) -> None:
        """Note that all samples are rejected."""
        everything = {place: [Reason(reason)] for place in range(len(self.samples))}
        self._note(np.zeros(len(self.samples), np.bool_), everything)

    def parts(self) -> "list[SamplesJob]":
        """Two halves, if each has as many samples as a request must have."""
        count = len(self.samples)
        if count < 2 * self.office.wire.least:
            return []
        return self._split([(0, count // 2), (count // 2, count)], NONE)

    def _search(self) -> "list[SamplesJob]":
        """Smaller requests, by whose answers those will be found that are rejected."""
        count, least = len(self.samples), self.office.wire.least
        if count >= 2 * least:
            return self.parts()
        others = self.fill if len(self.fill) else self.family.kept
        if count > 1 and len(others) >= least - 1:
            return self._split([(i, i + 1) for i in range(count)], others.slice(0, least - 1))
        self.reject(NOT_NAMED.format(count))
        return []

    def _split(self, bounds: Sequence[tuple[int, int]], fill: Packed) -> "list[SamplesJob]":
        parts = [self.samples.slice(*bound) for bound in bounds]
        numbers = self.office.ledger.replace(
            self.number, [pack(part.identity, part.content) for part in parts]
        )
        return [
            SamplesJob(
                self.office,
                self.user_id,
                self.metric,
                part,
                fill,
                self.resumed,
                number,
                self.family,
            )
            for part, number in zip(parts, numbers, strict=True)
        ]


def item_of(wire: SamplesWire, user_id: str, metric: str, row: bytes) -> bytes:
    """A sample as a source of samples reads it, from its row in a request."""
    members = _object.decode(row)
    columns = dict(wire.row)
    item: dict[str, object] = {} if wire.user_from_key else {"user_id": user_id}
    item["metric"] = metric
    item |= {columns[member]: value for member, value in members.items()}
    return msgspec.json.encode(item)
