"""Deletes an image: its bytes in the blob store, then its row.

In this order a deletion that fails can be repeated. An image without bytes is not found at its URL.
"""

from uptake.blobs import Blobs
from uptake.store.image_ports import NumberedImages
from uptake.store.stored import StoredImage


def delete_image(store: NumberedImages, blobs: Blobs, project: str, image: StoredImage) -> bool:
    """Delete an image; False if another request has deleted it.

    Bytes that another image of the user has too are left: earlier versions stored equal bytes once.

    Raises:
        StoreUnavailable, BlobsUnavailable: some of it is left. Repeat the deletion.
    """
    found: StoredImage | None = image
    while found:
        if not store.shares_bytes(project, found):
            blobs.delete([found.blob])
        if store.delete_image(project, found):
            return True
        # The same picture was uploaded in between: the image has new bytes instead of those.
        found = store.numbered_image(project, image.image_id)
    return False
