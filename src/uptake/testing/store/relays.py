"""Conformance suites of relays and of the outbox."""

import pytest
from msgspec.structs import replace

from uptake.samples.columns import from_bytes
from uptake.store.base import AlreadyExists, Store
from uptake.store.records import Entry, Outgoing, Record
from uptake.store.relay_ports import OutboxEntry, OutboxState, Postponed, Relay, Settled
from uptake.testing.store.making import (
    EVER,
    NOON,
    OpensStore,
    attributes,
    batch,
    digest_of,
    document,
    entry,
    image,
    unique,
)

FIRST = ("", -1)


def relay(**members: object) -> Relay:
    """A relay of the default project."""
    name = unique("relay")
    made = Relay(
        id=unique("id"),
        project="default",
        name=name,
        format="gerosense-v2.2",
        url="https://vendor.example",
        secret="a key of the vendor",  # noqa: S106 - of no vendor
        types=("steps",),
        created_at=NOON,
    )
    return replace(made, **members)


def stored(store: Store, **members: object) -> Relay:
    """A relay that is stored."""
    made = relay(**members)
    store.add_relay(made)
    return made


def send(to: Relay, *records: Record, kinds: tuple[str, ...] = ("samples",)) -> Entry:
    """An entry that sends its items of these kinds to a relay."""
    outgoing = tuple(Outgoing(to.id, kind) for kind in kinds)
    return replace(entry(*records, project=to.project), outgoing=outgoing)


def pending(store: Store, of: Relay) -> list[OutboxEntry]:
    """The entries to be sent."""
    return store.outbox_page(of, FIRST, 1000)


class RelaysSuite(OpensStore):
    """Relays are returned as they were stored."""

    def test_a_relay_is_found_by_its_project_and_name(self, store: Store) -> None:
        """Until it is removed, once. A name is unique in its project."""
        store.add_project("other", NOON)
        one = stored(store, name="a")
        other = stored(store, name="a", project="other", types=())
        with pytest.raises(AlreadyExists):
            store.add_relay(replace(one, id=unique("id")))
        assert [store.relays("default"), store.relays("other")] == [[one], [other]]
        assert store.relays() == [one, other]
        assert (store.relay("other", "a"), store.relay("default", "b")) == (other, None)
        assert one.secret not in repr(one)
        assert store.remove_relay("default", "a")
        assert not store.remove_relay("default", "a")
        assert store.relays() == [other]


class RelayLeasesSuite(OpensStore):
    """A relay that is not paused is leased to one process at a time."""

    def test_a_paused_relay_is_not_leased_until_it_is_resumed(self, store: Store) -> None:
        """Pausing it again does not change when and why it was paused."""
        one = stored(store)
        assert store.pause_relay("default", one.name, NOON, "the key is wrong")
        assert store.pause_relay("default", one.name, NOON + 1)
        assert store.relays() == [replace(one, paused_at=NOON, reason="the key is wrong")]
        assert not store.lease_relay(one.id, "p", NOON, NOON + 9)
        assert store.resume_relay("default", one.name)
        assert store.relays() == [one]
        assert not store.pause_relay("default", "unknown", NOON)
        assert not store.resume_relay("default", "unknown")

    def test_one_process_leases_a_relay_at_a_time(self, store: Store) -> None:
        """It may renew the lease. Others follow at its end, or when it is released."""
        one = stored(store)
        assert store.lease_relay(one.id, "p", NOON, NOON + 10)
        assert not store.lease_relay(one.id, "q", NOON + 9, NOON + 19)
        assert store.lease_relay(one.id, "p", NOON + 9, NOON + 19)
        assert store.lease_relay(one.id, "q", NOON + 19, NOON + 29)
        store.release_relay(one.id, "p", 7, NOON + 99, "of an earlier lease")
        assert store.relays() == [replace(one, leased_by="q", leased_until=NOON + 29)]
        store.release_relay(one.id, "q", 1, NOON + 50, "it did not answer")
        failed = replace(one, failures=1, retry_at=NOON + 50, reason="it did not answer")
        assert store.relays() == [failed]
        assert not store.lease_relay(one.id, "p", NOON + 49, NOON + 99)
        assert store.lease_relay(one.id, "p", NOON + 50, NOON + 99)


class OutboxSuite(OpensStore):
    """Items are in the outbox from their commit until they have an outcome."""

    def test_items_are_in_the_outbox_in_the_order_of_their_users(self, store: Store) -> None:
        """Those of the kinds and types that a destination takes, once for each destination."""
        one, two = stored(store), stored(store, types=())
        everything = batch("7", "a"), attributes("7", plan="x"), document("7"), image("7", "b")
        kinds = ("samples", "attributes", "document", "image")
        store.commit([send(one, *everything, kinds=kinds), send(one, batch("42", "c"))])
        bpm = batch("7", "d", metric="bpm")
        only_steps = Outgoing(two.id, "samples", ("steps",))
        sent = replace(send(one, bpm, batch("7", "e")), outgoing=(only_steps,))
        store.commit([sent])
        store.commit([entry(batch("7", "not sent on"))])
        store.commit([send(one, batch("7", "f"))])
        found = pending(store, one)
        assert [(each.user_id, each.kind) for each in found] == [
            ("42", "samples"),
            *(("7", kind) for kind in kinds),
            ("7", "samples"),
        ]
        assert [each.sequence for each in found[1:]] == sorted(each.sequence for each in found[1:])
        assert [each.type for each in pending(store, two)] == ["steps"]
        after = found[2].user_id, found[2].sequence
        assert store.outbox_page(one, after, 2) == found[3:5]
        listed = store.list_outbox(one, after, 2, dead=False)
        assert listed == [replace(each, content=b"") for each in found[3:5]]
        assert store.outbox_state(one) == OutboxState(6, 0, NOON)

    def test_a_repeated_document_or_image_is_not_sent_again(self, store: Store) -> None:
        """A repeated batch is: it replaces what was received in between."""
        one = stored(store)
        upload_id = unique("claimed")
        claimed = document("7", upload_id, digest=digest_of("x"))
        records = claimed, image("7", "same"), batch("7", "same")
        kinds = ("document", "image", "samples")
        for _ in range(2):
            store.commit([send(one, *records, kinds=kinds)])
        found = [each.kind for each in pending(store, one)]
        assert found == ["document", "image", "samples", "samples"]

    def test_a_failed_attempt_is_recorded_with_its_entry(self, store: Store) -> None:
        """With the moment of the first one."""
        one = stored(store)
        store.commit([send(one, batch("7", "a"))])
        (sent,) = pending(store, one)
        for moment in (NOON, NOON + 5):
            failed = Postponed("7", sent.sequence, 1, moment + 9, moment, "no answer")
            store.postpone_outbox(one, [failed])
        expected = replace(sent, attempts=2, due=NOON + 14, failed_at=NOON, reason="no answer")
        assert pending(store, one) == [expected]

    def test_an_erasure_empties_the_outbox_of_its_user(self, store: Store) -> None:
        """Later outcomes of what was in it store nothing."""
        one = stored(store)
        store.commit([send(one, batch("7", "a"), batch("42", "b"))])
        _, mine = pending(store, one)
        assert store.still_in_outbox(one, "7", [mine.sequence])
        store.erase("default", "7", unique("erasure"), NOON)
        assert not store.still_in_outbox(one, "7", [mine.sequence])
        store.settle_outbox(one, [Settled("7", (mine.sequence,), "late", b"x", 1)])
        store.postpone_outbox(one, [Postponed("7", mine.sequence, 1, NOON, NOON, "late")])
        store.commit([send(one, batch("7", "after the erasure"))])
        assert [each.user_id for each in pending(store, one)] == ["42"]
        assert store.outbox_state(one).dead == 0


class OutboxUpkeepSuite(OpensStore):
    """Dead entries are listed and retried; what must not be sent any more is deleted."""

    def test_entries_with_an_outcome_are_deleted_or_dead(self, store: Store) -> None:
        """A dead entry has the rejected items and the reason, until it is sent again."""
        one = stored(store)
        store.commit([send(one, batch("7", "a"), batch("7", "b"), batch("42", "c"))])
        other, first, second = pending(store, one)
        rejected = Settled("7", (first.sequence, second.sequence), "too high", b"rest", 2)
        store.settle_outbox(one, [rejected, Settled("42", (other.sequence,))])
        assert pending(store, one) == []
        (dead,) = store.list_outbox(one, FIRST, 9, dead=True)
        assert (dead.sequence, dead.reason, dead.count) == (second.sequence, "too high", 2)
        assert store.outbox_state(one) == OutboxState(0, 1)
        assert store.retry_dead("default", one.name) == 1
        (again,) = pending(store, one)
        assert again == replace(second, content=b"rest", count=2)
        assert store.retry_dead("default", one.name) == 0
        assert store.retry_dead("default", "unknown") is None

    def test_deleted_samples_are_not_sent(self, store: Store) -> None:
        """Others of the same entry are."""
        one = stored(store)
        store.commit([send(one, batch("7", "a"), batch("7", "b"), batch("42", "c"))])
        mine = pending(store, one)[1]
        start = from_bytes(mine.content).start
        assert store.delete_unsent_samples("default", "7", "bpm", *EVER) == 0
        assert store.delete_unsent_samples("default", "7", "steps", *EVER) == 2 * len(start)
        assert [each.user_id for each in pending(store, one)] == ["42"]

    def test_entries_of_removed_relays_are_deleted(self, store: Store) -> None:
        """Also those that a process writes before it notices the removal."""
        one, two = stored(store), stored(store)
        store.commit([send(one, batch("7", "a")), send(two, batch("7", "b"))])
        assert store.clear_outbox() == 0
        assert store.remove_relay("default", one.name)
        assert pending(store, one) == []
        store.commit([send(one, batch("7", "c"))])
        assert store.clear_outbox() == 1
        assert [len(pending(store, each)) for each in (one, two)] == [0, 1]
