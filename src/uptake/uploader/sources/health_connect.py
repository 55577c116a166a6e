"""Health Connect exports: the SQLite database that Android's Health Connect writes, or its zip.

The layout is that of the Android Open Source Project, `packages/modules/HealthFitness`: the classes
`StepsRecordHelper`, `HeartRateRecordHelper` and their bases. Columns are selected by name, because
updates of Android add some. Times are milliseconds since 1970, offsets are seconds.

SQLite reads files by name, so a database in an archive is copied to a temporary file, which is
removed as soon as it is open. Only stored columns of tables are read: a view or a computed column
could run without an end.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from uptake.samples.metrics import Metric
from uptake.uploader.sources import FileOptions, Found, Progress, Source, UnknownSource
from uptake.uploader.sources.exports import ExportFile, SampleExport
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.readings import (
    MILLISECONDS,
    Reading,
    batches,
    iso_of_epoch,
    made,
    numeric,
)
from uptake.uploader.sources.streams import BLOCK_BYTES

MAGIC = b"SQLite format 3\0"

MAX_VALUE_BYTES = 4 << 20
"""Of a text or blob; the icons of apps, which are the largest, take some thousands."""

MAX_ORIGINS = 100_000
"""Apps or devices that are read; phones have some hundreds."""

NO_DEVICE = "Health Connect"


@dataclass(frozen=True, slots=True)
class _Records:
    """A kind of records.

    Attributes:
        metric: theirs.
        tables: the columns that are read, by table; the first has a row for each sample.
        select: the rows: device, app, start and its offset, end and its offset, value.
    """

    metric: Metric
    tables: Mapping[str, tuple[str, ...]]
    select: str


_ORIGIN = ("row_id", "device_info_id", "app_info_id")

_STEPS = _Records(
    "steps",
    {
        "steps_record_table": (
            *_ORIGIN,
            *("start_time", "start_zone_offset", "end_time", "end_zone_offset", "count"),
        )
    },
    "SELECT device_info_id, app_info_id, start_time, start_zone_offset, end_time, end_zone_offset,"
    " count FROM steps_record_table",
)
_BEATS = _Records(
    "bpm",
    {
        "heart_rate_record_series_table": ("parent_key", "epoch_millis", "beats_per_minute"),
        "heart_rate_record_table": (*_ORIGIN, "start_zone_offset"),
    },
    "SELECT r.device_info_id, r.app_info_id, s.epoch_millis, r.start_zone_offset, NULL, NULL,"
    " s.beats_per_minute FROM heart_rate_record_series_table AS s"
    " LEFT JOIN heart_rate_record_table AS r ON r.row_id = s.parent_key",
)


def _open(files: Sequence[ExportFile], options: FileOptions) -> Sequence[Source[pa.RecordBatch]]:
    return [
        _source(one.source, records, options)
        for one in files
        if one.head.startswith(MAGIC)
        for records in _records_of(one.source)
    ]


EXPORT = SampleExport("a Health Connect export", frozenset({".db"}), _open)


def _records_of(source: Input) -> Sequence[_Records]:
    """The kinds of records that a database has; none if it is of another program.

    Raises:
        UnknownSource: it is damaged, or of an unknown version of Health Connect.
    """
    try:
        with _database(source) as database:
            columns = {
                table: _columns(database, table)
                for records in (_STEPS, _BEATS)
                for table in records.tables
            }
    except OSError as error:
        raise UnknownSource(f"{source.file}: {error.strerror}") from error
    found = [
        records for records in (_STEPS, _BEATS) if all(columns[table] for table in records.tables)
    ]
    for records in found:
        for table, names in records.tables.items():
            missing = [name for name in names if name not in columns[table]]
            if missing:
                raise UnknownSource(
                    f"{source.file}: the table {table} has no column {missing[0]}, as all known"
                    " versions of Health Connect have"
                )
    return found


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """The stored columns of a table; none if there is no such table.

    `row_id` is only among them if it is the key, which is unique and found without a search.
    """
    if not _is_table(database, table):
        return set()
    rows = database.execute(f"PRAGMA table_info({table})").fetchall()
    return {name for _, name, _, _, _, key in rows if name != "row_id" or key}


def _is_table(database: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table of this name that has rows of its own, not a view."""
    found = database.execute("SELECT type, rootpage FROM sqlite_schema WHERE name = ?", [name])
    return ("table", True) in {(kind, bool(page)) for kind, page in found}


def _source(source: Input, records: _Records, options: FileOptions) -> Source[pa.RecordBatch]:
    table, *_ = records.tables
    file = f"{source.file}/{table}"
    size = source.size

    def read(progress: Progress) -> Iterator[Found[pa.RecordBatch]]:
        with _database(source) as database:
            last = database.execute(f"SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT 1")  # noqa: S608 - a name of ours
            count = next((rowid for (rowid,) in last), 1)
            rows = progress.spread(database.execute(records.select), max(count, 1), size)
            names = _Names(database, options)
            yield from batches(_readings(rows, records, names, file), file, options)

    return Source(file, size, read)


@contextmanager
def _database(source: Input) -> Iterator[sqlite3.Connection]:
    """The database, opened for reading.

    Raises:
        OSError: it cannot be read, also while it is in use.
    """
    try:
        with closing(_connected(source)) as database:
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            yield database
    except sqlite3.Error as error:
        raise OSError(None, f"the database cannot be read: {error}") from error


def _connected(source: Input) -> sqlite3.Connection:
    content = source.seekable()
    if isinstance(content, str):
        return _connection(Path(content))
    with tempfile.NamedTemporaryFile(suffix=".db") as copy:
        shutil.copyfileobj(content, copy, BLOCK_BYTES)
        copy.flush()
        connection = _connection(Path(copy.name))
        connection.execute("PRAGMA schema_version")  # opens the file, which may then be removed
        return connection


def _connection(path: Path) -> sqlite3.Connection:
    # Immutable: without locks, a journal or files beside it.
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


class _Names:
    """The names of devices: the app that wrote a record, and what measured it.

    The app has its package name, because its other name changes with the language of the phone.
    Two apps that count the same steps are two devices, so that these count once.
    """

    def __init__(self, database: sqlite3.Connection, options: FileOptions) -> None:
        self._apps = _texts(database, "application_info_table", "package_name")
        self._devices = _texts(database, "device_info_table", "manufacturer", "model")
        self._none = options.device or NO_DEVICE

    def of(self, device: object, app: object) -> str:
        """The name for the ids of a device and an app."""
        measured, wrote = self._devices.get(device), self._apps.get(app)
        if measured and wrote:
            return f"{wrote} ({measured})"
        return wrote or measured or self._none


def _texts(database: sqlite3.Connection, table: str, *columns: str) -> dict[object, str]:
    """The texts in columns, joined, by the id of the row; none if there is no such table."""
    if not _is_table(database, table):
        return {}
    rows = database.execute(f"SELECT row_id, {', '.join(columns)} FROM {table} LIMIT {MAX_ORIGINS}")  # noqa: S608 - names of ours
    return {
        row_id: " ".join(" ".join(one.split()) for one in texts if isinstance(one, str)).strip()
        for row_id, *texts in rows
    }


def _readings(
    rows: Iterator[tuple[Any, ...]], records: _Records, names: _Names, file: str
) -> Iterator[Found[Reading]]:
    def make(line: int, row: tuple[Any, ...]) -> Iterator[Reading]:
        device, app, start, start_offset, end, end_offset, value = row
        yield Reading(
            line,
            records.metric,
            names.of(device, app),
            None,
            _time(start, start_offset),
            None if end is None else _time(end, end_offset),
            numeric(value),
        )

    return made(enumerate(rows, 1), make, file)


def _time(milliseconds: object, offset: object) -> str:
    if not isinstance(milliseconds, int):
        raise ValueError(f"the time {milliseconds!r} is not a number")  # noqa: TRY004 - of a file
    return iso_of_epoch(milliseconds, MILLISECONDS, offset if isinstance(offset, int) else None)
