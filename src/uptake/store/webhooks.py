"""The webhooks of projects, which are destinations of one kind."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import func, select, update

from uptake.store.audit import record
from uptake.store.database import WritingDatabase, delete_all, may_touch_none, update_all
from uptake.store.events import WEBHOOK, WebhookSettings, webhook_of
from uptake.store.outbox import DEAD, PENDING
from uptake.store.outbox_tables import destinations, outbox
from uptake.store.webhook_ports import Webhook


class SqlWebhooks(WritingDatabase):
    """The ports `Webhooks` and `FailedEvents`, on SQL."""

    def add_webhook(self, webhook: Webhook) -> None:
        """See `Webhooks.add_webhook`."""
        row = {name: getattr(webhook, name) for name in ("id", "url", "secret", "created_at")}
        row |= {"project_id": webhook.project, "kind": WEBHOOK, "name": webhook.id}
        row |= {"settings": _settings(webhook)}
        with self.writing() as connection:
            connection.execute(self.insert(destinations), row)
            added = webhook.project, "webhook.add", webhook.id
            record(connection, *added, url=webhook.url, events=webhook.events)

    def remove_webhook(self, project: str, webhook_id: str) -> bool:
        """See `Webhooks.remove_webhook`."""
        d, o = destinations.c, outbox.c
        this = d.project_id == project, d.kind == WEBHOOK, d.id == webhook_id
        with self.writing() as connection:
            found = delete_all(connection, destinations, *this) > 0
            if found:
                own = o.project_id == project, o.destination_id == webhook_id
                count = delete_all(connection, outbox, *own)
                record(connection, project, "webhook.remove", webhook_id, events=count)
                self.note_deletion()
        return found

    def webhooks(self, project: str | None = None) -> list[Webhook]:
        """See `Webhooks.webhooks`."""
        d = destinations.c
        query = select(destinations).filter_by(kind=WEBHOOK).order_by(d.project_id, d.id)
        if project is not None:
            query = query.filter_by(project_id=project)
        with self.reading() as connection:
            return [webhook_of(row) for row in connection.execute(query)]

    def webhook(self, project: str, webhook_id: str) -> Webhook | None:
        """See `Webhooks.webhook`."""
        query = select(destinations).filter_by(kind=WEBHOOK, project_id=project, id=webhook_id)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else webhook_of(row)

    def rotate_webhook(self, project: str, webhook_id: str, secret: str, until: int) -> bool:
        """See `Webhooks.rotate_webhook`."""
        query = select(destinations).filter_by(kind=WEBHOOK, project_id=project, id=webhook_id)
        with self.writing() as connection:
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is None:
                return False
            old = webhook_of(row)
            changed = msgspec.structs.replace(old, old_secret=old.secret, old_secret_until=until)
            values = {"secret": secret, "settings": _settings(changed)}
            update_all(connection, destinations, [destinations.c.id == webhook_id], values)
            record(connection, project, "webhook.rotate", webhook_id)
        return True

    def resume_webhook(self, project: str, webhook_id: str) -> bool:
        """See `Webhooks.resume_webhook`."""
        d = destinations.c
        this = [d.project_id == project, d.kind == WEBHOOK, d.id == webhook_id]
        values = {"paused_at": None, "reason": "", "failures": 0, "retry_at": 0}
        with self.writing() as connection:
            found = update_all(connection, destinations, this, values) > 0
            if found:
                record(connection, project, "webhook.resume", webhook_id)
        return found

    def redeliver(
        self, webhook: Webhook, events: Sequence[tuple[str, int]] | None, now: int
    ) -> int:
        """See `FailedEvents.redeliver`."""
        o = outbox.c
        failed = [
            o.project_id == webhook.project,
            o.destination_id == webhook.id,
            o.state == DEAD,
        ]
        values = {"state": PENDING, "attempts": 0, "due": 0, "failed_at": now, "reason": ""}
        again = may_touch_none(update(outbox).values(values))
        count = 0
        with self.writing() as connection:
            if events is None:
                count = connection.execute(again.where(*failed)).rowcount
            else:
                for user_id, sequence in events:
                    this = o.user_id == user_id, o.sequence == sequence
                    count += connection.execute(again.where(*failed, *this)).rowcount
            if count:
                values = {"retry_at": 0, "failures": 0}
                update_all(connection, destinations, [destinations.c.id == webhook.id], values)
            record(connection, webhook.project, "webhook.redeliver", webhook.id, events=count)
        return count

    def give_up_events(self, webhook: Webhook, before: int, reason: str) -> int:
        """See `FailedEvents.give_up_events`."""
        o = outbox.c
        old = [
            o.project_id == webhook.project,
            o.destination_id == webhook.id,
            o.state == PENDING,
            func.coalesce(o.failed_at, o.received_at) < before,
        ]
        values: dict[str, Any] = {
            "state": DEAD,
            "reason": func.coalesce(func.nullif(o.reason, ""), reason),
        }
        with self.writing() as connection:
            statement = may_touch_none(update(outbox).where(*old).values(values))
            count: int = connection.execute(statement).rowcount
        return count


def _settings(webhook: Webhook) -> str:
    settings = WebhookSettings(
        webhook.events,
        webhook.segments,
        webhook.allow_private,
        webhook.old_secret,
        webhook.old_secret_until,
    )
    return msgspec.json.encode(settings).decode()
