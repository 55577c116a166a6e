"""Conformance suites of projects, API keys, document types, segments and maintenance."""

import msgspec
import pytest

from uptake.store.base import (
    AlreadyExists,
    Store,
)
from uptake.store.definitions import DocumentType, Project, Rate, Segment, TypeVersion
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    columns_of,
    digest_of,
    key,
    put,
)
from uptake.testing.store.receipts import FoldedReceipts

SECOND = 1_000_000
"""Microseconds."""


class ProjectsSuite(OpensStore):
    """Projects have unique names, and one always exists."""

    def test_the_default_project_always_exists(self, store: Store) -> None:
        """Also in a new store."""
        assert store.projects() == ["default"]

    def test_projects_are_sorted_by_name(self, store: Store) -> None:
        """By the numbers of their characters, whatever the language of the machine."""
        for name in ("zoo", "Zoo", "a-b", "ab", "a.b"):
            store.add_project(name, NOON)
        assert store.projects() == ["Zoo", "a-b", "a.b", "ab", "default", "zoo"]

    def test_projects_are_paged(self, store: Store) -> None:
        """In order of name, each with the moment of its creation."""
        for name in ("one", "two"):
            store.add_project(name, NOON)
        first, second = store.projects_after("", 2)
        assert (first.name, second) == ("default", Project("one", NOON))
        assert store.projects_after("one", 2) == [Project("two", NOON)]
        assert store.project("one") == Project("one", NOON)
        assert store.project("three") is None

    def test_a_project_name_is_unique(self, store: Store) -> None:
        """Also that of the project that always exists."""
        store.add_project("one", NOON)
        for name in ("one", "default"):
            with pytest.raises(AlreadyExists):
                store.add_project(name, NOON)
        assert store.projects() == ["default", "one"]

    def test_a_taken_name_does_not_affect_later_writes(self, store: Store) -> None:
        """What was written before can be written in the same way after it."""
        for i in range(3):
            put(store, attributes("anna", a=f"{i}"), batch("anna", f"{i}"))
            with pytest.raises(AlreadyExists):
                store.add_project("default", NOON)
        assert columns_of(store, "anna") == [b"0", b"1", b"2"]


class KeysSuite(OpensStore):
    """API keys are returned as they were stored; their uses are counted in windows."""

    def test_a_key_is_returned_as_it_was(self, store: Store) -> None:
        """With all that it may have, and with nothing but what it must have."""
        century = 100 * 366 * 86400
        full = key(
            "k-1",
            user="anna \u00e9",
            rates=(Rate(10**9, century), Rate(1, 1)),
            expires_at=NOON + SECOND,
            name="Anna's \U0001f4f1",
            last_used_at=NOON,
        )
        bare = msgspec.structs.replace(key("k-2"), scopes=("admin",))
        store.add_key(full)
        store.add_key(bare)
        assert store.key(full.digest) == full
        assert store.key(bare.digest) == store.key_with_id("k-2") == bare
        assert store.key_with_id("k-3") is None

    def test_an_unknown_digest_is_none(self, store: Store) -> None:
        """And digests are compared as a whole."""
        stored = key("k-1")
        store.add_key(stored)
        for digest in ("", "%", stored.digest[:-1], stored.digest.upper()):
            assert store.key(digest) is None

    def test_keys_are_listed_in_order_of_creation(self, store: Store) -> None:
        """Of all projects, revoked and expired ones too."""
        stored = [
            key("c", created_at=NOON, expires_at=NOON + 1),
            key("a", created_at=NOON + 1),
            key("b", created_at=NOON + 2, project="other"),
        ]
        for one in (stored[2], stored[0], stored[1]):
            store.add_key(one)
        store.revoke_key("a", NOON + 5)
        revoked = msgspec.structs.replace(stored[1], revoked_at=NOON + 5)
        assert store.keys() == [stored[0], revoked, stored[2]]

    def test_the_last_use_of_a_key_is_recorded(self, store: Store) -> None:
        """An earlier one changes nothing, and neither does a key that is not there."""
        for name in ("a", "b", "c"):
            store.add_key(key(name))
        store.record_uses({"b": NOON + 2, "a": NOON + 1, "unknown": NOON})
        store.record_uses({"b": NOON + 1, "a": NOON + 3})
        found = [store.key(digest_of(name).hex()) for name in ("a", "b", "c")]
        assert [one.last_used_at for one in found if one] == [NOON + 3, NOON + 2, None]

    def test_a_revoked_key_has_the_time_of_revocation(self, store: Store) -> None:
        """And no other key does."""
        store.add_key(key("k-1"))
        store.add_key(key("k-2"))
        assert store.revoke_key("k-1", NOON + 7) is True
        assert store.revoke_key("k-3", NOON + 7) is False
        found = [store.key(digest_of(name).hex()) for name in ("k-1", "k-2")]
        assert [one.revoked_at for one in found if one] == [NOON + 7, None]

    def test_uses_are_counted_within_a_window(self, store: Store) -> None:
        """A window ends when its seconds are over, and the next one begins at one."""
        rate, start = Rate(3, 60), 60 * SECOND * 1000
        moments = [0, 1, 59 * SECOND, 60 * SECOND - 1, 60 * SECOND, 61 * SECOND, 300 * SECOND]
        counts = [store.count_use("k-1", [rate], start + moment) for moment in moments]
        assert counts == [[1], [2], [3], [4], [1], [2], [1]]

    def test_a_use_is_counted_in_all_windows_or_in_none(self, store: Store) -> None:
        """What one window has no room for does not use up another."""
        day, minute = Rate(4, 86_400), Rate(2, 60)
        start = 86_400 * SECOND * 1000
        moments = [0, 1, 2, 3, 60 * SECOND, 61 * SECOND, 120 * SECOND, 180 * SECOND]
        counts = [store.count_use("k-1", [day, minute], start + moment) for moment in moments]
        assert counts == [[1, 1], [2, 2], [3, 3], [3, 3], [3, 1], [4, 2], [5, 1], [5, 1]]

    def test_keys_are_counted_separately(self, store: Store) -> None:
        """Uses of one key do not count for another."""
        rates = [Rate(2, 60)]
        spent = [store.count_use(name, rates, NOON) for name in ("a", "b", "a", "A", "b", "a")]
        assert spent == [[1], [1], [2], [1], [2], [3]]


class ManagedKeysSuite(OpensStore):
    """API keys are paged, changed and rotated."""

    def test_keys_are_paged_in_order_of_id(self, store: Store) -> None:
        """Of a project, or of all."""
        stored = [key(name, project=project) for name, project in zip("abc", "xyx", strict=True)]
        for one in stored:
            store.add_key(one)
        assert store.keys_after("x", "", 9) == [stored[0], stored[2]]
        assert store.keys_after(None, "", 2) == stored[:2]
        assert store.keys_after(None, "b", 2) == stored[2:]
        assert store.keys_after("unknown", "", 9) == []

    def test_a_key_is_changed_as_long_as_it_is_known(self, store: Store) -> None:
        """Not its id, its project or its secret; with other permissions it is another key."""
        known = key("k-1")
        store.add_key(known)
        store.revoke_key("k-1", NOON + 1)
        changed = msgspec.structs.replace(
            known,
            name="phone",
            scopes=("admin",),
            user="anna",
            rates=(Rate(1, 60),),
            expires_at=NOON + 9,
        )
        assert store.change_key(known, changed)
        stored = msgspec.structs.replace(changed, revoked_at=NOON + 1)
        assert store.key_with_id("k-1") == stored
        assert not store.change_key(known, known)
        assert not store.change_key(key("k-2"), key("k-2"))
        assert store.key_with_id("k-1") == stored
        assert store.keys() == [stored]

    def test_a_replaced_secret_is_valid_until_its_end(self, store: Store) -> None:
        """Several may be; those that ended are forgotten, and no key outlives its own end."""
        first = key("k-1", expires_at=NOON + 50)
        second, third = digest_of("second").hex(), digest_of("third").hex()
        store.add_key(first)
        assert store.rotate_key(first, second, NOON, NOON + 10)
        assert not store.rotate_key(first, third, NOON, NOON + 10)
        rotated = msgspec.structs.replace(first, digest=second)
        assert store.key(second) == store.key_with_id("k-1") == rotated
        assert store.key(first.digest) == msgspec.structs.replace(first, expires_at=NOON + 10)
        assert store.rotate_key(rotated, third, NOON + 9, NOON + 99)
        last = msgspec.structs.replace(first, digest=third)
        assert store.key(first.digest) == msgspec.structs.replace(first, expires_at=NOON + 10)
        assert store.key(second) == rotated
        assert store.rotate_key(last, digest_of("fourth").hex(), NOON + 10, NOON + 20)
        assert store.key(first.digest) is None
        assert store.key(second) is not None


class DocumentTypeRegistrySuite(OpensStore):
    """The versions of a document type are stored once, and the last one is current."""

    def test_types_are_sorted_by_name(self, store: Store) -> None:
        """With a schema or without one, and those of other projects are not there."""
        types = [DocumentType("b", None, NOON), DocumentType("a", '{"type": "object"}', NOON)]
        for one in types:
            version = TypeVersion(1, one.schema, NOON)
            assert store.add_type_version("default", one.name, version) == one
        store.add_type_version("other", "c", TypeVersion(1, None, NOON))
        assert store.document_types("default") == [types[1], types[0]]
        assert store.document_types("default", "", 1) == [types[1]]
        assert store.document_types("default", types[1].name) == [types[0]]
        assert store.document_type("default", "a") == types[1]
        assert store.document_type("default", "c") is None
        assert store.document_types("unknown") == []

    @pytest.mark.parametrize("schema", ['{"type": "string"}', None])
    def test_the_next_version_is_the_current_one(self, store: Store, schema: str | None) -> None:
        """`created_at` of the type is that of the first."""
        store.add_type_version("default", "visit", TypeVersion(1, '{"type": "object"}', NOON))
        expected = DocumentType("visit", schema, NOON, 2)
        version = TypeVersion(2, schema, NOON + 9)
        assert store.add_type_version("default", "visit", version) == expected
        assert store.document_type("default", "visit") == expected
        assert store.document_types("default") == [expected]

    def test_a_version_that_exists_is_not_stored_again(self, store: Store) -> None:
        """Whatever its schema; a version of another project is another one."""
        versions = [TypeVersion(1, None, NOON), TypeVersion(2, "{}", NOON + 1)]
        for version in versions:
            assert store.add_type_version("default", "visit", version) is not None
        for number in (1, 2):
            again = TypeVersion(number, "true", NOON + 9)
            assert store.add_type_version("default", "visit", again) is None
        other = TypeVersion(1, "false", NOON)
        assert store.add_type_version("other", "visit", other) is not None
        assert store.type_versions("default", "visit", 0, 9) == versions
        assert store.document_type("default", "visit") == DocumentType("visit", "{}", NOON, 2)
        assert store.type_versions("other", "visit", 0, 9) == [other]

    def test_versions_are_paged(self, store: Store) -> None:
        """Those after a number, in order; an unknown type has none."""
        for number in (1, 2, 3, 4):
            store.add_type_version("default", "visit", TypeVersion(number, str(number), NOON))
        versions = store.type_versions("default", "visit", 1, 2)
        assert [(one.version, one.schema) for one in versions] == [(2, "2"), (3, "3")]
        assert store.type_versions("default", "visit", 4, 2) == []
        assert store.type_versions("default", "nothing", 0, 2) == []


class SegmentRegistrySuite(OpensStore):
    """Segments are stored by name."""

    def test_segments_are_paged_in_order_of_name(self, store: Store) -> None:
        """And those of other projects are not there."""
        stored = {
            name: Segment(name, f'{{"a": "{name}"}}', NOON, NOON)
            for name in ("b", "B", "a-b", "ab", "\U0001f600")
        }
        for segment in stored.values():
            assert store.put_segment("default", segment) == segment
        store.put_segment("other", Segment("c", "{}", NOON, NOON))
        assert store.segments("default", "", 3) == [stored["B"], stored["a-b"], stored["ab"]]
        assert store.segments("default", "ab", 3) == [stored["b"], stored["\U0001f600"]]
        assert store.segments("unknown", "", 3) == []
        assert store.segment("default", "B") == stored["B"]
        assert store.segment("default", "c") is None

    def test_a_segment_can_be_given_another_filter(self, store: Store) -> None:
        """`created_at` stays, and `changed_at` is the moment of the change."""
        store.put_segment("default", Segment("a", "{}", NOON, NOON))
        stored = store.put_segment("default", Segment("a", "[]", NOON + 9, NOON + 9))
        assert stored == Segment("a", "[]", NOON, NOON + 9)
        assert store.segment("default", "a") == stored

    def test_a_segment_is_deleted_once(self, store: Store) -> None:
        """That of another project stays."""
        for project in ("default", "other"):
            store.put_segment(project, Segment("a", "{}", NOON, NOON))
        assert store.delete_segment("default", "a") is True
        assert store.delete_segment("default", "a") is False
        assert store.segment("default", "a") is None
        assert store.segment("other", "a") == Segment("a", "{}", NOON, NOON)


class MaintenanceSuite(FoldedReceipts):
    """A task is done by one process at a time, and folding changes nothing that is returned."""

    def test_a_task_is_claimed_once(self, store: Store) -> None:
        """Until its time is over; other tasks are independent."""
        assert store.claim("fold", NOON, NOON + 10)
        assert not store.claim("fold", NOON + 9, NOON + 20)
        assert store.claim("other", NOON, NOON + 10)
        assert store.claim("fold", NOON + 10, NOON + 20)
        assert not store.claim("fold", NOON + 10, NOON + 20)


class InstallationSuite(OpensStore):
    """A store can be probed."""

    def test_a_ping_succeeds_while_the_store_works(self, store: Store) -> None:
        """However often it is called."""
        for _ in range(3):
            store.ping()
