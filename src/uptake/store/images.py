"""Writes the images of a group: finds those that are stored already, and numbers the others."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select, tuple_

from uptake.store import tables as t
from uptake.store.database import Database, Row, Writer
from uptake.store.records import Entry, ImageRecord, WrittenImage

Image = tuple[Entry, ImageRecord]
Same = tuple[str, str, bytes]
"""The identity of an image: project, user, and digest of the uploaded bytes."""

_SAME = tuple_(t.images.c.project_id, t.images.c.user_id, t.images.c.upload_digest)


class ImageWrites:
    """Writes images to a database."""

    def __init__(self, database: Database) -> None:
        more: Any = bindparam("more")
        self._number = (
            database.insert(t.image_numbers)
            .on_conflict_do_update(
                index_elements=["project_id"], set_={"last": t.image_numbers.c.last + more}
            )
            .returning(t.image_numbers.c.last)
        )

    def write(
        self, connection: Connection, writer: Writer, images: Sequence[Image]
    ) -> list[WrittenImage]:
        """Write images of users with locked rows. Returns the outcome of each image.

        Args:
            connection: in a transaction that writes.
            writer: of the transaction.
            images: sorted by project. A project's numbers are locked until the commit, so every
                group must lock projects in the same order.
        """
        stored = _stored(connection, {_same(*image) for image in images})
        new: dict[Same, Image] = {}
        for image in images:
            if _same(*image) not in stored:
                new.setdefault(_same(*image), image)
        rows = list(self._numbered(connection, list(new.values())))
        writer.run("add_images", rows)
        writer.run("add_image_names", rows)
        for same, row in zip(new, rows, strict=True):
            stored[same] = WrittenImage(row["image_id"], row["name"], new=False)
        return [_outcome(stored[_same(*image)], image, new) for image in images]

    def _numbered(self, connection: Connection, images: Sequence[Image]) -> Iterator[Row]:
        for project, found in groupby(images, key=lambda image: image[0].project):
            mine = list(found)
            first = mine[0][1].first_id + len(mine) - 1
            numbered = {"project_id": project, "last": first, "more": len(mine)}
            last = connection.execute(self._number, numbered).scalar_one()
            for image_id, (entry, record) in enumerate(mine, last - len(mine) + 1):
                row = {"project_id": project, "image_id": image_id}
                yield msgspec.structs.asdict(record) | row | {"received_at": entry.received_at}


def _same(entry: Entry, record: ImageRecord) -> Same:
    return entry.project, record.user_id, record.upload_digest


def _outcome(stored: WrittenImage, image: Image, new: dict[Same, Image]) -> WrittenImage:
    is_new = new.get(_same(*image)) is image
    return msgspec.structs.replace(stored, new=True) if is_new else stored


def _stored(connection: Connection, wanted: set[Same]) -> dict[Same, WrittenImage]:
    columns = t.images.c
    query = select(
        columns.project_id, columns.user_id, columns.upload_digest, columns.image_id, columns.name
    ).where(_SAME.in_(sorted(wanted, key=itemgetter(0, 1, 2))))
    return {
        (project, user_id, digest): WrittenImage(image_id, name, new=False)
        for project, user_id, digest, image_id, name in connection.execute(query)
    }
