"""Exports of a project's data as files and streams that other tools read directly.

Writing them takes Apache Arrow, which takes 40 MB of memory. Servers and commands import this
module and `forms` when they start, so neither imports Arrow or NumPy.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from uptake.samples.metrics import METRICS, Metric

if TYPE_CHECKING:
    from uptake.reading.rollup_rows import Bound

Kind = Literal["samples", "rollups", "profiles", "documents", "rejections", "users"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Users = Callable[[], Iterable[str]]
"""Returns user ids, each once and in order of code points."""


class InvalidExport(Exception):
    """The options of an export contradict each other. The message names the option to change."""


class ExportQuery(Struct, frozen=True):
    """Which data to export.

    Attributes:
        kind: the kind of data.
        project: the project.
        users: exports the data of these users only; None for all users.
        start, end: `start` is inclusive, `end` exclusive. They select samples and the days
            of rollups by their start, documents and rejections by when they were received, and
            users and profiles by when the user was last seen. Local times are those of `zone` for
            rollups, and of UTC for other kinds.
        since: the cursor of an earlier export; exports only what was received after it.
        metrics: which samples.
        type_name: which type of documents; None for all types.
        zone: the time zone of the days of rollups; None for the local time of each sample.
    """

    kind: Kind
    project: str
    users: Users | None = None
    start: "Bound | None" = None
    end: "Bound | None" = None
    since: str | None = None
    metrics: tuple[Metric, ...] = tuple(METRICS)
    type_name: str | None = None
    zone: str | None = "UTC"


@dataclass(slots=True)
class Progress:
    """The number of rows that have been read so far."""

    rows: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is ready to be read.

    Attributes:
        cursor: the `since` of the next export; None for an archive.
        parts: the bytes of the file, produced as they are read.
        progress: updated while the parts are read.
    """

    cursor: str | None
    parts: Iterator[bytes]
    progress: Progress
