"""Gathers the samples of sources into requests, user by user, in constant memory."""

from collections import OrderedDict
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from uptake.formats.encoder import SamplesWire
from uptake.prefetch import prefetch
from uptake.samples.times import Int64s
from uptake.uploader.context import UploadContext
from uptake.uploader.ledger import samples as ledger
from uptake.uploader.ledger.samples import Series
from uptake.uploader.samples.group import Group, Sorted
from uptake.uploader.samples.packed import Packed
from uptake.uploader.samples.rows import Rows, read, render
from uptake.uploader.sources import SAMPLES, Unreadable

MAX_BYTES = 128 * 1024 * 1024
"""Bytes of groups in memory; beyond, the least recently used ones are sent as they are."""

NO_USER = "there is no user_id; name a default user with --user"
OTHER_USER = "the user differs from the one before, and the key is bound to one user"
NO_NUMBER = "the value is not a number that JSON can express"


def send_samples(
    context: UploadContext[SamplesWire], batches: Iterator[tuple[pa.RecordBatch, str]]
) -> None:
    """Send samples: batches, each with the name of its file."""
    gathering = Gathering(context)
    context.finishers.append(lambda: ledger.fold(context.run, gathering.replaced))
    for batch, file in prefetch(batches):
        gathering.add(batch, file)
    gathering.finish()


class Gathering:
    """All samples of a run.

    Attributes:
        replaced: series in which samples were replaced by others.
    """

    def __init__(self, context: UploadContext[SamplesWire], *, max_bytes: int = MAX_BYTES) -> None:
        self.replaced: set[Series] = set()
        self._context = context
        self._owner = context.owner
        self._max_bytes = max_bytes
        self._user: str | None = None
        self._groups: OrderedDict[Series, Group] = OrderedDict()
        self._weights: dict[Series, int] = {}
        self._members = {column: member for member, column in context.wire.row}

    def add(self, batch: pa.RecordBatch, file: str) -> None:
        """Add a record batch of samples (`SAMPLES`) of a file.

        Raises:
            Stopped: nothing more is to be sent.
        """
        rows = read(batch)
        number = self._context.file_number(file)
        groups = [
            (self._group(rows, int(places[0])), places)
            for places in self._by_group(rows, self._readable(rows, file))
        ]
        found = [(group, group.sort(rows, places)) for group, places in groups]
        for group, kinds in found:
            if len(kinds.rejected):
                offsets = np.zeros(len(kinds.rejected) + 1, np.int64)
                group.rejected.append(_packed(rows, kinds.rejected, number, b"", offsets))
        self._distribute(rows, found, number)
        for group, _ in found:
            self._weights[group.series] = group.weight
        weight = sum(self._weights.values())
        while weight > self._max_bytes and len(self._groups) > 1:
            weight -= self._finish_first()

    def finish(self) -> None:
        """Queue all the rest.

        Raises:
            Stopped: nothing more is to be sent.
        """
        while self._groups:
            self._finish_first()

    def _finish_first(self) -> int:
        series, group = self._groups.popitem(last=False)
        for job in group.finish():
            self._context.put(job)
        if group.has_replaced:
            self.replaced.add(series)
        return self._weights.pop(series, 0)

    def _readable(self, rows: Rows, file: str) -> Int64s:
        """The places of the samples that can be sent; the others are reported."""
        good = np.isfinite(rows.value)
        self._leave_out(rows, ~good, file, NO_NUMBER)
        users = rows.names["user_id"]
        if not self._context.wire.user_from_key:
            wrong, reason = [name is None for name in users.names], NO_USER
        else:
            named = [name for name in users.names if name is not None]
            if self._user is None and named:
                self._user = named[0]
            wrong, reason = [name not in {None, self._user} for name in users.names], OTHER_USER
        left_out = np.array(wrong, np.bool_)[users.places] & good
        self._leave_out(rows, left_out, file, reason)
        return np.flatnonzero(good & ~left_out)

    def _leave_out(self, rows: Rows, which: NDArray[np.bool_], file: str, reason: str) -> None:
        places = np.flatnonzero(which)
        text, offsets = render(rows, places, dict(zip(SAMPLES.names, SAMPLES.names, strict=True)))
        heads = [rows.names[name] for name in ("user_id", "metric")]
        for i, place in enumerate(places.tolist()):
            user_id, metric = (one.names[int(one.places[place])] for one in heads)
            head = {"metric": metric} if user_id is None else {"user_id": user_id, "metric": metric}
            row = text[offsets[i] + 1 : offsets[i + 1] - 1]
            line = msgspec.json.encode(head)[:-1] + b"," + row
            self._context.add_unreadable(Unreadable(file, int(rows.line[place]), reason, line))

    def _by_group(self, rows: Rows, places: Int64s) -> list[Int64s]:
        """The places of the samples of each user and metric, in order."""
        if not len(places):
            return []
        users, metrics = rows.names["user_id"], rows.names["metric"]
        number = metrics.places[places]
        if not self._context.wire.user_from_key:
            number = number + users.places[places] * len(metrics.names)
        order = np.argsort(number, kind="stable")
        begins = np.flatnonzero(np.diff(number[order])) + 1
        return np.split(places[order], begins)

    def _group(self, rows: Rows, place: int) -> Group:
        context = self._context
        users, metrics = rows.names["user_id"], rows.names["metric"]
        user_id = self._owner or users.names[int(users.places[place])] or ""
        series = user_id, metrics.names[int(metrics.places[place])] or ""
        if series in self._groups:
            self._groups.move_to_end(series)
        else:
            known = ledger.known(context.run, series, retry_rejected=context.retry_rejected)
            self._groups[series] = Group(context, series, known)
        return self._groups[series]

    def _distribute(self, rows: Rows, found: list[tuple[Group, Sorted]], file: int) -> None:
        """Give each group its samples as JSON, which is rendered for all at once."""
        chosen = [
            places
            for _, kinds in found
            for places in (kinds.fresh, kinds.changed, kinds.neighbours)
        ]
        which = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
        text, offsets = render(rows, which, self._members)
        at = 0
        packed = []
        for places in chosen:
            ends = offsets[at : at + len(places) + 1]
            part = text[ends[0] : ends[-1]]
            packed.append(_packed(rows, places, file, part, ends - ends[0]))
            at += len(places)
        kinds = iter(packed)
        for (group, _), fresh, changed, neighbours in zip(found, kinds, kinds, kinds, strict=True):
            for job in group.add(fresh, changed, neighbours):
                self._context.put(job)


def _packed(rows: Rows, places: Int64s, file: int, text: bytes, offsets: Int64s) -> Packed:
    return Packed(
        text,
        offsets,
        rows.identity[:, places],
        rows.content[places],
        np.full(len(places), file, np.int64),
        rows.line[places],
    )
