"""The port that finds images by number, and deletes them; see `store.base`."""

from typing import Protocol

from uptake.store.records import ImageRecord
from uptake.store.stored import StoredImage


class NumberedImages(Protocol):
    """Finds images by number, and deletes them."""

    def latest_images(
        self, project: str, user_id: str | None, skip: int, limit: int
    ) -> list[StoredImage]:
        """Return images of a user, or of all if None, in descending order of number.

        The first `skip` images are left out.
        """

    def numbered_image(self, project: str, image_id: int) -> StoredImage | None:
        """Return the image with this number."""

    def shares_bytes(self, project: str, image: StoredImage) -> bool:
        """Return whether another image of the user has the same blob."""

    def replace_blob(self, project: str, image: StoredImage, record: ImageRecord) -> bool:
        """Let an image refer to the bytes of a record; False if it is not stored with its blob."""

    def delete_image(self, project: str, image: StoredImage) -> bool:
        """Delete an image; False if it is not stored with this blob.

        Its number is not used again.
        """
