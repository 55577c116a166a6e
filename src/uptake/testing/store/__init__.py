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

from typing import Protocol

from uptake.store.base import Store
from uptake.testing.store.audit import AuditLogSuite
from uptake.testing.store.commits import CommitsSuite, Volume
from uptake.testing.store.concurrency import Concurrency
from uptake.testing.store.console import ConsoleTokensSuite
from uptake.testing.store.deletion import ErasuresSuite, RetentionSuite
from uptake.testing.store.deletions import DeletionsSuite
from uptake.testing.store.faults import Durability, Faults
from uptake.testing.store.folding import FoldingSuite
from uptake.testing.store.images import NumberedImagesSuite
from uptake.testing.store.items import BatchQueriesSuite, Documents, Images
from uptake.testing.store.making import OpensStore
from uptake.testing.store.operators import (
    IssuersSuite,
    MaintenanceModeSuite,
    RegistrationSuite,
)
from uptake.testing.store.registry import (
    DocumentTypeRegistrySuite,
    InstallationSuite,
    KeysSuite,
    MaintenanceSuite,
    ManagedKeysSuite,
    ProjectsSuite,
    SegmentRegistrySuite,
)
from uptake.testing.store.rejections import RejectionQueriesSuite, RejectionSummariesSuite
from uptake.testing.store.relays import (
    OutboxSuite,
    OutboxUpkeepSuite,
    RelayLeasesSuite,
    RelaysSuite,
)
from uptake.testing.store.request_counts import RequestCountsSuite
from uptake.testing.store.requests import RequestQueriesSuite
from uptake.testing.store.snapshots import SnapshotsSuite
from uptake.testing.store.user_queries import ChangeFeedSuite, UserQueriesSuite
from uptake.testing.store.users import Users
from uptake.testing.store.webhooks import FailedEventsSuite, SegmentWatchesSuite, WebhooksSuite

__all__ = [
    "SUITES",
    "AuditLogSuite",
    "BatchQueriesSuite",
    "ChangeFeedSuite",
    "CommitsSuite",
    "ConsoleTokensSuite",
    "DeletionsSuite",
    "DocumentTypeRegistrySuite",
    "DurableStoreConformance",
    "ErasuresSuite",
    "FailedEventsSuite",
    "FoldingSuite",
    "InstallationSuite",
    "IssuersSuite",
    "ItemQueriesSuite",
    "KeysSuite",
    "MaintenanceModeSuite",
    "MaintenanceSuite",
    "ManagedKeysSuite",
    "NumberedImagesSuite",
    "OutboxSuite",
    "OutboxUpkeepSuite",
    "ProjectsSuite",
    "RegistrationSuite",
    "RejectionQueriesSuite",
    "RejectionSummariesSuite",
    "RelayLeasesSuite",
    "RelaysSuite",
    "RequestCountsSuite",
    "RequestQueriesSuite",
    "RetentionSuite",
    "SegmentRegistrySuite",
    "SegmentWatchesSuite",
    "SnapshotsSuite",
    "StoreConformance",
    "UserQueriesSuite",
    "WebhooksSuite",
]


class ItemQueriesSuite(Users, Documents, Images):
    """Users, documents and images are returned as they were stored."""


class StoreConformance(
    CommitsSuite,
    ItemQueriesSuite,
    NumberedImagesSuite,
    BatchQueriesSuite,
    RejectionQueriesSuite,
    RequestQueriesSuite,
    RequestCountsSuite,
    UserQueriesSuite,
    ChangeFeedSuite,
    SnapshotsSuite,
    ErasuresSuite,
    DeletionsSuite,
    RetentionSuite,
    FoldingSuite,
    ProjectsSuite,
    KeysSuite,
    ManagedKeysSuite,
    DocumentTypeRegistrySuite,
    SegmentRegistrySuite,
    RejectionSummariesSuite,
    ConsoleTokensSuite,
    MaintenanceSuite,
    MaintenanceModeSuite,
    RegistrationSuite,
    IssuersSuite,
    RelaysSuite,
    RelayLeasesSuite,
    OutboxSuite,
    OutboxUpkeepSuite,
    WebhooksSuite,
    FailedEventsSuite,
    SegmentWatchesSuite,
    AuditLogSuite,
    InstallationSuite,
    Concurrency,
    Faults,
    Volume,
):
    """A store with all ports."""


class DurableStoreConformance(StoreConformance, Durability):
    """A store that also outlives its process."""


SUITES: dict[type, type[OpensStore]] = {
    port: globals()[f"{port.__name__}Suite"] for port in Store.__bases__ if port is not Protocol
}
"""The suite of each port: that of `Commits` is `CommitsSuite`."""
