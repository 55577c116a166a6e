"""Conformance suites of what operators switch."""

from uptake.store.base import Store
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
