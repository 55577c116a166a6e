"""The outbox: what is to be sent, in the order of each user's items."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, select, tuple_, update

from uptake.samples.columns import from_bytes, in_use, to_bytes
from uptake.samples.metrics import Metric
from uptake.store.audit import record
from uptake.store.database import (
    WritingDatabase,
    batches_of,
    delete_all,
    may_touch_none,
    streamed,
    update_all,
)
from uptake.store.events import add_events
from uptake.store.outbox_tables import destinations, outbox
from uptake.store.relay_ports import OutboxEntry, OutboxState, Postponed, Relay, Settled, Target
from uptake.store.relays import SqlRelays
from uptake.store.webhook_ports import RELAY_FAILED

PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of the contents of a page, which ends with the entry that exceeds them."""

AT_ONCE = 64
"""Rows in memory while a page is read."""

PENDING, DEAD = 0, 1

_COLUMNS = [
    outbox.c["state" if name == "is_dead" else name]
    for name in OutboxEntry.__struct_fields__
    if name != "content"
]


class SqlOutbox(SqlRelays, WritingDatabase):
    """The ports `Outbox` and `OutboxUpkeep`, on SQL."""

    def outbox_page(self, relay: Target, after: tuple[str, int], limit: int) -> list[OutboxEntry]:
        """See `Outbox.outbox_page`."""
        query = _page(relay, after, PENDING).add_columns(outbox.c.content).limit(limit)
        entries: list[OutboxEntry] = []
        size = 0
        with self.reading() as connection:
            for row in streamed(connection, query, AT_ONCE):
                entries.append(_entry(row))
                size += len(entries[-1].content)
                if size > PAGE_BYTES:
                    break
        return entries

    def list_outbox(
        self, relay: Target, after: tuple[str, int], limit: int, *, dead: bool
    ) -> list[OutboxEntry]:
        """See `OutboxUpkeep.list_outbox`."""
        query = _page(relay, after, DEAD if dead else PENDING).limit(limit)
        with self.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def still_in_outbox(self, relay: Target, user_id: str, sequences: Sequence[int]) -> bool:
        """See `Outbox.still_in_outbox`."""
        count = 0
        with self.reading() as connection:
            for some in batches_of(sequences):
                own = [*_of(relay, user_id), outbox.c.sequence.in_(some)]
                count += connection.scalar(select(func.count()).where(*own)) or 0
        return count == len(sequences)

    def settle_outbox(self, relay: Target, outcomes: Sequence[Settled]) -> None:
        """See `Outbox.settle_outbox`."""
        sent: dict[str, list[int]] = defaultdict(list)
        with self.writing() as connection:
            for one in outcomes:
                sequences = list(one.sequences)
                if one.reason:
                    this = [*_of(relay, one.user_id), outbox.c.sequence == sequences.pop()]
                    values: dict[str, Any] = {"state": DEAD, "reason": one.reason, "due": 0}
                    values |= {"content": one.content, "count": one.count}
                    if update_all(connection, outbox, this, values) and isinstance(relay, Relay):
                        data = {"user_id": one.user_id, "relay": relay.name, "items": one.count}
                        failed = relay.project, RELAY_FAILED, [(one.user_id, data)]
                        add_events(connection, *failed)
                sent[one.user_id] += sequences
            for user_id, sequences in sent.items():
                for some in batches_of(sequences):
                    own = [*_of(relay, user_id), outbox.c.sequence.in_(some)]
                    delete_all(connection, outbox, *own)

    def postpone_outbox(self, relay: Target, failures: Sequence[Postponed]) -> None:
        """See `Outbox.postpone_outbox`."""
        with self.writing() as connection:
            for one in failures:
                values = {
                    "attempts": outbox.c.attempts + one.attempts,
                    "due": one.due,
                    "failed_at": func.coalesce(outbox.c.failed_at, one.failed_at),
                    "reason": one.reason,
                }
                this = [*_of(relay, one.user_id), outbox.c.sequence == one.sequence]
                update_all(connection, outbox, this, values)

    def retry_dead(self, project: str, name: str) -> int | None:
        """See `OutboxUpkeep.retry_dead`."""
        relay = self.relay(project, name)
        if relay is None:
            return None
        values = {"state": PENDING, "attempts": 0, "due": 0, "failed_at": None, "reason": ""}
        with self.writing() as connection:
            dead = [*_of(relay), outbox.c.state == DEAD]
            statement = may_touch_none(update(outbox).where(*dead).values(values))
            count: int = connection.execute(statement).rowcount
            record(connection, project, "relay.retry", name, entries=count)
        return count

    def outbox_state(self, relay: Target) -> OutboxState:
        """See `OutboxUpkeep.outbox_state`."""
        # Both in one scan of the index.
        oldest = func.min(case((outbox.c.state == PENDING, outbox.c.received_at)))
        query = select(outbox.c.state, func.count(), oldest).where(*_of(relay))
        with self.reading() as connection:
            rows = {
                state: (count, first)
                for state, count, first in connection.execute(query.group_by(outbox.c.state))
            }
        pending, first = rows.get(PENDING, (0, None))
        return OutboxState(pending, rows.get(DEAD, (0, None))[0], first)

    def clear_outbox(self) -> int:
        """See `OutboxUpkeep.clear_outbox`."""
        count = 0
        with self.writing() as connection:
            used = set(connection.scalars(select(outbox.c.destination_id).distinct()))
            for unknown in used - set(connection.scalars(select(destinations.c.id))):
                count += delete_all(connection, outbox, outbox.c.destination_id == unknown)
            if count:
                self.note_deletion()
        return count

    def delete_unsent_samples(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> int:
        """See `OutboxUpkeep.delete_unsent_samples`."""
        o, count = outbox.c, 0
        own = [o.project_id == project, o.user_id == user_id]
        of_metric = [*own, o.kind == "samples", o.type == metric]
        key = o.destination_id, o.sequence
        query = select(*key, o.content).where(*of_metric).order_by(*key).limit(AT_ONCE)
        after: tuple[str, int] = ("", -1)
        while True:
            with self.writing() as connection:
                rows = connection.execute(query.where(tuple_(*key) > tuple_(*after))).all()
                for row in rows:
                    samples = from_bytes(row.content)
                    gone = (samples.start >= start) & (samples.start < end)
                    this = [
                        *own,
                        o.destination_id == row.destination_id,
                        o.sequence == row.sequence,
                    ]
                    if gone.all():
                        delete_all(connection, outbox, *this)
                    elif gone.any():
                        left = in_use(samples.take(~gone))
                        values = {"content": to_bytes(left), "count": len(left)}
                        update_all(connection, outbox, this, values)
                    count += int(gone.sum())
                if count:
                    self.note_deletion()
            if len(rows) < AT_ONCE:
                return count
            after = rows[-1].destination_id, rows[-1].sequence


def _of(relay: Target, user_id: str | None = None) -> list[Any]:
    """The condition of the entries of a relay, or of one user's."""
    own = [outbox.c.project_id == relay.project, outbox.c.destination_id == relay.id]
    return own if user_id is None else [*own, outbox.c.user_id == user_id]


def _page(relay: Target, after: tuple[str, int], state: int) -> Any:
    key = outbox.c.user_id, outbox.c.sequence
    query = select(*_COLUMNS).where(*_of(relay), outbox.c.state == state)
    return query.where(tuple_(*key) > tuple_(*after)).order_by(*key)


def _entry(row: Any) -> OutboxEntry:
    values = row._asdict()
    values["is_dead"] = values.pop("state") == DEAD
    return OutboxEntry(**{"content": b"", **values})
