"""Blobs: bytes that are too large for a row, by name, in a folder or an object store."""

from uptake.blobs.base import (
    Blobs,
    BlobSink,
    BlobsUnavailable,
    BlobsUnusable,
    UnknownBlobs,
    is_name,
)
from uptake.blobs.opening import folder_of, open_blobs

__all__ = [
    "BlobSink",
    "Blobs",
    "BlobsUnavailable",
    "BlobsUnusable",
    "UnknownBlobs",
    "folder_of",
    "is_name",
    "open_blobs",
]
