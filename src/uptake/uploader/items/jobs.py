"""Requests with items, and the outcome of each item."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from uptake.formats.encoder import Read, Rejected
from uptake.uploader.context import UploadContext
from uptake.uploader.ledger import items
from uptake.uploader.ledger.items import Entry
from uptake.uploader.ledger.rejections import Reason, Rejection, reasons_of
from uptake.uploader.sending.connection import Request
from uptake.uploader.sending.schedule import Halt
from uptake.uploader.tally import Tally


@dataclass(slots=True, eq=False)
class SourceItem:
    """An item of a source, which is sent in one part or in several.

    Attributes:
        open: parts without an outcome.
        rejected: whether one was rejected.
        before: whether one was rejected in an earlier run.
    """

    open: int = 0
    rejected: bool = False
    before: bool = False

    def count(self, tally: Tally) -> None:
        """Count the item once all its parts have an outcome."""
        if self.open:
            return
        if self.rejected:
            tally.add(refused=1)
        elif self.before:
            tally.add(refused_before=1)
        else:
            tally.add(acknowledged=1)


@dataclass(frozen=True, slots=True, eq=False)
class ItemPart:
    """The part of an item that is sent in one request.

    Attributes:
        user_id: its user.
        identity, content: digests that find it again when it is rejected.
        entries: what the ledger has of it.
        file, line: where it was read.
        item: its JSON, as a source reads it.
        weight: bytes of memory that its request takes.
        values: its values, in the order of the request's names, if it consists of attributes.
        whole: the item that it is a part of.
    """

    user_id: str
    identity: bytes
    content: bytes
    entries: Sequence[Entry]
    file: str
    line: int
    item: bytes
    weight: int = 0
    values: tuple[Any, ...] = ()
    whole: SourceItem = field(default_factory=SourceItem)

    def rejection(self, reasons: Sequence[Reason]) -> Rejection:
        """Its rejection for these reasons."""
        digests = self.identity, self.content
        return Rejection(
            self.user_id, "", *digests, self.file, self.line, tuple(reasons), self.item
        )


def is_rejected_before(context: UploadContext[Any], part: ItemPart) -> bool:
    """Whether an earlier run sent this and it was rejected, which is then reported again."""
    if context.retry_rejected:
        return False
    return context.report_again(
        (part.user_id, "", part.identity, part.content), part.file, part.line
    )


def settle(
    context: UploadContext[Any],
    stored: Sequence[ItemPart],
    rejected: Sequence[tuple[ItemPart, list[Reason]]],
) -> None:
    """Record and count the outcome of parts of items."""
    rejections = [part.rejection(reasons) for part, reasons in rejected]
    items.settle(
        context.run,
        [(part.user_id, part.identity, part.entries) for part in stored],
        [entry for part, _ in rejected for entry in part.entries],
        rejections,
    )
    for rejection in rejections:
        context.report(rejection)
    for part, _ in rejected:
        part.whole.rejected = True
    for part in (*stored, *(part for part, _ in rejected)):
        part.whole.open -= 1
        part.whole.count(context.tally)


@dataclass(slots=True, eq=False)
class ItemsJob:
    """A request with items, of one user each.

    Attributes:
        context: the run.
        read: reads the answer.
        build: makes the request of items.
        items: one for each user, in order.
        group: the same for all requests that one was split into.
        is_recorded: whether the ledger has the items already.
    """

    context: UploadContext[Any]
    read: Read
    build: Callable[[Sequence[ItemPart]], Request]
    items: Sequence[ItemPart]
    group: object = field(default_factory=object)
    is_recorded: bool = False

    def __post_init__(self) -> None:
        if not self.is_recorded:
            items.set_pending(self.context.run, self._entries)

    @property
    def _entries(self) -> list[Entry]:
        return [entry for part in self.items for entry in part.entries]

    @property
    def lanes(self) -> Sequence[str]:
        """The users."""
        return tuple(part.user_id for part in self.items)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return sum(part.weight for part in self.items)

    def request(self) -> Request:
        """The request."""
        return self.build(self.items)

    def sent(self) -> None:
        """Record that the request is sent."""
        items.set_sent(self.context.run, self._entries)

    def answered(self, status: int, body: bytes) -> "list[ItemsJob]":
        """Record the outcome of each item; where one spoilt the others, return those to be sent.

        Raises:
            Unclear: the answer is not one of this endpoint's.
            Halt: no such request will be accepted.
        """
        verdict = self.read(status, body, len(self.items))
        if verdict.halt:
            raise Halt(verdict.halt)
        faults: dict[int, list[Rejected]] = {}
        for fault in verdict.rejected:
            if fault.index is None and len(self.items) > 1:
                return self.parts()
            faults.setdefault(fault.index or 0, []).append(fault)
        rejected = [(self.items[i], reasons_of(some)) for i, some in faults.items()]
        others = [part for i, part in enumerate(self.items) if i not in faults]
        if verdict.stores_others:
            settle(self.context, others, rejected)
            return []
        settle(self.context, [], rejected)
        return [self._with(others)] if others else []

    def _with(self, parts: Sequence[ItemPart]) -> "ItemsJob":
        return ItemsJob(self.context, self.read, self.build, parts, self.group, is_recorded=True)

    def parts(self) -> "list[ItemsJob]":
        """Two halves, if there are two items."""
        half = len(self.items) // 2
        return [self._with(self.items[:half]), self._with(self.items[half:])] if half else []

    def reject(self, reason: str) -> None:
        """Record that all items are rejected."""
        settle(self.context, [], [(part, [Reason(reason)]) for part in self.items])
