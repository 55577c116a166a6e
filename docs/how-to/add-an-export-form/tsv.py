"""Tab-separated values, as registered for `text/tab-separated-values`."""

import pyarrow as pa

from uptake.exports.forms import Compression
from uptake.exports.samples import with_iso_times
from uptake.exports.tables import Table
from uptake.exports.writers import Parts, write_text

_SPACES = str.maketrans("\t\r\n", "   ")
"""A cell cannot contain these characters."""


def write_tsv(table: Table, compression: Compression) -> Parts:
    """Yield tab-separated values with a header; null is an empty cell."""
    header = "\t".join(name.translate(_SPACES) for name in table.schema.names) + "\n"
    return write_text(table, compression, _lines, header.encode())


def _lines(batch: pa.RecordBatch) -> bytes:
    rows = with_iso_times(batch).to_pylist()
    return "".join("\t".join(map(_cell, row.values())) + "\n" for row in rows).encode()


def _cell(value: object) -> str:
    return "" if value is None else str(value).translate(_SPACES)
