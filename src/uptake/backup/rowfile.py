"""A file of rows: a zstd stream of MessagePack arrays, each after its length in four bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import zstandard

from uptake.backup.manifest import Damaged, RowFile
from uptake.files import CannotOpen, HashedFile, open_below

LENGTH_BYTES = 4
MAX_ROW = 64 * 1024 * 1024
"""Bytes of a row; the largest that are written, with documents, have little over 4 MiB."""

LEVEL = 3
"""zstd's own default: a fifth of the size of documents, faster than a disk."""


def write_rows(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    written: Callable[[int], None],
) -> RowFile:
    """Write a new file of rows durably, calling `written` after each row."""
    encode = msgspec.msgpack.Encoder().encode
    count = 0
    with HashedFile(path) as file:
        compressor = zstandard.ZstdCompressor(level=LEVEL)
        with compressor.stream_writer(cast("IO[bytes]", file), closefd=False) as stream:
            for row in rows:
                encoded = encode(tuple(row))
                stream.write(len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded)
                count += 1
                written(1)
    return RowFile(tuple(columns), count, file.size, file.sha256)


def read_rows(folder: Path, path: Path, expected: RowFile) -> Iterator[list[Any]]:
    """Read the rows of a file of a backup, with few of them in memory at a time.

    Args:
        folder: of the backup.
        path: the file.
        expected: its entry in the manifest.

    Raises:
        Damaged: the rows are not as expected.
    """
    count = 0
    try:
        with open_below(folder, path) as file:
            stream = BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
            while head := stream.read(LENGTH_BYTES):
                length = int.from_bytes(head, "big")
                if length > MAX_ROW:
                    raise Damaged(f"{path.name}: a row has {length} bytes")
                content = stream.read(length)
                if len(head) < LENGTH_BYTES or len(content) < length:
                    raise Damaged(f"{path.name} breaks off in row {count + 1}")
                row = msgspec.msgpack.decode(content)
                if not isinstance(row, list) or len(row) != len(expected.columns):
                    raise Damaged(f"{path.name}: row {count + 1} has other values")
                count += 1
                if count > expected.rows:
                    break
                yield row
    except CannotOpen as error:
        raise Damaged(f"{path.name} {error}") from None
    except (zstandard.ZstdError, msgspec.DecodeError, RecursionError, ValueError, OSError) as error:
        raise Damaged(f"{path.name}: {error}") from error
    if count != expected.rows:
        has = f"more than {expected.rows}" if count > expected.rows else f"{count}"
        raise Damaged(f"{path.name} has {has} rows, not {expected.rows}")
