"""Conformance suites of what operators switch, and trust."""

import pytest
from msgspec.structs import replace

from uptake.store.base import AlreadyExists, Store
from uptake.store.definitions import Issuer
from uptake.testing.store.making import NOON, OpensStore


class MaintenanceModeSuite(OpensStore):
    """Maintenance mode is on or off."""

    def test_maintenance_mode_is_off_in_a_new_store(self, store: Store) -> None:
        """Turning it off then changes nothing."""
        assert store.maintenance_since() is None
        store.end_maintenance()
        assert store.maintenance_since() is None

    def test_maintenance_mode_has_the_moment_since_which_it_is_on(self, store: Store) -> None:
        """Turning it on again does not change it; turning it off and on does."""
        assert store.begin_maintenance(NOON) == NOON
        assert store.begin_maintenance(NOON + 9) == NOON
        assert store.maintenance_since() == NOON
        store.end_maintenance()
        assert store.maintenance_since() is None
        assert store.begin_maintenance(NOON + 9) == NOON + 9


class RegistrationSuite(OpensStore):
    """A project requires the registration of users, or not."""

    def test_registration_is_required_where_it_was_switched_on(self, store: Store) -> None:
        """A new project does not require it. An unknown project has nothing to switch."""
        for name in ("one", "two"):
            store.add_project(name, NOON)
        assert store.registering_projects() == []
        for name in ("two", "default", "two"):
            assert store.require_registration(name, required=True)
        assert store.registering_projects() == ["default", "two"]
        assert store.require_registration("two", required=False)
        assert store.registering_projects() == ["default"]
        assert not store.require_registration("unknown", required=True)


ISSUER = Issuer(
    id="i-1",
    project="default",
    name="phones",
    issuer="https://issuer.example",
    audience="app",
    source="https://issuer.example/keys",
    user_claim="sub",
    scopes=("samples:write", "data:read"),
    created_at=NOON,
)


class IssuersSuite(OpensStore):
    """Issuers are returned as they were stored, with the key set that was read last."""

    def test_an_issuer_is_found_by_project_and_by_url(self, store: Store) -> None:
        """Until it is removed, once."""
        other = replace(ISSUER, id="i-2", name="Phones", audience="other")
        for one in (ISSUER, other):
            store.add_issuer(one)
        assert store.issuers("default") == [other, ISSUER]
        assert store.issuers("unknown") == []
        assert store.issuers_of(ISSUER.issuer) == [other, ISSUER]
        assert store.issuers_of(ISSUER.issuer + "/") == []
        assert not store.remove_issuer("other", "phones")
        assert store.remove_issuer("default", "phones")
        assert not store.remove_issuer("default", "phones")
        assert store.issuers("default") == [other]

    def test_a_name_in_a_project_and_an_audience_of_an_issuer_are_unique(
        self, store: Store
    ) -> None:
        """Whatever else differs."""
        store.add_project("other", NOON)
        store.add_issuer(ISSUER)
        for same in ({"audience": "another"}, {"name": "another", "project": "other"}):
            with pytest.raises(AlreadyExists):
                store.add_issuer(replace(ISSUER, id="i-2", **same))
        store.add_issuer(replace(ISSUER, id="i-2", project="other", audience="another"))

    def test_a_key_set_that_cannot_be_read_leaves_the_one_before(self, store: Store) -> None:
        """With the moments of both attempts; a removed issuer stays removed."""
        store.add_issuer(ISSUER)
        store.put_key_set("i-1", "{}", NOON + 1)
        store.put_key_set("i-1", None, NOON + 2)
        store.put_key_set("i-2", "{}", NOON + 3)
        read = replace(ISSUER, key_set="{}", read_at=NOON + 1, tried_at=NOON + 2)
        assert store.issuers("default") == [read]
