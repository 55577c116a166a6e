"""The definition of what a blob store is: a back end is one when it passes all of this.

A test module of a back end subclasses `BlobsConformance` and fills in how it is opened and how it
is broken:

    class TestMine(BlobsConformance):
        def open_blobs(self, place): ...
        def out_of_reach(self, place): ...
"""

from uptake.testing.blobs.concurrency import Concurrency
from uptake.testing.blobs.contents import Contents
from uptake.testing.blobs.faults import Faults
from uptake.testing.blobs.listing import Listing
from uptake.testing.blobs.parts import Parts
from uptake.testing.blobs.removal import Removal

__all__ = ["BlobsConformance"]


class BlobsConformance(Contents, Parts, Listing, Removal, Concurrency, Faults):
    """What every blob store does."""
