"""The results of a source as plain values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from uptake.uploader.sources import SAMPLES, Skipped, Source, Unreadable, opening

EXAMPLES = Path(__file__).parents[3] / "examples"


def samples_of(found: Iterable[Any]) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The rows of the batches, and the lines and reasons of unreadable rows."""
    rows: list[dict[str, Any]] = []
    unreadable: list[tuple[int, str]] = []
    for item in found:
        if isinstance(item, Unreadable):
            unreadable.append((item.line, item.reason))
        elif not isinstance(item, Skipped):
            assert item.schema.names == SAMPLES.names
            item.validate(full=True)
            rows += item.to_pylist()
    return rows, unreadable


def read_samples(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The rows of a file, and the lines and reasons of unreadable rows."""
    return samples_of(opening.samples(path, **options)())


def types_of(path: Path, **options: Any) -> list[set[pa.DataType]]:
    """The types of each column of samples in the batches of a file."""
    batches = [
        batch
        for batch in opening.samples(path, **options)()
        if not isinstance(batch, Unreadable | Skipped)
    ]
    return [{batch.column(i).type for batch in batches} for i in range(len(SAMPLES.names))]


def steps(line: int, **differing: Any) -> dict[str, Any]:
    """The usual row of samples, with changed members."""
    usual = {
        "user_id": "ada",
        "metric": "steps",
        "device_name": "iPhone",
        "device_version": None,
        "start_date": "2024-03-05T07:08:09+01:00",
        "end_date": None,
        "value": 12.0,
        "unit": "count",
        "line": line,
    }
    return usual | differing


def items(source: Source[Any]) -> list[Any]:
    """The items of a source, without skipped ones, and without the texts of unreadable ones."""
    return [
        msgspec.structs.replace(found, text=b"") if isinstance(found, Unreadable) else found
        for found in source()
        if not isinstance(found, Skipped)
    ]


def skipped(source: Source[Any]) -> list[tuple[int, str]]:
    """The numbers of items or files that a source skips on purpose, and the reasons."""
    return [(found.count, found.reason) for found in source() if isinstance(found, Skipped)]
