"""Readings of devices, as the readers of exports find them one by one, in batches of samples.

An export has the data of one person without a user id. The unit of a reading is that of its metric.
Times that are numbers become ISO 8601 in the offset that the export has for them, or end in `Z`
where it has none.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from uptake.samples.metrics import METRICS, Metric
from uptake.time_units import SECONDS_PER_DAY
from uptake.uploader.sources import (
    LEFT_OUT,
    FileOptions,
    Found,
    Progress,
    Skipped,
    Source,
    Unreadable,
    read_each,
)
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.sample_tables import batch, not_a_number, number, without_zeros
from uptake.uploader.sources.values import with_ends

BATCH_READINGS = 16_384
"""Readings in a batch: some megabytes, and so many that a batch costs nothing."""

MILLISECONDS, NANOSECONDS = 3, 9
"""Decimal places by which units of epoch times are less than a second."""

SECONDS_PER_MINUTE = 60
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - arithmetic is on local clock readings


Row = TypeVar("Row")


def numeric(value: object) -> float:
    """A value of a file, a number or the text of one, as a number.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    given = value
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(not_a_number(given))
    return float(value)


class Reading(NamedTuple):
    """A sample with the names of `SAMPLES`, and its place in the file."""

    line: int
    metric: Metric
    device_name: str
    device_version: str | None
    start_date: str
    end_date: str | None
    value: float


def made(
    rows: Iterable[Found[tuple[int, Row]]],
    make: Callable[[int, Row], Iterable[Found[Reading]]],
    file: str,
) -> Iterator[Found[Reading]]:
    """The readings of rows; one of which `make` raises a `ValueError` is reported as a whole."""
    for one in rows:
        if isinstance(one, LEFT_OUT):
            yield one
            continue
        line, row = one
        try:
            yield from make(line, row)
        except (ValueError, OverflowError) as error:
            yield Unreadable(file, line, str(error), _text_of(row))


def _text_of(row: object) -> bytes:
    """A row as JSON; none if it cannot be."""
    try:
        return msgspec.json.encode(row, enc_hook=repr)
    except (ValueError, OverflowError, RecursionError):
        return b""


def member(row: Any, *names: str) -> Any:
    """A member of a row; of members of members if there are several names.

    Raises:
        ValueError: there is none; the message is the reason.
    """
    for name in names:
        row = row.get(name) if isinstance(row, dict) else None
        if row is None:
            raise ValueError(f"lacks {name}")
    return row


Rows = Callable[[Progress], Iterator[Found[tuple[int, Row]]]]
"""Reads the rows of a file, each with its line."""


def source_of(
    source: Input,
    rows: Rows[Row],
    make: Callable[[int, Row], Iterable[Found[Reading]]],
    options: FileOptions,
) -> Source[pa.RecordBatch]:
    """The source of the readings that `make` makes of each row, as in `made`."""
    file = source.file
    return Source(
        file, source.size, lambda progress: batches(made(rows(progress), make, file), file, options)
    )


def skipped_file(file: str, reason: str) -> Source[pa.RecordBatch]:
    """The source of a file that is left out on purpose."""
    skipped = Skipped(file, 1, reason, is_file=True)
    return Source(file, 0, lambda _: iter((skipped,)))


Cells = dict[str, str | None]
"""A row of a table."""


def table_rows(
    source: Input, wanted: Sequence[str], *, delimiter: str = ",", skip_rows: int = 0
) -> Rows[Cells]:
    """The rows of a CSV file with a header.

    Raises:
        UnknownSource: there is no header that can be read.
        OSError: the file cannot be opened.
    """
    form = FileOptions(delimiter=delimiter, skip_rows=skip_rows)
    table = CsvTable(source, form, wanted, quoted_empty=False)

    def rows_of(part: Part) -> Iterator[Found[tuple[int, Cells]]]:
        yield from zip(part.lines.to_pylist(), part.batch.to_pylist(), strict=True)

    return lambda progress: read_each(table.parts(progress), rows_of)


def batches(
    found: Iterable[Found[Reading]], file: str, options: FileOptions
) -> Iterator[Found[pa.RecordBatch]]:
    """Batches of readings; what is unreadable or skipped comes before the readings around it."""
    readings: list[Reading] = []
    for one in found:
        if isinstance(one, LEFT_OUT):
            yield one
            continue
        readings.append(one)
        if len(readings) == BATCH_READINGS:
            yield from _batch(readings, file, options)
            readings.clear()
    if readings:
        yield from _batch(readings, file, options)


def _batch(
    readings: list[Reading], file: str, options: FileOptions
) -> Iterator[Found[pa.RecordBatch]]:
    lines, metrics, names, versions, starts, ends, values = zip(*readings, strict=True)
    columns = {
        "user_id": pa.repeat(pa.scalar(options.user, pa.string()), len(readings)),
        "metric": pa.array(metrics, pa.string()),
        "device_name": pa.array(names, pa.string()),
        "device_version": pa.array(versions, pa.string()),
        "start_date": pa.array(starts, pa.string()),
        "end_date": pa.array(ends, pa.string()),
        "value": pa.array(values, pa.float64()),
        "unit": pa.array([METRICS[metric].unit for metric in metrics], pa.string()),
    }
    columns["end_date"] = with_ends(columns["start_date"], columns["end_date"], options.duration)
    yield from without_zeros(batch(columns, pa.array(lines, pa.int64())), file)


def day_of(text: str) -> date:
    """A day of a file.

    Raises:
        ValueError: it is none, or has the day or the month first, in an order that is not known.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the date {text!r:.60} is not like 2024-03-05") from None


def iso_of_epoch(time: int, places: int, offset: int | None = None) -> str:
    """A time since 1970 as ISO 8601, with every digit of its fraction.

    Args:
        time: in units of which 10^places are a second.
        places: as above.
        offset: seconds east of UTC; one that ISO 8601 cannot express is UTC.

    Raises:
        ValueError: it is outside the years 1 to 9999.
    """
    seconds, fraction = divmod(time, 10**places)
    if offset is None or offset % SECONDS_PER_MINUTE or abs(offset) >= SECONDS_PER_DAY:
        seconds_east, zone = 0, "Z"
    else:
        seconds_east, zone = offset, offset_of(offset)
    try:
        clock = (_EPOCH + timedelta(seconds=seconds + seconds_east)).isoformat()
    except OverflowError:
        raise ValueError(f"the time {time} is outside the years 1 to 9999") from None
    digits = f".{fraction:0{places}d}".rstrip("0") if fraction else ""
    return f"{clock}{digits}{zone}"


def offset_of(seconds: int) -> str:
    """Seconds east of UTC, in whole minutes, as `+01:00`."""
    hours, minutes = divmod(abs(seconds) // SECONDS_PER_MINUTE, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"
