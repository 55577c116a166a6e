"""Finds images by number, and deletes them."""

from typing import Any

from sqlalchemy import exists, select

from uptake.store import tables as t
from uptake.store.audit import record
from uptake.store.database import WritingDatabase, delete_all, update_all
from uptake.store.item_queries import IMAGE
from uptake.store.records import ImageRecord
from uptake.store.stored import StoredImage

_OF_BYTES = ("sha256", "bytes", "blob", "media_type", "width", "height")
"""Columns of an image that are about its bytes."""


class SqlNumberedImages(WritingDatabase):
    """The port `NumberedImages`, on SQL."""

    def latest_images(
        self, project: str, user_id: str | None, skip: int, limit: int
    ) -> list[StoredImage]:
        """See `NumberedImages.latest_images`."""
        query = select(*IMAGE).filter_by(project_id=project)
        if user_id is not None:
            query = query.filter_by(user_id=user_id)
        query = query.order_by(t.images.c.image_id.desc()).offset(skip).limit(limit)
        with self.reading() as connection:
            return [StoredImage(*row) for row in connection.execute(query)]

    def numbered_image(self, project: str, image_id: int) -> StoredImage | None:
        """See `NumberedImages.numbered_image`."""
        query = select(*IMAGE).filter_by(project_id=project, image_id=image_id)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredImage(*row)

    def shares_bytes(self, project: str, image: StoredImage) -> bool:
        """See `NumberedImages.shares_bytes`."""
        i = t.images.c
        others = (
            i.project_id == project,
            i.user_id == image.user_id,
            i.image_id != image.image_id,
            i.blob == image.blob,
        )
        with self.reading() as connection:
            return bool(connection.scalar(select(exists().where(*others))))

    def replace_blob(self, project: str, image: StoredImage, record: ImageRecord) -> bool:
        """See `NumberedImages.replace_blob`."""
        values = {name: getattr(record, name) for name in _OF_BYTES}
        with self.writing() as connection:
            return update_all(connection, t.images, _same(project, image), values) > 0

    def delete_image(self, project: str, image: StoredImage) -> bool:
        """See `NumberedImages.delete_image`."""
        with self.writing() as connection:
            if not delete_all(connection, t.images, *_same(project, image)):
                return False
            self.note_deletion()
            found = delete_all(connection, t.image_names, t.image_names.c.name == image.name) > 0
            record(connection, project, "image.delete", str(image.image_id))
        return found


def _same(project: str, image: StoredImage) -> list[Any]:
    i = t.images.c
    return [
        i.project_id == project,
        i.user_id == image.user_id,
        i.image_id == image.image_id,
        i.blob == image.blob,
    ]
