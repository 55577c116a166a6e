"""Everything about one user as a zip file, for whoever asks what is kept about them."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Protocol

import msgspec

from uptake.blobs import Blobs
from uptake.exports import Export, Form, Kind, Progress, Question
from uptake.exports.exporting import table_of
from uptake.exports.forms import CHUNK_BYTES, encoded
from uptake.exports.samples import TEXT_ROWS_AT_ONCE
from uptake.exports.sinks import Sink
from uptake.model import clock
from uptake.reading import Unknown
from uptake.store.base import ItemQueries, Snapshot, Snapshots
from uptake.store.stored import Selection, StoredImage, StoredUser
from uptake.time_units import MICROSECONDS_PER_SECOND

IMAGES_AT_ONCE = 100

README = """\
Everything that Uptake keeps about the user in profile.json, as of {moment}.

profile.json       who the user is: attributes, first and last seen
samples.csv        samples, each once; times as they were told, and in UTC
samples.ndjson     the same, a JSON object on each line
documents.ndjson   documents as they were uploaded
images.ndjson      a line for each image; "file" says where in this archive it is
images/            the images; what cameras write into them was taken out when they came
rejections.ndjson  what was sent and not accepted, with the reasons; "item" is what was sent, or
                   "raw_base64" where that is not JSON

CSV cells hold exactly what was sent. Open the file as data: a spreadsheet may take a cell that
begins with =, +, - or @ for a formula.
"""

TABLES: tuple[tuple[Kind, Form], ...] = (
    ("samples", "csv"),
    ("samples", "ndjson"),
    ("documents", "ndjson"),
    ("rejections", "ndjson"),
)


class ArchiveStore(Snapshots, ItemQueries, Protocol):
    """The ports that an archive is read from."""


@contextmanager
def archived(store: ArchiveStore, blobs: Blobs, project: str, user_id: str) -> Iterator[Export]:
    """The archive of a user, which can be read while the block runs.

    Raises:
        Unknown: there is no such user.
        StoreUnavailable: the store cannot be read; reading the parts may raise it too, and
            `BlobsUnavailable`.
    """
    with store.snapshot(project) as snapshot:
        user = next(snapshot.users(Selection(users=[user_id])), None)
        if user is None:
            raise Unknown(user_id)
        archive = _Archive(clock.now())
        members = _members(snapshot, store, blobs, project, user)
        yield Export(None, archive.parts(members), Progress())


Member = tuple[str, Iterable[bytes]]
"""Name and content of a file."""


def _members(
    snapshot: Snapshot, store: ArchiveStore, blobs: Blobs, project: str, user: StoredUser
) -> Iterator[Member]:
    moment = clock.iso(clock.now())
    yield "README.txt", [README.format(moment=moment).encode()]
    yield "profile.json", [_profile(user)]
    for kind, form in TABLES:
        question = Question(kind, project, users=lambda: [user.user_id])
        table = table_of(snapshot, blobs, question, TEXT_ROWS_AT_ONCE)
        yield f"{kind}.{form}", encoded(table, form, "none")
    listed = []
    for image in _images(store, project, user.user_id):
        content = blobs.get(image.blob)
        name = f"images/{image.image_id}{PurePosixPath(image.name).suffix}"
        if content is not None:
            yield name, [content]
        listed.append(_image(image, name if content is not None else None))
    yield "images.ndjson", [msgspec.json.Encoder().encode_lines(listed)]


def _profile(user: StoredUser) -> bytes:
    told = msgspec.structs.asdict(user)
    told |= {name: clock.iso(told[name]) for name in ("first_seen", "last_seen")}
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def _images(store: ItemQueries, project: str, user_id: str) -> Iterator[StoredImage]:
    after = 0
    while some := store.images(project, user_id, after, IMAGES_AT_ONCE):
        yield from some
        after = some[-1].image_id


def _image(image: StoredImage, file: str | None) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "file": file,
        "sha256": image.sha256,
        "bytes": image.bytes,
        "width": image.width,
        "height": image.height,
        "media_type": image.media_type,
        "received_at": clock.iso(image.received_at),
    }


class _Archive:
    """A zip file that is written from the beginning to the end.

    Args:
        moment: when its members are said to have been written.
    """

    def __init__(self, moment: int) -> None:
        told = datetime.fromtimestamp(moment // MICROSECONDS_PER_SECOND, UTC)
        self._moment = (told.year, told.month, told.day, told.hour, told.minute, told.second)

    def parts(self, members: Iterable[Member]) -> Iterator[bytes]:
        """The bytes of the archive."""
        sink = Sink()
        with zipfile.ZipFile(sink, "w") as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name, self._moment)
                info.external_attr = 0o644 << 16
                if not name.startswith("images/"):
                    info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w", force_zip64=True) as member:
                    for part in content:
                        member.write(part)
                        if sink.waiting >= CHUNK_BYTES:
                            yield sink.take()
        yield sink.take()
