"""What kind of file one is: its name says it, unless how it begins says otherwise."""

from collections.abc import Sequence
from pathlib import Path

from uptake.uploader.sources import UnknownSource
from uptake.uploader.sources.streams import BOM, peeked, plain_suffix

PEEKED_BYTES = 4096

SUFFIXES = {
    ".xml": "xml",
    ".zip": "zip",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_BEGINNINGS = {b"PK\x03\x04": "zip", b"PAR1": "parquet", b"<": "xml", b"{": "ndjson"}
_PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
_NAMES = {
    "xml": "an Apple Health export.xml",
    "zip": "an Apple Health export.zip",
    "ndjson": "NDJSON",
    "csv": "CSV",
    "parquet": "Parquet",
}


def kind_of(path: Path, what: str, kinds: Sequence[str]) -> str:
    """Which of these kinds a file is.

    Args:
        path: the file.
        what: the items that are looked for, for the message.
        kinds: keys of `SUFFIXES`' values.

    Raises:
        UnknownSource: it is none of them.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise UnknownSource(f"{path}: is a folder; {what} are read from {_listed(kinds)}")
    begin = peeked(path, PEEKED_BYTES).removeprefix(BOM).lstrip()
    for magic, suffix in _PACKED.items():
        if begin.startswith(magic):
            raise UnknownSource(f"{path}: is compressed, but its name does not end in {suffix}")
    if begin.startswith(b"["):
        raise UnknownSource(f"{path}: begins as a JSON array; NDJSON has one object on each line")
    kind = SUFFIXES.get(plain_suffix(path))
    for magic, found in _BEGINNINGS.items():
        if begin.startswith(magic) and (kind != "csv" or found in {"zip", "parquet"}):
            kind = found
    if kind is None or kind not in kinds:
        raise UnknownSource(
            f"{path}: of no kind that can be read; {what} are read from {_listed(kinds)}"
        )
    return kind


def _listed(kinds: Sequence[str]) -> str:
    *most, last = (_NAMES[kind] for kind in kinds)
    return f"{', '.join(most)} or {last}" if most else last
