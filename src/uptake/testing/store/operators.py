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
