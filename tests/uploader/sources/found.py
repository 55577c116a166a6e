"""What a source yields, as plain values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from uptake.uploader.sources import SAMPLES, Skipped, Source, Unreadable, opening

EXAMPLES = Path(__file__).parents[3] / "examples"


def samples_of(found: Iterable[Any]) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The rows of the batches, and the lines and reasons of what cannot be read."""
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
    """The same of a file."""
    return samples_of(opening.samples(path, **options)())


def types_of(path: Path, **options: Any) -> list[set[pa.DataType]]:
    """The types that each column of samples has in the batches of a file."""
    batches = [
        batch
        for batch in opening.samples(path, **options)()
        if not isinstance(batch, Unreadable | Skipped)
    ]
    return [{batch.column(i).type for batch in batches} for i in range(len(SAMPLES.names))]


def steps(line: int, **differing: Any) -> dict[str, Any]:
    """A row of samples as it is usually expected here, apart from what differs."""
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
    """What a source gives, apart from what it skips."""
    return [found for found in source() if not isinstance(found, Skipped)]


def skipped(source: Source[Any]) -> list[tuple[int, str]]:
    """How many items or files a source leaves out on purpose, and why."""
    return [(found.count, found.reason) for found in source() if isinstance(found, Skipped)]
