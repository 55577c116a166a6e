"""Conformance suites of webhooks, and of the members of segments that they receive events of."""

import msgspec
from msgspec.structs import replace

from uptake.store.base import Store
from uptake.store.events import EVENT
from uptake.store.records import Outgoing
from uptake.store.relay_ports import Settled
from uptake.store.webhook_ports import EVENTS, SegmentWatch, Webhook
from uptake.testing.store.making import NOON, OpensStore, batch, digest_of, entry, put, unique
from uptake.testing.store.relays import send
from uptake.testing.store.relays import stored as stored_relay

FIRST = ("", -1)
EVERYTHING = 1000


def webhook(**members: object) -> Webhook:
    """A webhook of the default project."""
    made = Webhook(
        id=unique("webhook"),
        project="default",
        url="https://receiver.example/events",
        secret="whsec_AAAA",  # noqa: S106 - of no receiver
        events=EVENTS,
        segments=(),
        allow_private=False,
        created_at=NOON,
    )
    return replace(made, **members)


def stored(store: Store, **members: object) -> Webhook:
    """A webhook that is stored."""
    made = webhook(**members)
    store.add_webhook(made)
    return made


def pending(store: Store, of: Webhook) -> list[tuple[str, str]]:
    """The type and the user of each event to be sent."""
    return [(one.type, one.user_id) for one in store.outbox_page(of, FIRST, EVERYTHING)]


class WebhooksSuite(OpensStore):
    """The port `Webhooks`."""

    def test_a_webhook_is_found_until_it_is_removed(self, store: Store) -> None:
        """In its project only; its events go with it."""
        store.add_project("hooked", NOON)
        other = stored(store)
        mine = stored(store, project="hooked", segments=("pro",), allow_private=True)
        assert store.webhooks("hooked") == [mine]
        assert [one for one in store.webhooks() if one in (mine, other)] == [other, mine]
        assert store.webhook("hooked", mine.id) == mine
        assert store.webhook("default", mine.id) is None
        to = (Outgoing(mine.id, EVENT),)
        store.commit([replace(entry(batch("1", "a"), project="hooked"), outgoing=to)])
        assert pending(store, mine) == [("upload.accepted", "1")]
        assert not store.remove_webhook("default", mine.id)
        assert store.remove_webhook("hooked", mine.id)
        assert not store.remove_webhook("hooked", mine.id)
        assert store.webhooks("hooked") == []
        assert pending(store, mine) == []
        store.remove_webhook("default", other.id)

    def test_a_rotation_keeps_the_old_secret(self, store: Store) -> None:
        """Until a moment; the secrets that sign follow from it."""
        mine = stored(store)
        assert store.rotate_webhook("default", mine.id, "whsec_BBBB", NOON + 10)
        found = store.webhook("default", mine.id)
        assert found is not None
        assert found.secrets(NOON) == ("whsec_BBBB", "whsec_AAAA")
        assert found.secrets(NOON + 10) == ("whsec_BBBB",)
        assert not store.rotate_webhook("default", unique("none"), "whsec_CCCC", NOON)
        store.remove_webhook("default", mine.id)

    def test_a_webhook_is_resumed(self, store: Store) -> None:
        """Whether it was paused or not; only one that exists."""
        mine = stored(store)
        assert store.resume_webhook("default", mine.id)
        assert store.webhook("default", mine.id) == mine
        assert not store.resume_webhook("default", unique("none"))
        store.remove_webhook("default", mine.id)


class FailedEventsSuite(OpensStore):
    """The port `FailedEvents`."""

    def test_old_events_are_given_up_and_redelivered(self, store: Store) -> None:
        """Those that wait since before a moment; a redelivery begins a new period."""
        mine = stored(store)
        to = (Outgoing(mine.id, EVENT),)
        for moment in (NOON, NOON + 100):
            store.commit([replace(entry(batch("1", "a"), received_at=moment), outgoing=to)])
        assert store.give_up_events(mine, NOON + 100, "no answer") == 1
        (dead,) = store.list_outbox(mine, FIRST, EVERYTHING, dead=True)
        assert (dead.received_at, dead.reason) == (NOON, "no answer")
        assert store.redeliver(mine, [("1", dead.sequence + 1)], NOON + 200) == 0
        assert store.redeliver(mine, [("1", dead.sequence)], NOON + 200) == 1
        assert store.give_up_events(mine, NOON + 150, "again") == 1
        assert store.redeliver(mine, None, NOON + 300) == 1
        assert len(pending(store, mine)) == 2
        store.remove_webhook("default", mine.id)

    def test_an_erasure_is_an_event(self, store: Store) -> None:
        """For webhooks that receive it, and the only event of the user that is left."""
        mine, other = stored(store), stored(store, events=("upload.accepted",))
        to = tuple(Outgoing(one.id, EVENT) for one in (mine, other))
        user = unique("user")
        store.commit([replace(entry(batch(user, "a")), outgoing=to)])
        store.erase("default", user, unique("erasure"), NOON)
        assert pending(store, mine) == [("user.erased", user)]
        assert pending(store, other) == []
        for one in (mine, other):
            store.remove_webhook("default", one.id)

    def test_what_a_relay_cannot_send_is_an_event(self, store: Store) -> None:
        """A dead entry, about its user, and a relay that is paused for a reason; no values."""
        mine, relay = stored(store, events=("relay.failed",)), stored_relay(store)
        store.commit([send(relay, batch("1", "a"))])
        (one,) = store.outbox_page(relay, FIRST, EVERYTHING)
        outcome = Settled("1", (one.sequence,), "value: 7 is odd", one.content, 2)
        store.settle_outbox(relay, [outcome])
        store.pause_relay("default", relay.name, NOON)
        store.resume_relay("default", relay.name)
        store.pause_relay("default", relay.name, NOON, "rejects the key")
        events = store.outbox_page(mine, FIRST, EVERYTHING)
        assert {event.type for event in events} == {"relay.failed"}
        assert [msgspec.json.decode(event.content)["data"] for event in events] == [
            {"user_id": None, "relay": relay.name, "reason": "rejects the key"},
            {"user_id": "1", "relay": relay.name, "items": 2},
        ]
        store.remove_webhook("default", mine.id)
        store.remove_relay("default", relay.name)


class SegmentWatchesSuite(OpensStore):
    """The port `SegmentWatches`."""

    def test_a_watch_is_replaced_and_dropped(self, store: Store) -> None:
        """With its members."""
        store.add_project("watched", NOON)
        watch = SegmentWatch("pro", "{}", None, NOON)
        store.put_segment_watch("watched", watch)
        later = SegmentWatch("pro", "[]", 5, NOON + 1)
        store.put_segment_watch("watched", later)
        assert store.segment_watches("watched") == [later]
        assert "watched" in store.watched_projects()
        put(store, batch("1", "a"), project="watched")
        store.change_members("watched", "pro", ["1"], [], notify=False)
        store.drop_segment_watch("watched", "pro")
        assert store.segment_watches("watched") == []
        assert store.stored_members("watched", "pro", "", EVERYTHING) == []

    def test_who_enters_and_leaves_has_one_event(self, store: Store) -> None:
        """Also if it is reported twice; who does not exist does not enter."""
        segment = unique("segment")
        mine = stored(store, segments=(segment,))
        other = stored(store, segments=("another",))
        users = [unique("user") for _ in range(3)]
        put(store, *(batch(user, "a") for user in users))
        for _ in range(2):
            store.change_members("default", segment, [*users, "nobody"], [], notify=True)
        assert store.stored_members("default", segment, "", EVERYTHING) == users
        assert store.stored_members("default", segment, users[0], 1) == users[1:2]
        found = store.stored_members_among("default", segment, [users[1], "nobody"])
        assert found == {users[1]}
        for _ in range(2):
            store.change_members("default", segment, [], users[:1], notify=True)
        events = store.outbox_page(mine, FIRST, EVERYTHING)
        assert [(one.type, one.user_id) for one in events] == [
            ("segment.entered", users[0]),
            ("segment.left", users[0]),
            ("segment.entered", users[1]),
            ("segment.entered", users[2]),
        ]
        data = msgspec.json.decode(events[0].content)["data"]
        assert data == {"user_id": users[0], "segment": segment}
        assert pending(store, other) == []
        for one in (mine, other):
            store.remove_webhook("default", one.id)

    def test_an_erased_user_is_no_member_any_more(self, store: Store) -> None:
        """And cannot become one."""
        segment, user = unique("segment"), unique("user")
        put(store, batch(user, "a"))
        store.change_members("default", segment, [user], [], notify=False)
        store.erase("default", user, digest_of(user).hex(), NOON)
        assert store.stored_members("default", segment, "", EVERYTHING) == []
        store.change_members("default", segment, [user], [], notify=True)
        assert store.stored_members("default", segment, "", EVERYTHING) == []
