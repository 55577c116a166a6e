"""The events of webhooks as rows of the outbox, written in the transaction that they are about."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from uptake.model import clock
from uptake.model.items import Attributes
from uptake.model.shares import OTHER_PART
from uptake.store.database import INSERTS, Row
from uptake.store.group import Group, stored_rejections
from uptake.store.outbox_tables import destinations, outbox
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    Erased,
    Record,
    RejectionRecord,
    Written,
    WrittenImage,
    has_other_content,
)
from uptake.store.webhook_ports import UPLOAD_ACCEPTED, UPLOAD_REJECTED, Webhook

EVENT = "event"
"""The kind of an outbox entry that is an event."""

WEBHOOK = "webhook"
"""The kind of a destination that receives events."""

MAX_CODES = 10
"""Codes in an event of rejected items: the first that differ."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class WebhookSettings(Struct, frozen=True, omit_defaults=True):
    """What destinations of the kind have beside their columns."""

    events: tuple[str, ...]
    segments: tuple[str, ...] = ()
    allow_private: bool = False
    old_secret: str = ""
    old_secret_until: int = 0


class _Sequences:
    """Generates the places of events among those of their user: increasing, by the clock.

    The users of some events, as of rejections, have no row that counts their transactions. If
    the clocks of nodes differ, events that are as close together may change places.
    """

    _last: int

    def __init__(self) -> None:
        self.reset()

    def next(self) -> int:
        with self._lock:
            # Processes that make one in the same microsecond make different ones.
            number = clock.now() << 10 | self._random.getrandbits(10)
            self._last = max(number, self._last + 1)
            return self._last

    def reset(self) -> None:
        """Seed the generator; also after a fork."""
        self._random = Random(os.urandom(16))  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._last = 0


_sequences = _Sequences()
os.register_at_fork(after_in_child=_sequences.reset)


def payload(event: str, moment: int, data: Any) -> bytes:
    """The body of an event, as Standard Webhooks recommends it."""
    return _encode({"type": event, "timestamp": clock.iso(moment), "data": data})


def upload_rows(group: Group, written: Sequence[Sequence[Written]]) -> Iterator[Row]:
    """Yield the rows of the events of a group: one for each user, of what is accepted, rejected."""
    for number, entry in enumerate(group.entries):
        targets = [target for target in entry.outgoing if target.kind == EVENT]
        if not targets or number in group.rejected:
            continue
        for event, user_id, data in _of_upload(entry, written[number], group):
            for target in targets:
                if target.takes(EVENT, event):
                    row = _row(entry.project, target.destination_id, user_id, event)
                    content = payload(event, entry.received_at, data)
                    yield row | {"content": content, "received_at": entry.received_at}


def _row(project: str, destination_id: str, user_id: str, event: str) -> Row:
    return {
        "project_id": project,
        "user_id": user_id,
        "destination_id": destination_id,
        "sequence": _sequences.next(),
        "kind": EVENT,
        "type": event,
        "count": 1,
    }


def _of_upload(
    entry: Entry, written: Sequence[Written], group: Group
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The events of a request: each with its user and its data."""
    accepted: dict[str, dict[str, Any]] = {}
    rejected: dict[str, list[RejectionRecord]] = {}
    for rejection in stored_rejections(entry, group.erased):
        rejected.setdefault(rejection.user_id, []).append(rejection)
    for record, outcome in zip(entry.records, written, strict=True):
        if isinstance(outcome, Erased) or group.is_erased(entry, record.user_id):
            continue
        if not has_other_content(record, outcome):
            _count(accepted.setdefault(record.user_id, {}), record, outcome)
        elif record.otherwise is not None:
            rejected.setdefault(record.user_id, []).append(record.otherwise)
    request = {"request_id": entry.request_id, "format": entry.format}
    for user_id, data in accepted.items():
        yield UPLOAD_ACCEPTED, user_id, {"user_id": user_id, **request, **data}
    for user_id, rejections in rejected.items():
        faults = (fault for rejection in rejections for fault in rejection.faults)
        codes = list(dict.fromkeys(fault.code for fault in faults if fault != OTHER_PART))
        data = {"user_id": user_id or None, **request, "rejected": len(rejections)}
        yield UPLOAD_REJECTED, user_id, data | {"codes": codes[:MAX_CODES]}


def _count(data: dict[str, Any], record: Record, outcome: Written) -> None:
    """Add an accepted item to the data of an event."""
    if isinstance(record, BatchRecord):
        data["samples"] = data.get("samples", 0) + record.received
    elif isinstance(record, Attributes):
        data["attributes"] = data.get("attributes", 0) + len(record.names)
    elif isinstance(record, DocumentRecord):
        data.setdefault("documents", []).append(record.upload_id)
    elif isinstance(outcome, WrittenImage):
        data.setdefault("images", []).append(outcome.image_id)


def webhook_of(row: Any) -> Webhook:
    """The webhook of a row of `destinations`."""
    settings = msgspec.json.decode(row.settings, type=WebhookSettings)
    return Webhook(
        row.id,
        row.project_id,
        row.url,
        row.secret,
        settings.events,
        settings.segments,
        settings.allow_private,
        row.created_at,
        settings.old_secret,
        settings.old_secret_until,
        row.reason,
        row.failures,
        row.retry_at,
        row.leased_until,
        row.paused_at,
    )


def add_events(
    connection: Connection,
    project: str,
    event: str,
    items: Iterable[tuple[str, dict[str, Any]]],
    segment: str | None = None,
) -> None:
    """Write an event about each of these users, for the webhooks of a project that receive it.

    Args:
        connection: in the transaction that the event is about.
        project: of the event.
        event: its type.
        items: the users, each with the data of the event.
        segment: of an event of a segment.
    """
    query = select(destinations).filter_by(project_id=project, kind=WEBHOOK)
    webhooks = [webhook_of(row) for row in connection.execute(query)]
    targets = [one.id for one in webhooks if one.takes(event, segment)]
    if not targets:
        return
    now = clock.now()
    rows = [
        _row(project, target, user_id, event)
        | {"content": payload(event, now, data), "received_at": now}
        for user_id, data in items
        for target in targets
    ]
    if rows:
        connection.execute(INSERTS[connection.dialect.name](outbox), rows)
