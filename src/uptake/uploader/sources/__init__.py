"""Sources of items: how files reach the uploader.

A source reads one file or folder. When called, it yields its items in their order, in constant
memory, and an `Unreadable` in place of each one that cannot be read. It can be called again, and
then starts from the beginning.

`uptake.uploader.sources.opening` opens sources of `samples`, `profiles`, `documents` and `images`,
each from a path and the options of `FileOptions`.

Rows that are rejected or cannot be read are written to a file, which can be corrected and sent
again: see `originals`. NDJSON sources ignore a member named `refused`, which has the reasons, and
lines with only this member. CSV sources ignore the columns `rejected.file`, `rejected.line` and
`rejected.reasons`.
"""

import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeAlias, TypedDict, TypeVar

import msgspec
import pyarrow as pa

from uptake.samples.columns import UNITS
from uptake.samples.metrics import METRICS

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
nor the argument `user` has one. `metric` is `steps` or `bpm`. Times are the text of the file (ISO
8601 with its offset). `value` is finite. The receiver validates times, units and values. `line` is
the 1-based place in the file: the line of a text file, the row of a Parquet file, and for XML the
line in which the element begins.
"""


class Unreadable(msgspec.Struct, frozen=True):
    """A place in a file where an item cannot be read, or a file as a whole.

    Attributes:
        file: as in `Source.file`.
        line: as in `SAMPLES`; 0 for the file as a whole.
        reason: one sentence for a person.
        text: what was read, as a line of NDJSON or CSV that may not be valid; only where the file
            has no such line, or its form does not show where the line ends.
    """

    file: str
    line: int
    reason: str
    text: bytes = b""


class Skipped(msgspec.Struct, frozen=True):
    """Items or files that are left out on purpose, and counted.

    Attributes:
        file: as in `Source.file`.
        count: how many.
        reason: why, in a few words.
        is_file: whether this is a whole file, which is then listed by name.
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
        user_id: the user.
        path: the file.
        size: its bytes.
        content: the file's content; only its beginning if it is over the limit for images.
        file, line: where it was named.
    """

    user_id: str
    path: Path
    size: int
    content: bytes
    file: str
    line: int


Item = TypeVar("Item")
Other = TypeVar("Other")

Found: TypeAlias = Item | Unreadable | Skipped
"""What sources yield."""

LEFT_OUT = (Unreadable, Skipped)

BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowInvalid)
"""Raised when a file ends early or turns out to be damaged while it is read."""


SPREAD_ITEMS = 64
"""Items between two positions: few enough to move, and so many that they cost nothing."""


class Progress:
    """How many bytes of a file were read."""

    position: int = 0

    def spread(self, items: Iterator[Other], count: int, end: int) -> Iterator[Other]:
        """The items of a block, of which there are about so many, which ends at this position."""
        start = self.position
        for i, item in enumerate(items):
            if i % SPREAD_ITEMS == 0:
                self.position = start + (end - start) * min(i, count) // count
            yield item
        self.position = end


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a row was rejected, or cannot be read.

    Attributes:
        file, line: where it was read.
        reason: all faults in one line.
        refused: all of this as JSON.
    """

    file: str
    line: int
    reason: str
    refused: bytes


class Originals(ABC):
    """The rows of a file as they are in it, so that rejected ones can be corrected and sent again.

    Attributes:
        suffix: of a file of such rows.
        head: what such a file begins with.
    """

    suffix: str
    head: bytes

    @abstractmethod
    def rows(self, lines: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        """The rows that begin on these lines, as far as they are found.

        Args:
            lines: in ascending order.

        Raises:
            OSError: the file cannot be read again.
        """

    @abstractmethod
    def is_item(self, row: bytes) -> bool:
        """Whether a row is one item, not a request with several."""

    @abstractmethod
    def marked(self, row: bytes, mark: Mark) -> bytes:
        """A row with the reasons, which are ignored when it is read."""


class Source(Generic[Item]):
    """A file or folder of items, or several.

    Attributes:
        file: its name in reports.
        size: bytes to read; 0 when not known.
        read: reads its items, and raises an error if the file breaks off.
        parts: the sources it consists of, each of one file or folder; itself if it is one.
        progress: of the iteration that was started last, unless it has other parts.
        originals: reads its rows again as they are in the file; None if it has no rows of text.
    """

    def __init__(
        self,
        file: str,
        size: int,
        read: Callable[[Progress], Iterator[Found[Item]]],
        originals: Originals | None = None,
    ) -> None:
        self.file = file
        self.size = size
        self.originals = originals
        self.parts: Sequence[Source[Item]] = (self,)
        self.read = read
        self.progress = Progress()

    @property
    def position(self) -> int:
        """Bytes read of the iteration that was started last."""
        return sum(min(part.progress.position, part.size) for part in self.parts)

    def __call__(self) -> Iterator[Found[Item]]:
        """Read it from the beginning; that a file breaks off is reported last.

        A stream can be read only once.
        """
        self.progress = Progress()
        return until_broken(self.read(self.progress), self.file)


STANDARD_INPUT = "standard input"
"""The name of the source `-` in messages."""


def chained(file: str, parts: Sequence[Source[Item]]) -> Source[Item]:
    """Several sources as one, such as the files of an archive."""
    if len(parts) == 1:
        return parts[0]
    size = sum(part.size for part in parts)
    whole = Source(file, size, lambda _: (item for part in parts for item in part()))
    whole.parts = parts
    return whole


def until_broken(
    found: Iterator[Found[Item]], file: str, broken: tuple[type[BaseException], ...] = BROKEN
) -> Iterator[Found[Item]]:
    """The same items; if one of these errors is raised, an `Unreadable` of the file ends them."""
    try:
        yield from found
    except broken as error:
        text = getattr(error, "strerror", None) or str(error)
        reason = " ".join(text.split()) or type(error).__name__
        yield Unreadable(file, 0, f"the rest cannot be read: {reason}")


def read_each(
    found: Iterable[Found[Item]], read: Callable[[Item], Iterable[Found[Other]]]
) -> Iterator[Found[Other]]:
    """What `read` returns for each item; what cannot be read or is skipped is passed on."""
    for one in found:
        if isinstance(one, LEFT_OUT):
            yield one
        else:
            yield from read(one)


class Interrupted(Exception):
    """A wait for a stream was stopped."""


class UnknownSource(Exception):
    """A path does not exist, or is of no kind that can be read; see the message."""


TIME_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Units of epoch times, and the decimal places by which each is less than a second."""

Stop = Callable[[], bool]


def never() -> bool:
    """Nothing stops the reading."""
    return False


class ItemOptions(TypedDict, total=False):
    """What files may not have.

    Attributes:
        user: the default user id for rows without one.
        columns: names of the wire to those of the file.
        stopped: whether a wait for a stream is to end.
    """

    user: str | None
    columns: Mapping[str, str]
    stopped: Stop


class TableOptions(ItemOptions, total=False):
    """What files with a row for each item may not have.

    Attributes:
        delimiter: between the cells of CSV; None to detect it.
        skip_rows: lines of CSV before the header.
        encoding: of CSV, by its name in Python; None for UTF-8.
    """

    delimiter: str | None
    skip_rows: int
    encoding: str | None


class SampleOptions(TableOptions, total=False):
    """What files of samples may not have.

    Attributes:
        metric: the default metric, `steps` or `bpm`.
        unit: the default unit.
        device: the default device name.
        duration: seconds from the start to the end of rows without an end.
        time_unit: of times that are numbers since 1970: `s`, `ms`, `us` or `ns`.
    """

    metric: str | None
    unit: str | None
    device: str | None
    duration: int | None
    time_unit: str | None


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The options above as one object, and others.

    Attributes:
        root: the folder that must contain all images.
        reread: whether rejected rows of text are to be read again, also those of a stream.

    Raises:
        UnknownSource: one is not valid.
    """

    user: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    stopped: Stop = never
    delimiter: str | None = None
    skip_rows: int = 0
    encoding: str | None = None
    metric: str | None = None
    unit: str | None = None
    device: str | None = None
    duration: int | None = None
    time_unit: str | None = None
    root: Path | None = None
    reread: bool = False

    def __post_init__(self) -> None:
        delimiter, unit = self.delimiter, self.time_unit
        if delimiter is not None and not (
            len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0'
        ):
            raise UnknownSource(f"the delimiter {delimiter!r} is not one ASCII character")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except (LookupError, ValueError):
                raise UnknownSource(
                    f"the encoding {self.encoding!r} is unknown; examples are cp1252, latin-1,"
                    " utf-16 and shift_jis"
                ) from None
        if unit is not None and unit not in TIME_UNITS:
            raise UnknownSource(f"the time unit {unit!r} is none of {', '.join(TIME_UNITS)}")
        if self.metric is not None and self.metric not in METRICS:
            raise UnknownSource(f"the metric {self.metric!r} is none of {', '.join(METRICS)}")
        if self.unit is not None and self.unit not in UNITS:
            raise UnknownSource(f"the unit {self.unit!r} is none of {', '.join(UNITS)}")
        if self.root is not None and not self.root.is_dir():
            raise UnknownSource(f"{self.root}: there is no such folder")

    def default(self, column: str) -> str | None:
        """The default value of a column of samples; None when it has none."""
        defaults = {
            "user_id": self.user,
            "metric": self.metric,
            "unit": self.unit,
            "device_name": self.device,
        }
        return defaults.get(column)
