"""Reads a project's data back through Uptake's read API."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from importlib import import_module
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from uptake.formats.base import MALFORMED
from uptake.samples import times
from uptake.time_units import TICKS_PER_MICROSECOND
from uptake.uploader.sending.answers import Broken

PREFIX = "/uptake/v1"
PAGE = 1000
"""Rows of a page, few enough for the size of an answer."""

UTC_NAMES = {
    "start_date": "start_utc",
    "end_date": "end_utc",
    "start": "start_utc",
    "end": "end_utc",
}
"""Columns of text with an offset, and the columns of a table with the same instants in UTC."""

MOMENTS = {"received_at", "first_seen", "last_seen"}
"""Columns that are timestamps in a table: the text is always UTC."""

Time = str | date | None
"""ISO 8601, a `date` or a `datetime`; None for no limit."""


class SampleSummary(msgspec.Struct, frozen=True):
    """The number of samples of a metric, and the starts of the first and the last of them."""

    count: int
    first: str
    last: str


class Profile(msgspec.Struct, frozen=True):
    """A user's attributes, and counts of all other data; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    samples: dict[str, SampleSummary]
    documents: int
    images: int
    first_seen: str
    last_seen: str


class User(msgspec.Struct, frozen=True):
    """A user, and when the user was first and last seen; times are RFC 3339."""

    user_id: str
    first_seen: str
    last_seen: str


class StoredSample(msgspec.Struct, frozen=True):
    """A sample; times have the offset with which they were sent."""

    metric: str
    device_name: str
    device_version: str | None
    start_date: str
    end_date: str | None
    value: float
    unit: str


class Bucket(msgspec.Struct, frozen=True):
    """A rollup of one bucket: `sum` for steps; `min`, `mean` and `max` for heart rates.

    Attributes:
        start, end: the time from `start` until before `end`; ISO 8601 with offset.
        count: samples that start in the bucket.
        device_name: the device; only with `devices="each"`.
    """

    start: str
    end: str
    count: int
    sum: float | None = None
    min: float | None = None
    mean: float | None = None
    max: float | None = None
    device_name: str | None = None


class Member(msgspec.Struct, frozen=True):
    """A user of a segment; times are RFC 3339."""

    user_id: str
    attributes: dict[str, str]
    first_seen: str
    last_seen: str


class Document(msgspec.Struct, frozen=True):
    """A document as it was uploaded; the time is RFC 3339."""

    upload_id: str
    user_id: str
    type: str
    data: Any
    received_at: str


class Image(msgspec.Struct, frozen=True):
    """An image, which is served from `url`."""

    image_id: int
    url: str
    sha256: str
    bytes: int
    width: int
    height: int
    media_type: str
    received_at: str


Row = TypeVar("Row", bound=msgspec.Struct)
Answer = TypeVar("Answer")
Get = Callable[[str, Mapping[str, str]], bytes | None]
"""Returns the body of an answer to a path and a query; None for a list that does not exist."""


def pages(get: Get, path: str, query: Mapping[str, str], kind: type[Answer]) -> Iterator[Answer]:
    """Yield the pages of a list, each requested when the one before has been used.

    Args:
        get: requests a page.
        path: of the list.
        query: its parameters.
        kind: the type of a page, with `next`.

    Raises:
        Broken: an answer cannot be read, or the list repeats a cursor.
    """
    cursors: set[str] = set()
    position: dict[str, str] = {}
    while True:
        body = get(path, {"limit": str(PAGE), **query, **position})
        if body is None:
            return
        page = decoded(body, kind)
        yield page
        cursor: str | None = page.next  # type: ignore[attr-defined]
        if cursor is None:
            return
        if cursor in cursors:
            raise Broken("the server repeats a cursor: its list would never end")
        cursors.add(cursor)
        position = {"cursor": cursor}


def decoded(body: bytes, kind: type[Answer]) -> Answer:
    """Return the value of an answer.

    Raises:
        Broken: it is of another type.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except MALFORMED as error:
        raise Broken(f"the answer is not one of Uptake's read API: {error}") from None


class Rows(Generic[Row]):
    """Rows of a list, which are requested page by page while they are iterated.

    Every iteration requests them again, and so do `to_arrow` and `to_pandas`.

    Args:
        get: requests a page.
        path: of the list.
        query: its parameters; those that are None are left out.
        member: the name of the list in an answer.
        kind: the type of a row.
    """

    def __init__(
        self, get: Get, path: str, query: Mapping[str, str | None], member: str, kind: type[Row]
    ) -> None:
        self._get = get
        self._path = path
        self._query = {name: value for name, value in query.items() if value is not None}
        self._member = member
        self._kind = kind
        self._page = msgspec.defstruct("Page", [(member, list[kind]), ("next", str | None)])  # type: ignore[valid-type]

    def __iter__(self) -> Iterator[Row]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Row]]:
        """Yield the rows of each page, which is requested when the one before has been used."""
        for page in pages(self._get, self._path, self._query, self._page):
            yield getattr(page, self._member)

    def to_arrow(self) -> Any:
        """Return all rows as a `pyarrow.Table`.

        Times with an offset stay text, and have a second column of timestamps in UTC, such as
        `start_utc`. It is null after the year 9999. Attributes and data of documents are JSON.

        Raises:
            ImportError: pyarrow is not installed.
            RequestFailed, Broken: as for `Client.profile`.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415 - slow to load
        except ImportError:
            raise ImportError("to_arrow() needs pyarrow: run pip install pyarrow") from None
        utc = pa.timestamp("us", "UTC")
        types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
        rows = list(self)
        columns: dict[str, Any] = {}
        added: dict[str, Any] = {}
        for field in msgspec.structs.fields(self._kind):
            values = [getattr(row, field.name) for row in rows]
            if field.name in MOMENTS:
                columns[field.name] = pa.array(map(_microseconds, values), utc)
                continue
            name = str(getattr(field.type, "__name__", field.type)).partition(" ")[0]
            if name not in types:
                name, values = "str", [msgspec.json.encode(value).decode() for value in values]
            columns[field.name] = pa.array(values, types[name])
            if field.name in UTC_NAMES:
                added[UTC_NAMES[field.name]] = pa.array(map(_microseconds, values), utc)
        return pa.table(columns | added)

    def to_pandas(self) -> Any:
        """Return all rows as a `pandas.DataFrame`, with the columns of `to_arrow`.

        Raises:
            ImportError: pandas or pyarrow is not installed.
            RequestFailed, Broken: as for `Client.profile`.
        """
        try:
            import_module("pandas")
        except ImportError:
            raise ImportError("to_pandas() needs pandas: run pip install pandas") from None
        return self.to_arrow().to_pandas()


def _microseconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return times.read(text)[0] // TICKS_PER_MICROSECOND
    except ValueError:
        return None


class Reader(ABC):
    """The methods of `Client` that read; the key needs the scope `data:read`."""

    @abstractmethod
    def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the body of the answer to a path and a query."""

    def profile(self, user_id: str) -> Profile:
        """Return a user's attributes, and the number of stored samples, documents and images.

        Raises:
            RequestFailed: the user does not exist (404), or the request was rejected.
            Broken: there is no complete, readable answer.
        """
        return decoded(self._get(user_path(user_id), {}), Profile)

    def users(self, prefix: str = "") -> Rows[User]:
        """Return the users of the project with an id that starts with `prefix`, in order of id."""
        return Rows(self._get, f"{PREFIX}/users", {"prefix": prefix or None}, "users", User)

    def samples(
        self, user_id: str, metric: str, start: Time = None, end: Time = None
    ) -> Rows[StoredSample]:
        """Return a user's samples in order of start, each once.

        Args:
            user_id: the user.
            metric: `steps` or `bpm`.
            start: samples that start at or after this time.
            end: samples that start before this time.
        """
        query = {"metric": metric, "from": text_of(start), "to": text_of(end)}
        return Rows(self._get, f"{user_path(user_id)}/samples", query, "samples", StoredSample)

    def rollups(  # noqa: PLR0913 - the options of the API
        self,
        user_id: str,
        metric: str,
        every: str = "day",
        *,
        zone: str = "sample",
        start: Time = None,
        end: Time = None,
        devices: str = "merge",
    ) -> Rows[Bucket]:
        """Return a user's rollups in order of time, in which overlapping steps are counted once.

        Args:
            user_id: the user.
            metric: `steps` or `bpm`.
            every: `minute`, `hour`, `day`, `week` or `month`.
            zone: an IANA time zone, or `sample` for the local time of each sample.
            start: buckets that start at or after this time.
            end: buckets that start before this time.
            devices: `merge` for all devices, `each` for a bucket for each device, or the name of a
                device.
        """
        query = {
            "metric": metric,
            "every": every,
            "zone": zone,
            "devices": devices,
            "from": text_of(start),
            "to": text_of(end),
        }
        return Rows(self._get, f"{user_path(user_id)}/rollups", query, "buckets", Bucket)

    def segment_users(self, segment: str) -> Rows[Member]:
        """Return the users of a segment in order of id."""
        path = f"{PREFIX}/segments/{quote(segment, safe='')}/users"
        return Rows(self._get, path, {}, "users", Member)

    def document(self, upload_id: str) -> Document:
        """Return a document; `Outcome.reference` of its upload is its id.

        Raises:
            RequestFailed: the document does not exist (404), or the request was rejected.
            Broken: there is no complete, readable answer.
        """
        return decoded(self._get(document_path(upload_id), {}), Document)

    def documents(
        self, user_id: str, type_name: str = "", start: Time = None, end: Time = None
    ) -> Rows[Document]:
        """Return a user's documents in order of upload id.

        Args:
            user_id: the user.
            type_name: only those of this type.
            start: documents that were received at or after this time.
            end: documents that were received before this time.
        """
        query = {"type": type_name or None, "from": text_of(start), "to": text_of(end)}
        return Rows(self._get, f"{user_path(user_id)}/documents", query, "documents", Document)

    def images(self, user_id: str) -> Rows[Image]:
        """Return a user's images in the order in which they were first received."""
        return Rows(self._get, f"{user_path(user_id)}/images", {}, "images", Image)


def user_path(user_id: str) -> str:
    """Return the path of a user."""
    return f"{PREFIX}/users/{quote(user_id, safe='')}"


def document_path(upload_id: str) -> str:
    """Return the path of a document."""
    return f"{PREFIX}/documents/{quote(upload_id, safe='')}"


def text_of(time: Time) -> str | None:
    """Return a time as a parameter of a query."""
    return time.isoformat() if isinstance(time, date) else time


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return a path with a query."""
    return f"{path}?{urlencode(query)}" if query else path
