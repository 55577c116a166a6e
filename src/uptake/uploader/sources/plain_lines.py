"""Blocks of NDJSON in which every line is a sample of the plain form, read by Arrow."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from uptake.uploader.sources.sample_columns import METRICS, NAMES, REQUIRED, Defaults

_NEITHER = pa.list_(pa.null())
"""The type of members that plain lines do not have: anything but null or `[]` does not fit it."""

PARSED_BYTES = 1 << 20
"""Parsed by one thread at a time; a line beyond it is no sample."""

APART = ("data", "refused")
"""Members that make a line something else than a sample."""


class PlainLines:
    """Reads blocks of one file, the members of which are named so."""

    def __init__(self, places: Mapping[str, str], defaults: Defaults) -> None:
        self._places = {name: places.get(name, name) for name in NAMES}
        self._needed = [name for name in REQUIRED if defaults.of(name) is None]
        types = dict.fromkeys(APART, _NEITHER)
        types["data_type"] = pa.string()
        for name in reversed(NAMES):
            types[self._places[name]] = pa.float64() if name == "value" else pa.string()
        self._options = pj.ParseOptions(
            explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="ignore"
        )

    def read(self, block: bytes) -> dict[str, pa.Array] | None:
        """The columns, a row for each line; None when any line needs a closer look."""
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        # With a line's end only between objects, and as many objects as lines, each line is one.
        if block[:1] != b"{" or block.count(b"}\n{") != lines - 1:
            return None
        table = self._parsed(block)
        if table is None or table.num_rows != lines:
            return None
        if any(table[member].null_count != lines for member in APART):
            return None
        columns = {name: table[place].combine_chunks() for name, place in self._places.items()}
        if columns["metric"].null_count == lines:
            columns["metric"] = table["data_type"].combine_chunks()
        return columns if self._are_whole(columns) else None

    def _are_whole(self, columns: Mapping[str, pa.Array]) -> bool:
        """Whether every row has all it needs, or a default for it, and in its right form."""
        metric = columns["metric"]
        if metric.null_count not in {0, len(metric)}:
            return False
        return (
            not any(columns[name].null_count for name in self._needed)
            and pc.all(pc.is_in(metric.drop_null(), METRICS)).as_py()
            and pc.all(pc.is_finite(columns["value"])).as_py()
        )

    def _parsed(self, block: bytes) -> pa.Table | None:
        try:
            table = pj.read_json(
                pa.BufferReader(block),
                read_options=pj.ReadOptions(use_threads=True, block_size=PARSED_BYTES),
                parse_options=self._options,
            )
            table.validate(full=True)  # Arrow's parser takes bytes that are not UTF-8
        except (pa.ArrowException, ValueError):
            return None
        return table
