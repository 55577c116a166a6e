"""Conformance suite of the audit log."""

from collections.abc import Callable

from msgspec.structs import replace

from uptake.model.acting import Act, acting
from uptake.model.submission import Resolved
from uptake.store.audit_ports import FIRST_HASH, AuditEntry, AuditFilter, AuditHead
from uptake.store.base import Store
from uptake.store.definitions import Issuer, RetentionRule, Segment, TypeVersion
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    digest_of,
    document,
    entry,
    existing,
    key,
    put,
    rejection,
)
from uptake.testing.store.webhooks import webhook

EVERYTHING = AuditFilter()
LAST = 1 << 62


def entries(store: Store, only: AuditFilter = EVERYTHING) -> list[AuditEntry]:
    """All entries, the latest first."""
    return store.audit_entries(only, LAST, 1000)


def _replay(store: Store) -> object:
    resolves = Resolved("r-1", ("anna",))
    replayed = entry(attributes("anna", a="1"), resolves=resolves)
    return store.commit([replace(replayed, act=Act("k-9", "192.0.2.1"))])


CHANGES: dict[str, Callable[[Store], object]] = {
    "project.create": lambda store: store.add_project("one", NOON),
    "project.change": lambda store: store.require_registration("default", required=True),
    "key.create": lambda store: store.add_key(key("k-2", user="anna")),
    "key.change": lambda store: store.change_key(key("k-1"), key("k-1", name="anna")),
    "key.rotate": lambda store: store.rotate_key(
        key("k-1"), digest_of("new").hex(), NOON, NOON + 9
    ),
    "key.revoke": lambda store: store.revoke_key("k-1", NOON),
    "issuer.add": lambda store: store.add_issuer(
        Issuer("i-1", "default", "phones", "https://a", "b", "https://c", "sub", ("x",), NOON)
    ),
    "issuer.remove": lambda store: store.remove_issuer("default", "phones"),
    "webhook.add": lambda store: store.add_webhook(webhook(id="w-1")),
    "webhook.rotate": lambda store: store.rotate_webhook("default", "w-0", "whsec_BBBB", NOON),
    "webhook.resume": lambda store: store.resume_webhook("default", "w-0"),
    "webhook.redeliver": lambda store: store.redeliver(webhook(id="w-0"), None, NOON),
    "webhook.remove": lambda store: store.remove_webhook("default", "w-1"),
    "document_type.put": lambda store: store.add_type_version(
        "default", "visit", TypeVersion(1, None, NOON)
    ),
    "segment.put": lambda store: store.put_segment("default", Segment("s-1", "{}", NOON, NOON)),
    "segment.delete": lambda store: store.delete_segment("default", "s-0"),
    "retention.replace": lambda store: store.put_retention(
        "default", [RetentionRule("samples", 30, "steps")]
    ),
    "user.erase": lambda store: store.erase("default", "anna", "e-1", NOON),
    "user.readmit": lambda store: store.readmit("default", "bert"),
    "maintenance.begin": lambda store: store.begin_maintenance(NOON),
    "maintenance.end": lambda store: store.end_maintenance(),
    "document.delete": lambda store: store.delete_document(
        "default", existing(store.document("default", "anna"))
    ),
    "rejection.replay": _replay,
    "export": lambda store: store.record_act("default", "export", store.user_hash("anna"), n=1),
}
"""What appends an entry, in an order in which each is possible."""

ORDER = ("document.delete", "rejection.replay", "user.erase")


def fill(store: Store) -> None:
    """Store what the changes change."""
    store.add_key(key("k-1"))
    store.add_webhook(webhook(id="w-0"))
    store.put_segment("default", Segment("s-0", "{}", NOON, NOON))
    store.erase("default", "bert", "e-0", NOON)
    put(store, document("anna", "anna"), rejections=(rejection("r-1", user_id="anna"),))


class AuditLogSuite(OpensStore):
    """Each change on behalf of an actor has an entry, which the next entry is chained to."""

    def test_every_change_of_an_actor_is_recorded(self, store: Store) -> None:
        """With who, from where, what and to what; never with the id of a user."""
        fill(store)
        assert entries(store) == []
        assert store.audit_head() == AuditHead(0, FIRST_HASH)
        changes = sorted(CHANGES, key=lambda name: (name not in ORDER, name == "user.erase"))
        with acting(Act("k-9", "192.0.2.1")):
            for name in changes:
                CHANGES[name](store)
        found = entries(store)[::-1]
        assert [one.action for one in found] == changes
        assert {(one.actor, one.address) for one in found} == {("k-9", "192.0.2.1")}
        assert [one.sequence for one in found] == list(range(1, len(changes) + 1))
        shown = "".join(one.target + one.details for one in found)
        assert "bert" not in shown
        assert shown.count("anna") == 1, "the upload id of the document"
        targets = {one.action: (one.project, one.target) for one in found}
        assert targets["key.create"] == ("default", "k-2")
        assert targets["project.create"] == ("one", "one")
        assert targets["user.erase"] == ("default", store.user_hash("anna"))
        assert targets["rejection.replay"] == ("default", "r-1")
        assert targets["maintenance.end"] == ("", "")

    def test_entries_are_a_chain(self, store: Store) -> None:
        """Each has the hash of the one before; the head has that of the last."""
        with acting(Act("cli")):
            for number in range(3):
                store.record_act("default", "export", "", n=number, text="\u00e9\U0001f600")
        first, second, third = chain = store.audit_chain(0, 9)
        assert (first.previous, second.previous) == (FIRST_HASH, first.hash)
        assert third.previous == second.hash
        assert [one.computed_hash() for one in chain] == [one.hash for one in chain]
        assert store.audit_head() == AuditHead(3, third.hash)
        assert store.audit_chain(1, 1) == [second]
        assert entries(store) == chain[::-1]

    def test_the_server_itself_is_not_recorded(self, store: Store) -> None:
        """Nor is a change that was not made."""
        fill(store)
        store.record_act("default", "export")
        with acting(Act("cli")):
            assert not store.delete_segment("default", "unknown")
            assert not store.readmit("default", "unknown")
            assert not store.revoke_key("unknown", NOON)
            assert not store.change_key(key("unknown"), key("unknown"))
        assert entries(store) == []

    def test_entries_are_selected_and_paged(self, store: Store) -> None:
        """By project, actor, action and time; the latest first."""
        for actor, project, action in (
            ("a", "one", "x"),
            ("b", "one", "y"),
            ("a", "two", "y"),
            ("a", "one", "y"),
        ):
            with acting(Act(actor)):
                store.record_act(project, action)
        last, third, second, first = entries(store)
        assert entries(store, AuditFilter(project="one")) == [last, second, first]
        assert entries(store, AuditFilter(actor="b")) == [second]
        assert entries(store, AuditFilter(action="y")) == [last, third, second]
        assert entries(store, AuditFilter("one", "a", "y")) == [last]
        assert store.audit_entries(EVERYTHING, last.sequence, 2) == [third, second]
        assert first in entries(store, AuditFilter(end=first.moment + 1))
        assert last not in entries(store, AuditFilter(end=last.moment))
        assert last in entries(store, AuditFilter(start=last.moment))
        assert entries(store, AuditFilter(start=last.moment + 1)) == []
