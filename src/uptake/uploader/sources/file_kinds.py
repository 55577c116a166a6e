"""What kind of file one is: its name shows it, unless how it begins shows something else."""

from collections.abc import Sequence
from pathlib import PurePath

from uptake.uploader.sources import UnknownSource
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.streams import BOM, codec_of

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
COMPRESSED_SUFFIXES = frozenset({".gz", ".gzip", ".zst", ".zstd"})
"""Left out to see the suffix of the content; whether it is compressed, the content shows."""

_BEGINNINGS = {b"PK\x03\x04": "zip", b"PAR1": "parquet", b"<": "xml", b"{": "ndjson"}
_NAMES = {
    "xml": "an Apple Health export.xml",
    "ndjson": "NDJSON",
    "csv": "CSV",
    "parquet": "Parquet",
}


def kind_of(source: Input, what: str, kinds: Sequence[str]) -> str:
    """Which of these kinds a file is.

    What has no name that shows it, as a stream, and begins like none of the others is CSV if it is
    text.

    Args:
        source: the file.
        what: the items that are looked for, for the message.
        kinds: keys of `SUFFIXES`' values.

    Raises:
        UnknownSource: it is none of them.
        OSError: it cannot be read.
    """
    begin = source.peek(PEEKED_BYTES).removeprefix(BOM).lstrip()
    if codec_of(begin) is not None:
        raise UnknownSource(f"{source.file}: is compressed twice; unpack it once")
    if begin.startswith(b"["):
        raise UnknownSource(
            f"{source.file}: begins as a JSON array; NDJSON has one object on each line"
        )
    suffix = plain_suffix(source.name)
    kind = SUFFIXES.get(suffix)
    for magic, found in _BEGINNINGS.items():
        if begin.startswith(magic) and (kind != "csv" or found in {"zip", "parquet"}):
            kind = found
    if kind is None and not suffix and "csv" in kinds and begin and b"\0" not in begin:
        kind = "csv"
    if kind is None or kind not in kinds:
        raise UnknownSource(f"{source.file}: of no kind that can be read; {readable(what, kinds)}")
    return kind


def plain_suffix(name: str) -> str:
    """The suffix that shows what is inside, in lower case: `.csv` for `steps.csv.gz`."""
    return _unpacked_name(name).suffix.lower()


def plain_stem(name: str) -> str:
    """A file's name without that suffix: `ada@example.org` for `ada@example.org.json.gz`."""
    return _unpacked_name(name).stem


def _unpacked_name(name: str) -> PurePath:
    path = PurePath(name)
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path


def readable(what: str, kinds: Sequence[str]) -> str:
    """What items are read from, for messages."""
    *most, last = (_NAMES[kind] for kind in kinds if kind in _NAMES)
    listed = f"{', '.join(most)} or {last}" if most else last
    return f"{what} are read from {listed}{', or a zip archive' if 'zip' in kinds else ''}"
