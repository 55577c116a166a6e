"""The model that back ends are compared with passes the suites of its ports."""

from pathlib import Path
from typing import cast

import pytest

from uptake.store.base import Store
from uptake.testing import store as suites
from uptake.testing.store import SUITES, DurableStoreConformance, StoreConformance
from uptake.testing.store.model import ModelStore


class TestModelStore(
    suites.CommitsSuite,
    suites.ItemQueriesSuite,
    suites.BatchQueriesSuite,
    suites.RejectionQueriesSuite,
    suites.UserQueriesSuite,
    suites.ChangeFeedSuite,
    suites.SnapshotsSuite,
    suites.ErasuresSuite,
    suites.ProjectsSuite,
    suites.KeysSuite,
    suites.ManagedKeysSuite,
    suites.DocumentTypeRegistrySuite,
    suites.SegmentRegistrySuite,
):
    """All ports but `Retention`, `Folding`, `Maintenance`, `AuditLog` and `Installation`."""

    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self._stores: dict[Path, ModelStore] = {}

    def open_store(self, place: Path) -> Store:
        """One store for each place, while a test runs."""
        return cast("Store", self._stores.setdefault(place, ModelStore()))


def test_every_port_has_one_suite() -> None:
    """And a back end with all ports runs all of them."""
    ports = [base for base in Store.__mro__[1:] if base.__module__.startswith("uptake.store.")]
    assert list(SUITES) == ports
    assert len(set(SUITES.values())) == len(ports)
    assert all(issubclass(DurableStoreConformance, suite) for suite in SUITES.values())
    assert issubclass(DurableStoreConformance, StoreConformance)


@pytest.mark.parametrize("port", SUITES, ids=lambda port: port.__name__)
def test_a_port_is_a_handful_of_methods(port: type) -> None:
    """So that a caller can be tested with a small stand-in."""
    assert 1 <= len([name for name in vars(port) if not name.startswith("_")]) <= 7
