"""The definition of what a store is: a back end is one when it passes all of this.

A test module of a back end subclasses `StoreConformance`, or `DurableStoreConformance` when the
store outlives its process, and fills in how it is opened and how it is broken:

    class TestMine(DurableStoreConformance):
        def open_store(self, place): ...
        def out_of_reach(self, store, place): ...
        def unwritable(self, store, place): ...
"""

from uptake.testing.store.batches import Batches
from uptake.testing.store.commits import Commits
from uptake.testing.store.concurrency import Concurrency
from uptake.testing.store.documents import Documents
from uptake.testing.store.durability import Durability
from uptake.testing.store.erasures import Erasures
from uptake.testing.store.expiry import Expiry
from uptake.testing.store.faults import Faults
from uptake.testing.store.images import Images
from uptake.testing.store.listing import ListingOfStore
from uptake.testing.store.registry import RegistryOfStore
from uptake.testing.store.rejections import Rejections
from uptake.testing.store.snapshots import Snapshots
from uptake.testing.store.users import Users
from uptake.testing.store.volume import Volume

__all__ = ["DurableStoreConformance", "StoreConformance"]


class StoreConformance(
    Users,
    Commits,
    Documents,
    Images,
    Batches,
    Rejections,
    ListingOfStore,
    Snapshots,
    Erasures,
    Expiry,
    RegistryOfStore,
    Concurrency,
    Faults,
    Volume,
):
    """What every store does."""


class DurableStoreConformance(StoreConformance, Durability):
    """What a store that outlives its process does."""
