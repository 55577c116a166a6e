"""What a source of items is: the shapes in which files reach the uploader.

A source reads one file or folder. Called, it yields its items in the order in which they stand
there, in constant memory, and in place of each one that cannot be read an `Unreadable`. It can be
called again, and then begins anew.

`uptake.uploader.sources.opening` opens them: `samples`, `profiles`, `documents` and `images`, each
of `(path, *, user=None, columns={})`, where `user` is whom rows are about that do not say it, and
`columns` maps names of the wire to those of the file. All raise `UnknownSource` at once, before
anything is read.

NDJSON sources leave out a member named `rejected`: that is what the uploader adds to an item that
was rejected, so that its file can be mended and sent again as it is. A line that has only this
member is passed over in silence.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
import pyarrow as pa

SAMPLES = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=True),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("device_name", pa.string(), nullable=False),
        pa.field("device_version", pa.string(), nullable=True),
        pa.field("start_date", pa.string(), nullable=False),
        pa.field("end_date", pa.string(), nullable=True),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
    ]
)
"""The columns of a batch of samples, in this order.

A string column may also be `dictionary<int32, string>`. `user_id` is null where neither the row
nor `user` of the source's arguments names one: what that means is for the wire. `metric` is
`steps` or `bpm`. Times are the text of the file (ISO 8601, offsets kept). `value` is finite.
Whether times, units and values make sense is for the receiver to judge. `line` is the 1-based
place in the file: the line of a text file, the row of a Parquet file, and for XML the line in
which the element begins.
"""


class Unreadable(msgspec.Struct, frozen=True):
    """A place in a file where an item should be and none can be read, or a file as a whole.

    Attributes:
        file: as in `Source.file`.
        line: 1-based, as in `SAMPLES`; 0 when the file as a whole is meant.
        reason: one sentence for a person.
    """

    file: str
    line: int
    reason: str


class Skipped(msgspec.Struct, frozen=True):
    """Items or files that are left out on purpose; the summary counts them.

    Attributes:
        file: as in `Source.file`.
        count: how many.
        reason: why, in a few words; the same for all of a kind.
        is_file: whether a file as a whole is left out, which is then listed by name.
    """

    file: str
    count: int
    reason: str
    is_file: bool = False


class ProfileRow(msgspec.Struct, frozen=True, gc=False):
    """Values of some of a user's attributes."""

    user_id: str
    attributes: dict[str, str | int | float | bool]
    file: str
    line: int


class DocumentItem(msgspec.Struct, frozen=True, gc=False):
    """A document: `data` is the text of a JSON object."""

    user_id: str
    data: bytes
    file: str
    line: int


class ImageItem(msgspec.Struct, frozen=True, gc=False):
    """An image in a file of its own.

    Attributes:
        user_id: the user whose image it is.
        path: the file.
        size: its bytes.
        content: the file's content; of a file over the limit for images, its beginning.
        file, line: where it was named.
    """

    user_id: str
    path: Path
    size: int
    content: bytes
    file: str
    line: int


Item = TypeVar("Item", covariant=True)  # noqa: PLC0105 - named for what it is


class Source(Protocol, Generic[Item]):
    """A file or folder of items.

    Attributes:
        file: its name, as reports show it.
        size: bytes to read, for showing progress; 0 when not known.
        position: bytes read so far of the iteration that was begun last, at most `size`.
        parts: the sources it consists of, each of one file or folder; itself when it is one.
    """

    @property
    def file(self) -> str:
        """Its name."""

    @property
    def size(self) -> int:
        """Bytes to read."""

    @property
    def position(self) -> int:
        """Bytes read."""

    @property
    def parts(self) -> "Sequence[Source[Item]]":
        """What it consists of."""

    def __call__(self) -> Iterator[Item | Unreadable | Skipped]:
        """Read it from the beginning; a stream can be read only once."""


SamplesSource = Source[pa.RecordBatch]
ProfilesSource = Source[ProfileRow]
DocumentsSource = Source[DocumentItem]
ImagesSource = Source[ImageItem]


class Interrupted(Exception):
    """A wait for a stream was stopped."""


class UnknownSource(Exception):
    """What was named does not exist, or is of no kind that can be read; the message says which."""
