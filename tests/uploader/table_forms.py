"""Tables as files, streams and archives, in every file format."""

import gzip
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("csv", "ndjson", "parquet")
WAYS = ("file", "gzip", "zip", "pipe", "gzip in a pipe", "zip in a pipe")

Columns = dict[str, list[Any]]
"""Values by column; None is missing."""


def content(kind: str, columns: Columns) -> bytes:
    """A table as the bytes of a file."""
    if kind == "csv":
        return _csv(columns)
    if kind == "ndjson":
        rows = zip(*columns.values(), strict=True)
        return b"".join(_line(dict(zip(columns, row, strict=True))) for row in rows)
    sink = io.BytesIO()
    pq.write_table(pa.table({name: _array(column) for name, column in columns.items()}), sink)
    return sink.getvalue()


def _array(column: list[Any]) -> pa.Array:
    """Text, unless there is a number."""
    numbers = any(isinstance(one, float) for one in column)
    return pa.array(column, pa.float64() if numbers else pa.string())


def _csv(columns: Columns) -> bytes:
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines).encode()


def _cell(value: Any) -> str:
    """Text in quotes; a missing value is an empty cell."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    return '"' + text.replace('"', '""') + '"'


def _line(row: dict[str, Any]) -> bytes:
    # Python writes NaN and Infinity, which are not JSON.
    return (
        json.dumps({name: value for name, value in row.items() if value is not None}).encode()
        + b"\n"
    )


@contextmanager
def brought(way: str, name: str, data: bytes, folder: Path) -> Iterator[Path]:
    """A path from which these bytes can be read."""
    if way.startswith("gzip"):
        data = gzip.compress(data, 1)
    if way.startswith("zip"):
        data = zipped({name: data})
    if not way.endswith("pipe"):
        path = folder / (f"{name}.zip" if way == "zip" else name)
        path.write_bytes(data)
        yield path
        return
    read, write = os.pipe()
    writer = threading.Thread(target=_write, args=(write, data))
    writer.start()
    try:
        yield Path(f"/dev/fd/{read}")
    finally:
        os.close(read)
        writer.join()


def _write(descriptor: int, data: bytes) -> None:
    # The pipe has no reader only if the test has failed with a better message.
    with suppress(BrokenPipeError), open(descriptor, "wb") as pipe:
        pipe.write(data)


def zipped(files: dict[str, bytes], order: Sequence[str] = ()) -> bytes:
    """A zip archive."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in order or files:
            archive.writestr(name, files[name])
    return sink.getvalue()
