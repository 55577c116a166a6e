"""Gathers the samples of sources into requests, user by user, in constant memory."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uptake.samples.times import Int64s
from uptake.uploader.samples.group import Group, Sorted
from uptake.uploader.samples.jobs import Office, SamplesJob
from uptake.uploader.samples.packed import Packed
from uptake.uploader.samples.rows import Rows, read, render
from uptake.uploader.sources import Unreadable

ROOM = 128 * 1024 * 1024
"""Bytes of groups in memory; beyond, those that got nothing for longest are sent as they are."""

NO_USER = "it does not say whom it is about, and no user was given"
OTHER_USER = "it is about another user than those before, and the key stands for one"
NO_NUMBER = "the value is no number that JSON can tell"


class Gathering:
    """All samples of a run.

    Attributes:
        owner: how the ledger calls the user whom the key is bound to, where the wire takes the
            user from the key.
        replaced: users and metrics of which samples were replaced by others.
    """

    def __init__(
        self,
        office: Office,
        put: Callable[[SamplesJob], None],
        *,
        owner: str = "",
        retry_refused: bool = False,
        room: int = ROOM,
    ) -> None:
        self._office = office
        self._put = put
        self.replaced: set[tuple[str, str]] = set()
        self._owner = owner
        self._retry_rejected = retry_refused
        self._room = room
        self._named: str | None = None
        self._groups: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._weights: dict[tuple[str, str], int] = {}
        self._members = {column: member for member, column in office.wire.row}

    def take(self, batch: Any, file: str) -> None:
        """Take in a record batch of samples (`SAMPLES`) of a file.

        Raises:
            Stopped: nothing more is to be sent.
        """
        rows = read(batch)
        number = self._office.file(file)
        groups = [
            (self._group(rows, int(places[0])), places)
            for places in self._by_group(rows, self._readable(rows, file))
        ]
        found = [(group, group.sort(rows, places)) for group, places in groups]
        for group, kinds in found:
            if len(kinds.rejected):
                group.rejected.append(_bare(rows, kinds.rejected, number))
        self._distribute(rows, found, number)
        for group, _ in found:
            self._weights[group.user_id, group.metric] = group.weight
        self._make_room()

    def finish(self) -> None:
        """Gather all that is left.

        Raises:
            Stopped: nothing more is to be sent.
        """
        while self._groups:
            self._finish_first()

    def _make_room(self) -> None:
        weight = sum(self._weights.values())
        while weight > self._room and len(self._groups) > 1:
            weight -= self._finish_first()

    def _finish_first(self) -> int:
        key, group = self._groups.popitem(last=False)
        for job in group.finish():
            self._put(job)
        if group.replaced:
            self.replaced.add(key)
        return self._weights.pop(key, 0)

    def _readable(self, rows: Rows, file: str) -> Int64s:
        """The places of the samples that can be sent; of the others it is told why not."""
        good = np.isfinite(rows.value)
        self._leave_out(rows, ~good, file, NO_NUMBER)
        users = rows.names["user_id"]
        if not self._office.wire.user_from_key:
            nobody = np.array([name is None for name in users.names], np.bool_)[users.places] & good
            self._leave_out(rows, nobody, file, NO_USER)
            return np.flatnonzero(good & ~nobody)
        named = [name for name in users.names if name is not None]
        if self._named is None and named:
            self._named = named[0]
        other = np.array([name not in {None, self._named} for name in users.names], np.bool_)
        others = other[users.places] & good
        self._leave_out(rows, others, file, OTHER_USER)
        return np.flatnonzero(good & ~others)

    def _leave_out(self, rows: Rows, which: NDArray[np.bool_], file: str, reason: str) -> None:
        for line in rows.line[which].tolist():
            self._office.faults.unreadable(Unreadable(file, line, reason))

    def _by_group(self, rows: Rows, places: Int64s) -> list[Int64s]:
        """The places of the samples of each user and metric, in order."""
        if not len(places):
            return []
        users, metrics = rows.names["user_id"], rows.names["metric"]
        number = metrics.places[places]
        if not self._office.wire.user_from_key:
            number = number + users.places[places] * len(metrics.names)
        order = np.argsort(number, kind="stable")
        begins = np.flatnonzero(np.diff(number[order])) + 1
        return np.split(places[order], begins)

    def _group(self, rows: Rows, place: int) -> Group:
        users, metrics = rows.names["user_id"], rows.names["metric"]
        user_id = self._owner
        if not self._office.wire.user_from_key:
            user_id = users.names[int(users.places[place])] or ""
        key = user_id, metrics.names[int(metrics.places[place])] or ""
        if key in self._groups:
            self._groups.move_to_end(key)
        else:
            known = self._office.ledger.known(*key, retry_refused=self._retry_rejected)
            self._groups[key] = Group(self._office, *key, known)
        return self._groups[key]

    def _distribute(self, rows: Rows, found: list[tuple[Group, Sorted]], file: int) -> None:
        """Give each group its samples as JSON, all of which is made at once."""
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
            packed.append(
                Packed(
                    text[ends[0] : ends[-1]],
                    ends - ends[0],
                    rows.identity[:, places],
                    rows.content[places],
                    np.full(len(places), file, np.int64),
                    rows.line[places],
                )
            )
            at += len(places)
        kinds = iter(packed)
        for (group, _), fresh, changed, neighbours in zip(found, kinds, kinds, kinds, strict=True):
            for job in group.take(fresh, changed, neighbours):
                self._put(job)


def _bare(rows: Rows, places: Int64s, file: int) -> Packed:
    """Samples without their JSON."""
    return Packed(
        b"",
        np.zeros(len(places) + 1, np.int64),
        rows.identity[:, places],
        rows.content[places],
        np.full(len(places), file, np.int64),
        rows.line[places],
    )
