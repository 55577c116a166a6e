"""All data of one user as a zip file, to answer a request for access."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Protocol

import msgspec

from uptake.blobs import Blobs
from uptake.exports import Export, ExportQuery, Kind, Progress
from uptake.exports.forms import TEXT_SAMPLES, FormName
from uptake.exports.tables import table_of
from uptake.exports.writers import CHUNK_BYTES, Sink, encoded
from uptake.model import clock
from uptake.reading import Unknown
from uptake.store.base import ItemQueries
from uptake.store.snapshot_ports import Snapshot, Snapshots
from uptake.store.stored import Selection, StoredImage, StoredUser
from uptake.time_units import MICROSECONDS_PER_SECOND

IMAGES_AT_ONCE = 100

README = """\
All data that Uptake stores for the user in profile.json, as of {moment}.

profile.json       the user: attributes, and when first and last seen
samples.csv        samples, each once; times as they were sent, and in UTC
samples.ndjson     the same, one JSON object on each line
documents.ndjson   documents as they were uploaded
images.ndjson      one line for each image; "file" is its path in this archive
images/            the images, without the metadata that cameras add
rejections.ndjson  what was sent and not accepted, with the reasons; "item" is what was sent, or
                   "raw_base64" if that is not JSON

CSV cells contain exactly what was sent. Import the file as data: a spreadsheet may interpret a
cell that begins with =, +, - or @ as a formula.
"""

TABLES: tuple[tuple[Kind, FormName], ...] = (
    ("samples", "csv"),
    ("samples", "ndjson"),
    ("documents", "ndjson"),
    ("rejections", "ndjson"),
)


class ArchiveStore(Snapshots, ItemQueries, Protocol):
    """The store ports that an archive is read from."""


Member = tuple[str, Iterable[bytes]]
"""The name and the content of a file."""


@contextmanager
def open_archive(store: ArchiveStore, blobs: Blobs, project: str, user_id: str) -> Iterator[Export]:
    """Open the archive of a user, which can be read within the block.

    Raises:
        Unknown: the user does not exist.
        StoreUnavailable: the store cannot be read; reading the parts may raise it too, and
            `BlobsUnavailable`.
    """
    with store.snapshot(project) as snapshot:
        user = next(snapshot.users(Selection(users=[user_id])), None)
        if user is None:
            raise Unknown("user", user_id)
        members = _members(snapshot, store, blobs, project, user)
        yield Export(None, _zip(members), Progress())


def _members(
    snapshot: Snapshot, store: ArchiveStore, blobs: Blobs, project: str, user: StoredUser
) -> Iterator[Member]:
    moment = clock.iso(clock.now())
    yield "README.txt", [README.format(moment=moment).encode()]
    yield "profile.json", [_profile(user)]
    for kind, form in TABLES:
        query = ExportQuery(kind, project, users=lambda: [user.user_id])
        yield (
            f"{kind}.{form}",
            encoded(table_of(snapshot, blobs, query, TEXT_SAMPLES), form, "none"),
        )
    listed = []
    for image in _images(store, project, user.user_id):
        content = blobs.get(image.blob)
        name = f"images/{image.image_id}{PurePosixPath(image.name).suffix}"
        if content is not None:
            yield name, [content]
        listed.append(_image(image, name if content is not None else None))
    yield "images.ndjson", [msgspec.json.Encoder().encode_lines(listed)]


def _profile(user: StoredUser) -> bytes:
    members = msgspec.structs.asdict(user)
    members |= {name: clock.iso(members[name]) for name in ("first_seen", "last_seen")}
    return msgspec.json.format(msgspec.json.encode(members)) + b"\n"


def _images(store: ItemQueries, project: str, user_id: str) -> Iterator[StoredImage]:
    after = 0
    while some := store.images(project, user_id, after, IMAGES_AT_ONCE):
        yield from some
        after = some[-1].image_id


def _image(image: StoredImage, file: str | None) -> dict[str, Any]:
    names = ("sha256", "bytes", "width", "height", "media_type")
    return {
        "image_id": image.image_id,
        "file": file,
        **{name: getattr(image, name) for name in names},
        "received_at": clock.iso(image.received_at),
    }


def _zip(members: Iterable[Member]) -> Iterator[bytes]:
    """The bytes of a zip file, written without seeking."""
    now = datetime.fromtimestamp(clock.now() // MICROSECONDS_PER_SECOND, UTC)
    moment = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, moment)
            info.external_attr = 0o644 << 16
            if not name.startswith("images/"):
                info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                for part in content:
                    member.write(part)
                    if sink.waiting >= CHUNK_BYTES:
                        yield sink.take()
    yield sink.take()
