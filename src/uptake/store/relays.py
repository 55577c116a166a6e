"""The relays of projects, which are destinations of one kind."""

from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import Connection, case, or_, select, update

from uptake.model import clock
from uptake.store.audit import record
from uptake.store.base import AlreadyExists
from uptake.store.database import WritingDatabase, delete_all, may_touch_none, update_all
from uptake.store.events import add_events
from uptake.store.outbox_tables import destinations, outbox
from uptake.store.relay_ports import Relay
from uptake.store.webhook_ports import RELAY_FAILED

RELAY = "relay"

RESTORED = "restored from a backup: resume it where this server replaces the old one"
"""Why a relay is paused after a restore."""

_SAME = [name for name in Relay.__struct_fields__ if name not in {"project", "format", "types"}]
"""Fields that are columns of the same name."""


class _Settings(msgspec.Struct, frozen=True):
    format: str
    types: tuple[str, ...] = ()


class SqlRelays(WritingDatabase):
    """The ports `Relays` and `RelayLeases`, on SQL."""

    def add_relay(self, relay: Relay) -> None:
        """See `Relays.add_relay`."""
        settings = msgspec.json.encode(_Settings(relay.format, relay.types)).decode()
        row = {name: getattr(relay, name) for name in _SAME}
        row |= {"project_id": relay.project, "kind": RELAY, "settings": settings}
        try:
            with self.writing() as connection:
                connection.execute(self.insert(destinations), row)
                added = relay.project, "relay.add", relay.name
                record(connection, *added, format=relay.format, url=relay.url, types=relay.types)
        except sqlalchemy.exc.IntegrityError:
            raise AlreadyExists(relay.name) from None

    def remove_relay(self, project: str, name: str) -> bool:
        """See `Relays.remove_relay`."""
        found = self.relay(project, name)
        if found is None:
            return False
        entries = outbox.c.project_id == project, outbox.c.destination_id == found.id
        with self.writing() as connection:
            removed = delete_all(connection, destinations, destinations.c.id == found.id) > 0
            count = delete_all(connection, outbox, *entries)
            if removed:
                record(connection, project, "relay.remove", name, entries=count)
            self.note_deletion()
        return removed

    def relays(self, project: str | None = None) -> list[Relay]:
        """See `Relays.relays`."""
        query = select(destinations).filter_by(kind=RELAY)
        if project is not None:
            query = query.filter_by(project_id=project)
        with self.reading() as connection:
            order = destinations.c.project_id, destinations.c.name
            return [_relay(row) for row in connection.execute(query.order_by(*order))]

    def relay(self, project: str, name: str) -> Relay | None:
        """See `Relays.relay`."""
        query = select(destinations).filter_by(kind=RELAY, project_id=project, name=name)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _relay(row)

    def pause_relay(self, project: str, name: str, moment: int, reason: str = "") -> bool:
        """See `Relays.pause_relay`."""
        return self._change_relay(
            project,
            name,
            "relay.pause",
            {"paused_at": moment, "reason": reason},
            destinations.c.paused_at.is_(None),
        )

    def resume_relay(self, project: str, name: str) -> bool:
        """See `Relays.resume_relay`."""
        values = {"paused_at": None, "reason": "", "failures": 0, "retry_at": 0}
        return self._change_relay(project, name, "relay.resume", values)

    def _change_relay(
        self, project: str, name: str, action: str, values: dict[str, Any], *only: Any
    ) -> bool:
        found = self.relay(project, name)
        if found is None:
            return False
        with self.writing() as connection:
            this = [destinations.c.id == found.id, *only]
            if update_all(connection, destinations, this, values):
                record(connection, project, action, name)
                if values.get("paused_at") and values["reason"]:
                    data = {"user_id": None, "relay": name, "reason": values["reason"]}
                    add_events(connection, project, RELAY_FAILED, [("", data)])
        return True

    def lease_relay(self, relay_id: str, process: str, now: int, until: int) -> bool:
        """See `RelayLeases.lease_relay`."""
        d = destinations.c
        mine = or_(d.leased_by == process, d.leased_until <= now)
        free = [d.id == relay_id, d.paused_at.is_(None), d.retry_at <= now, mine]
        values = {"leased_by": process, "leased_until": until}
        with self.writing() as connection:
            return update_all(connection, destinations, free, values) > 0

    def release_relay(
        self, relay_id: str, process: str, failures: int, retry_at: int, reason: str
    ) -> None:
        """See `RelayLeases.release_relay`."""
        d = destinations.c
        mine = [d.id == relay_id, d.leased_by == process]
        values: dict[str, Any] = {"leased_by": "", "leased_until": 0}
        # The reason of a relay that was paused in between stays.
        reason_now = case((d.paused_at.is_(None), reason), else_=d.reason)
        values |= {"failures": failures, "retry_at": retry_at, "reason": reason_now}
        with self.writing() as connection:
            update_all(connection, destinations, mine, values)


def pause_restored(connection: Connection) -> None:
    """Pause all relays of a database that was restored: a copy must not send by itself."""
    values = {"paused_at": clock.now(), "leased_by": "", "leased_until": 0, "reason": RESTORED}
    connection.execute(may_touch_none(update(destinations).values(values)))


def _relay(row: Any) -> Relay:
    settings = msgspec.json.decode(row.settings, type=_Settings)
    same = {name: getattr(row, name) for name in _SAME}
    return Relay(**same, project=row.project_id, format=settings.format, types=settings.types)
