"""What a project holds, given away as files and streams that other tools read as they are.

It uses Arrow, which takes 40 MB of memory, so what is imported by a server or a command at its
start, which this module is, does without it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from msgspec import Struct

from uptake.samples.metrics import METRICS, Metric

Kind = Literal["samples", "profiles", "documents", "rejections", "users"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Form = Literal["parquet", "csv", "ndjson", "arrow"]
FORMS: tuple[Form, ...] = get_args(Form)

Compression = Literal["none", "gzip", "zstd"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)

SUITABLE: dict[Form, tuple[Compression, ...]] = {
    "parquet": ("zstd", "gzip", "none"),
    "csv": ("none", "gzip", "zstd"),
    "ndjson": ("none", "gzip", "zstd"),
    "arrow": ("none", "zstd"),
}
"""What each form can be compressed with; the first is what it is by default. In Parquet and Arrow
it is the columns that are compressed, in the others the file."""

SUFFIXES: dict[Form, str] = {
    "parquet": ".parquet",
    "csv": ".csv",
    "ndjson": ".ndjson",
    "arrow": ".arrows",
}
PACKED_SUFFIXES: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
PACKED_AS_A_WHOLE: tuple[Form, ...] = ("csv", "ndjson")

MEDIA_TYPES: dict[Form, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}
PACKED_MEDIA_TYPES: dict[Compression, str] = {
    "gzip": "application/gzip",
    "zstd": "application/zstd",
}
"""As registered with IANA, NDJSON apart, which nobody has registered."""

Users = Callable[[], Iterable[str]]
"""A source of user ids: each once, and in order of code points."""


class NotPossible(Exception):
    """What is asked for does not go together; the message says what, and what would."""


class Question(Struct, frozen=True):
    """What is to be exported.

    Attributes:
        kind: of what.
        project: whose data it is.
        users: only what is about these; None for all.
        start, end: only samples that start, documents and rejections that were received, and users
            that were last seen, at or after the one and before the other: ticks.
        since: a cursor; only what was received after the export that gave it.
        metrics: of samples.
        type_name: of documents; None for all.
    """

    kind: Kind
    project: str
    users: Users | None = None
    start: int | None = None
    end: int | None = None
    since: str | None = None
    metrics: tuple[Metric, ...] = tuple(METRICS)
    type_name: str | None = None


@dataclass(slots=True)
class Progress:
    """How many rows were read so far."""

    rows: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """What is given away.

    Attributes:
        cursor: from which the next export of the same kind goes on; None where none can.
        parts: the bytes of the file, made as they are asked for.
        progress: grows while they are.
    """

    cursor: str | None
    parts: Iterator[bytes]
    progress: Progress


def compression_of(form: Form, asked: Compression | None) -> Compression:
    """What a form is compressed with.

    Raises:
        NotPossible: it cannot be compressed with what is asked for.
    """
    suitable = SUITABLE[form]
    if asked is None:
        return suitable[0]
    if asked not in suitable:
        raise NotPossible(f"{form} can be compressed with {', '.join(suitable)}; not with {asked}")
    return asked


def suffix_of(form: Form, compression: Compression) -> str:
    """How the names of such files end."""
    packed = PACKED_SUFFIXES[compression] if form in PACKED_AS_A_WHOLE else ""
    return SUFFIXES[form] + packed


def media_type_of(form: Form, compression: Compression) -> str:
    """What such files are."""
    packed = PACKED_MEDIA_TYPES.get(compression) if form in PACKED_AS_A_WHOLE else None
    return packed or MEDIA_TYPES[form]
