"""Events are delivered at least once, in the order of each user, signed, and for three days."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import WebhookVerificationError

from store.engines import open_sqlite
from uptake.delivery import webhook_changes
from uptake.delivery.events import EventTurn
from uptake.delivery.standard_webhooks import event_id
from uptake.delivery.webhook_changes import Wanted
from uptake.model import clock
from uptake.reading import Page, webhooks
from uptake.store.events import EVENT
from uptake.store.records import Entry, Outgoing, Record
from uptake.store.sql_store import SqlStore
from uptake.store.webhook_ports import EVENTS, Webhook
from uptake.testing.store.making import attributes, batch, document, entry, image, rejection
from uptake.time_units import MICROSECONDS_PER_SECOND

from .event_server import EventServer, Received, event_server

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR


@dataclass
class Clock:
    """A clock that tests move."""

    now: int = field(default_factory=clock.now)

    def __call__(self) -> int:
        """The time, a microsecond later with each call."""
        self.now += 1
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * MICROSECONDS_PER_SECOND)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this process."""
    moved = Clock()
    monkeypatch.setattr(clock, "now", moved)
    return moved


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A store; each test has a webhook of its own. Suites of the ports test every engine."""
    with closing(open_sqlite(tmp_path_factory.mktemp("events") / "uptake.db")) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[EventServer]:
    """A receiver."""
    with event_server() as running:
        yield running


@dataclass
class Hook:
    """A webhook, and what a test does with it."""

    store: SqlStore
    server: EventServer
    webhook: Webhook

    def upload(self, *records: Record, received_at: int | None = None, **members: object) -> Entry:
        """Commit an entry; the webhook receives its events."""
        bare = entry(*records, received_at=received_at or clock.now(), **members)  # type: ignore[arg-type]
        sent = replace(bare, outgoing=(Outgoing(self.webhook.id, EVENT),))
        self.store.commit([sent])
        return sent

    def turn(self) -> int:
        """One turn of a process."""
        found = self.store.webhook("default", self.webhook.id)
        assert found is not None
        return EventTurn(self.store, found, "process", lambda: False).run()

    @property
    def received(self) -> list[Received]:
        """The events that were accepted."""
        return self.server.at("/events")

    def failed(self) -> list[webhooks.FailedEvent]:
        """The events that were given up."""
        return webhooks.failed(self.store, self.webhook, Page(), event_id).events


@pytest.fixture
def hook(store: SqlStore, server: EventServer) -> Iterator[Hook]:
    """A webhook that receives all events."""
    wanted = Wanted(server.url + "/events", EVENTS, allow_private=True)
    added = webhook_changes.add_webhook(store, "default", wanted)
    yield Hook(store, server, added)
    store.remove_webhook("default", added.id)


def test_each_user_of_an_upload_has_an_event_without_values(hook: Hook) -> None:
    """With what is needed to read the data; rejections have codes, and no values either."""
    sent = hook.upload(
        batch("7", "watch", 1, 2),
        attributes("7", city="Paris", plan="pro"),
        document("8", "upload-8"),
        image("8", "picture"),
        rejections=(rejection(user_id="8"), rejection()),
    )
    assert hook.turn() == 4
    for one in hook.received:
        one.verify(hook.webhook.secret)
    found = {(one.event["type"], one.event["data"]["user_id"]): one for one in hook.received}
    request = {"request_id": sent.request_id, "format": "samples"}
    codes = {"rejected": 1, "codes": ["missing", "blank"]}
    number = found["upload.accepted", "8"].event["data"].pop("images", None)
    assert {key: one.event["data"] for key, one in found.items()} == {
        ("upload.accepted", "7"): {"user_id": "7", **request, "samples": 3, "attributes": 2},
        ("upload.accepted", "8"): {
            "user_id": "8",
            **request,
            "documents": ["upload-8"],
            "images": number,
        },
        ("upload.rejected", "8"): {"user_id": "8", **request, **codes},
        ("upload.rejected", None): {"user_id": None, **request, **codes},
    }
    assert len(number) == 1
    assert {one.event["timestamp"] for one in hook.received} == {clock.iso(sent.received_at)}
    assert hook.received[0].headers["content-type"] == "application/json"
    assert hook.turn() == 0


def test_a_receiver_that_is_down_for_an_hour_loses_nothing(hook: Hook, hands: Clock) -> None:
    """Every event arrives once, in the order of its user, whatever failed in between."""
    hook.server.answer = lambda _: 503
    expected: dict[str, list[str]] = {}
    for minute in range(60):
        user_id = str(minute % 7)
        expected.setdefault(user_id, []).append(hook.upload(batch(user_id, f"{minute}")).request_id)
        hook.turn()
        hands.forward(MINUTE)
    attempts = len(hook.server.received)
    assert 60 < attempts < 400
    assert hook.received == []
    hook.server.answer = lambda _: 200
    for _ in range(80):
        hands.forward(MINUTE)
        hook.turn()
    arrived: dict[str, list[str]] = {}
    for one in hook.received:
        data = one.event["data"]
        arrived.setdefault(data["user_id"], []).append(data["request_id"])
    assert arrived == expected
    assert hook.failed() == []
    shown = webhooks.view(hook.store, hook.webhook)
    assert (shown.pending, shown.failed) == (0, 0)


def test_one_event_that_fails_stops_its_user_only(hook: Hook, hands: Clock) -> None:
    """Later events of the user wait; those of others are sent."""
    hook.server.answer = lambda one: 400 if one.event["data"]["user_id"] == "7" else 200
    for content in "ab":
        for user_id in "678":
            hook.upload(batch(user_id, content))
    hook.turn()
    assert sorted(one.event["data"]["user_id"] for one in hook.received) == ["6", "6", "8", "8"]
    hook.server.answer = lambda _: 200
    hands.forward(MINUTE)
    assert hook.turn() == 2
    requests = [one.event["data"]["request_id"] for one in hook.received[4:]]
    assert requests == sorted(requests)


def test_after_three_days_an_event_has_failed_until_it_is_redelivered(
    hook: Hook, hands: Clock
) -> None:
    """With its reason and its attempts; it keeps its id, and is tried for three days again."""
    hook.server.answer = lambda _: 500
    hook.upload(batch("7", "a"))
    hook.upload(batch("7", "b"))
    for _ in range(75):
        hook.turn()
        hands.forward(HOUR)
    ids = list(dict.fromkeys(one.id for one in hook.server.received))
    first, second = hook.failed()
    assert [first.id, second.id][:1] == ids[:1]
    assert (first.type, first.user_id) == ("upload.accepted", "7")
    assert first.reason == second.reason == "the receiver answers 500"
    assert first.attempts > 50
    count = len(hook.server.received)
    hook.turn()
    assert len(hook.server.received) == count
    hook.server.answer = lambda _: 200
    assert webhook_changes.redeliver(hook.store, hook.webhook, [second.id]) == 1
    assert hook.turn() == 1
    assert [one.id for one in hook.received] == [second.id]
    assert [one.id for one in hook.failed()] == [first.id]
    hook.server.answer = lambda _: 500
    assert webhook_changes.redeliver(hook.store, hook.webhook, []) == 1
    hook.turn()
    hands.forward(2 * DAY)
    hook.turn()
    assert hook.failed() == []
    hook.server.answer = lambda _: 200
    hands.forward(HOUR)
    assert hook.turn() == 1
    assert [one.id for one in hook.received] == [second.id, first.id]


def test_both_secrets_sign_during_a_rotation(hook: Hook, hands: Clock) -> None:
    """A receiver that has either verifies; afterwards only the new one does."""
    old = hook.webhook.secret
    new = webhook_changes.rotate(hook.store, "default", hook.webhook.id, 3600).secret
    assert new != old
    hook.upload(batch("7", "a"))
    hook.turn()
    (during,) = hook.received
    during.verify(old)
    during.verify(new)
    hands.forward(HOUR + 1)
    hook.upload(batch("7", "b"))
    hook.turn()
    after = hook.received[-1]
    with pytest.raises(WebhookVerificationError):
        after.verify(old)
    assert len(after.headers["webhook-signature"].split()) == 1


def test_erasing_a_user_removes_what_waits_and_announces_the_erasure(
    hook: Hook, hands: Clock
) -> None:
    """Also what has failed. The event of the erasure itself is delivered."""
    hook.server.answer = lambda _: 500
    hook.upload(batch("erased", "a"))
    hook.upload(batch("other", "a"))
    hook.turn()
    erasure = hook.store.erase("default", "erased", "erasure-1", clock.now())
    hook.store.readmit("default", "erased")
    assert hook.store.outbox_state(hook.webhook).pending == 2
    hook.server.answer = lambda _: 200
    hands.forward(HOUR)
    hook.turn()
    found = {one.event["type"]: one.event["data"] for one in hook.received}
    assert found["user.erased"] == {"user_id": "erased", "erasure_id": erasure.erasure_id}
    assert found["upload.accepted"]["user_id"] == "other"
    assert len(hook.received) == 2


def test_a_user_who_is_erased_during_a_turn_has_no_more_events(hook: Hook) -> None:
    """Events that were read already are looked up again before they are sent."""

    def erase(one: Received) -> int:
        if one.event["type"] == "upload.accepted":
            hook.store.erase("default", "gone", one.id, clock.now())
            hook.store.readmit("default", "gone")
        return 200

    hook.server.answer = erase
    for content in "abc":
        hook.upload(batch("gone", content))
    hook.turn()
    hook.turn()
    assert [one.event["type"] for one in hook.received] == ["upload.accepted", "user.erased"]


def test_retry_after_is_respected(hook: Hook, hands: Clock) -> None:
    """As seconds or as a date; the whole receiver waits."""
    hook.server.answer = lambda _: 429
    hook.server.headers = {"Retry-After": "600"}
    hook.upload(batch("7", "a"))
    hook.turn()
    hook.server.answer = lambda _: 200
    hands.forward(9 * MINUTE)
    assert hook.turn() == 0
    assert len(hook.server.received) == 1
    hands.forward(2 * MINUTE)
    assert hook.turn() == 1


def test_another_process_sends_once_the_lease_has_ended(hook: Hook, hands: Clock) -> None:
    """What a killed process sent and did not record is sent again."""
    hook.upload(batch("7", "a"))
    now = clock.now()
    assert hook.store.lease_relay(hook.webhook.id, "killed", now, now + MICROSECONDS_PER_SECOND)
    assert hook.turn() == 0
    hands.forward(2)
    assert hook.turn() == 1


def test_an_upload_without_webhooks_runs_no_other_statement(store: SqlStore) -> None:
    """Whether another project has webhooks or not; nor does one for other events write a row."""
    statements: list[str] = []
    store.commit([entry(attributes("7", a="0"))])
    (connection,) = store._spare
    driver: Any = connection.connection.driver_connection

    def run(number: int, *outgoing: Outgoing) -> list[str]:
        statements.clear()
        bare = entry(batch("7", f"content {number}"), rejections=(rejection(user_id="7"),))
        store.commit([replace(bare, outgoing=outgoing)])
        return [text for text in statements if "changes" not in text]

    driver.set_trace_callback(statements.append)
    try:
        before = run(1)
        wanted = Wanted("http://127.0.0.1:9/", EVENTS, allow_private=True)
        added = webhook_changes.add_webhook(store, "default", wanted)
        assert len(run(2)) == len(before)
        assert not any("outbox" in text or "destinations" in text for text in before)
        others = run(3, Outgoing(added.id, EVENT, ("user.erased",)))
        assert not any("outbox" in text for text in others)
        events = run(4, Outgoing(added.id, EVENT))
        assert len(events) == len(before) + 1
        store.remove_webhook("default", added.id)
    finally:
        driver.set_trace_callback(None)
