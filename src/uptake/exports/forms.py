"""The file formats of exports, as data: one entry for each."""

from typing import Literal

from msgspec import Struct

from uptake.exports import InvalidExport

FormName = Literal["parquet", "csv", "ndjson", "arrow"]

Compression = Literal["none", "gzip", "zstd"]

COMPRESSED_SUFFIXES: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
COMPRESSED_MEDIA_TYPES: dict[Compression, str] = {
    "gzip": "application/gzip",
    "zstd": "application/zstd",
}


ROW_GROUP_SAMPLES = 1 << 17
"""Samples of a Parquet row group: as many as DuckDB puts into its own."""

TEXT_SAMPLES = 1 << 14
"""Samples that are formatted as text at once: some megabytes."""


class Form(Struct, frozen=True, kw_only=True):
    """A file format.

    Attributes:
        suffix: how the names of uncompressed files end.
        media_type: as registered with IANA, or in common use.
        writer: `module:function`, imported when first used. The function takes a
            `tables.Table` and a `Compression` and yields the bytes of the file.
        compressions: what it can be compressed with; the first is the default.
        compresses_file: whether the whole file is compressed. Parquet and Arrow compress the
            columns within the file instead.
        sample_rows: samples in each batch given to the writer.
    """

    suffix: str
    media_type: str
    writer: str
    compressions: tuple[Compression, ...] = ("none", "gzip", "zstd")
    compresses_file: bool = True
    sample_rows: int = TEXT_SAMPLES

    def suffix_of(self, compression: Compression) -> str:
        """Return how the names of files with this compression end."""
        return self.suffix + (COMPRESSED_SUFFIXES[compression] if self.compresses_file else "")

    def compression_of_file(self, name: str) -> Compression | None:
        """Return the compression that a file's name implies; None where it implies none."""
        for compression, suffix in COMPRESSED_SUFFIXES.items():
            if self.compresses_file and suffix and name.lower().endswith(suffix):
                return compression
        return None

    def media_type_of(self, compression: Compression) -> str:
        """Return the media type of files with this compression."""
        if not self.compresses_file:
            return self.media_type
        return COMPRESSED_MEDIA_TYPES.get(compression, self.media_type)


FORMS: dict[FormName, Form] = {
    "parquet": Form(
        suffix=".parquet",
        media_type="application/vnd.apache.parquet",
        writer="uptake.exports.writers:write_parquet",
        compressions=("zstd", "gzip", "none"),
        compresses_file=False,
        sample_rows=ROW_GROUP_SAMPLES,
    ),
    "csv": Form(
        suffix=".csv",
        media_type="text/csv",
        writer="uptake.exports.writers:write_csv",
    ),
    "ndjson": Form(
        suffix=".ndjson",
        media_type="application/x-ndjson",
        writer="uptake.exports.writers:write_ndjson",
    ),
    "arrow": Form(
        suffix=".arrows",
        media_type="application/vnd.apache.arrow.stream",
        writer="uptake.exports.writers:write_arrow",
        compressions=("none", "zstd"),
        compresses_file=False,
    ),
}


def compression_of(form_name: FormName, requested: Compression | None) -> Compression:
    """Return the requested compression, or the default of the format for None.

    Raises:
        InvalidExport: the format does not support the requested compression.
    """
    supported = FORMS[form_name].compressions
    if requested is None:
        return supported[0]
    if requested not in supported:
        listed = ", ".join(supported)
        raise InvalidExport(f"{form_name} can be compressed with {listed} (got {requested})")
    return requested


def form_of_file(name: str) -> FormName | None:
    """Return the format that a file's name implies, as `steps.csv.gz` implies CSV."""
    for form_name, form in FORMS.items():
        if any(name.lower().endswith(form.suffix_of(one)) for one in form.compressions):
            return form_name
    return None
