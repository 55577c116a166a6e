"""The definition of a store: a conformance suite for each port.

The test module of a back end subclasses `DurableStoreConformance`, or `StoreConformance` if the
store does not outlive its process, and implements how the store is opened and broken:

    class TestMine(DurableStoreConformance):
        def open_store(self, place): ...
        def out_of_reach(self, store, place): ...
        def unwritable(self, store, place): ...

A back end that has only some ports lists their suites as the bases of its test class instead. The
suites of all ports also use `Commits`, to fill the store.
"""

from uptake.store.base import (
    ChangeFeed,
    Commits,
    DocumentTypeRegistry,
    Erasures,
    Installation,
    ItemQueries,
    Keys,
    Maintenance,
    Projects,
    RejectionQueries,
    Retention,
    SegmentRegistry,
    Snapshots,
    UserQueries,
)
from uptake.testing.store.batches import Batches
from uptake.testing.store.commits import CommitsSuite
from uptake.testing.store.concurrency import Concurrency
from uptake.testing.store.documents import Documents
from uptake.testing.store.durability import Durability
from uptake.testing.store.erasures import ErasuresSuite
from uptake.testing.store.faults import Faults
from uptake.testing.store.images import Images
from uptake.testing.store.opening import OpensStore
from uptake.testing.store.registry import (
    DocumentTypeRegistrySuite,
    InstallationSuite,
    KeysSuite,
    MaintenanceSuite,
    ProjectsSuite,
    SegmentRegistrySuite,
)
from uptake.testing.store.rejections import RejectionQueriesSuite
from uptake.testing.store.retention import RetentionSuite
from uptake.testing.store.snapshots import SnapshotsSuite
from uptake.testing.store.user_queries import ChangeFeedSuite, UserQueriesSuite
from uptake.testing.store.users import Users
from uptake.testing.store.volume import Volume

__all__ = [
    "SUITES",
    "ChangeFeedSuite",
    "CommitsSuite",
    "DocumentTypeRegistrySuite",
    "DurableStoreConformance",
    "ErasuresSuite",
    "InstallationSuite",
    "ItemQueriesSuite",
    "KeysSuite",
    "MaintenanceSuite",
    "ProjectsSuite",
    "RejectionQueriesSuite",
    "RetentionSuite",
    "SegmentRegistrySuite",
    "SnapshotsSuite",
    "StoreConformance",
    "UserQueriesSuite",
]


class ItemQueriesSuite(Users, Documents, Images, Batches):
    """Users, documents, images and batches are returned as they were stored."""


SUITES: dict[type, type[OpensStore]] = {
    Commits: CommitsSuite,
    ItemQueries: ItemQueriesSuite,
    RejectionQueries: RejectionQueriesSuite,
    UserQueries: UserQueriesSuite,
    ChangeFeed: ChangeFeedSuite,
    Snapshots: SnapshotsSuite,
    Erasures: ErasuresSuite,
    Retention: RetentionSuite,
    Projects: ProjectsSuite,
    Keys: KeysSuite,
    DocumentTypeRegistry: DocumentTypeRegistrySuite,
    SegmentRegistry: SegmentRegistrySuite,
    Maintenance: MaintenanceSuite,
    Installation: InstallationSuite,
}
"""The suite of each port."""


class StoreConformance(
    CommitsSuite,
    ItemQueriesSuite,
    RejectionQueriesSuite,
    UserQueriesSuite,
    ChangeFeedSuite,
    SnapshotsSuite,
    ErasuresSuite,
    RetentionSuite,
    ProjectsSuite,
    KeysSuite,
    DocumentTypeRegistrySuite,
    SegmentRegistrySuite,
    MaintenanceSuite,
    InstallationSuite,
    Concurrency,
    Faults,
    Volume,
):
    """A store with all ports."""


class DurableStoreConformance(StoreConformance, Durability):
    """A store that also outlives its process."""
