"""Digests and JSON of the samples of a source, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from uptake.samples import times
from uptake.samples.digests import ENDLESS, Words, follow, identify, words_of
from uptake.samples.times import Int64s
from uptake.uploader.sources import SAMPLES

NAMES = ("user_id", "metric", "device_name", "device_version", "unit")
"""Columns in which few texts are repeated many times."""

TOGETHER = 4096
"""Times parsed at a time: few, so that they fit in the cache; an invalid one slows few others."""

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of names: a list of names, and for each row a place in it."""

    names: list[str | None]
    places: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Samples of a source with their digests.

    Attributes:
        names: the columns of `NAMES`.
        start, end: the texts of the file, as Arrow arrays.
        value: what was measured.
        line: places in the file.
        identity: two words a sample, of everything but user, metric, version and value.
        content: one word a sample, of identity, version and value.
        ticks: starts and ends (`ENDLESS` for none); without meaning where `odd`.
        odd: which samples have a time that is not ISO 8601.
    """

    names: dict[str, Column]
    start: Any
    end: Any
    value: NDArray[np.float64]
    line: Int64s
    identity: Words
    content: NDArray[np.uint64]
    ticks: tuple[Int64s, Int64s]
    odd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.value)


def read(batch: Any) -> Rows:
    """Compute the digests of a record batch with the columns of `SAMPLES`."""
    columns = {field.name: batch.column(field.name) for field in SAMPLES}
    names = {name: _column(columns[name]) for name in NAMES}
    texts = [_plain(columns[name]) for name in ("start_date", "end_date")]
    (start, odd_start), (end, odd_end) = map(_ticks, texts)
    value = columns["value"].to_numpy(zero_copy_only=False)
    device, version, unit = (names[name] for name in NAMES[2:])
    identity = identify(
        words_of(device.names)[:, device.places],
        start,
        end,
        words_of(unit.names)[:1, unit.places],
    )
    versions = words_of(version.names)[0, version.places]
    return Rows(
        names=names,
        start=texts[0],
        end=texts[1],
        value=value,
        line=columns["line"].to_numpy(zero_copy_only=False),
        identity=identity,
        content=follow(identity[0], value.view(np.uint64), versions),
        ticks=(start, end),
        odd=odd_start | odd_end,
    )


def _plain(column: Any) -> Any:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _column(column: Any) -> Column:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names: list[str | None] = column.dictionary.to_pylist()
    places = column.indices
    if places.null_count:
        places = places.fill_null(len(names))
        names.append(None)
    return Column(names, places.to_numpy(zero_copy_only=False).astype(np.int64))


def _ticks(texts: Any) -> tuple[Int64s, NDArray[np.bool_]]:
    """Instants, `ENDLESS` for null; and which texts are not times.

    A text that is not a time gets a word of its digest, so that it differs from others.
    """
    ticks = np.full(len(texts), ENDLESS, np.int64)
    odd = np.zeros(len(texts), np.bool_)
    there: Any = slice(None)
    if texts.null_count:
        there = texts.is_valid().to_numpy(zero_copy_only=False)
        texts = texts.drop_null()
    read = [_some_ticks(texts.slice(at, TOGETHER)) for at in range(0, len(texts), TOGETHER)]
    if read:
        ticks[there], odd[there] = map(np.concatenate, zip(*read, strict=True))
    return ticks, odd


def _some_ticks(texts: Any) -> tuple[Int64s, NDArray[np.bool_]]:
    none_odd = np.zeros(len(texts), np.bool_)
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)
    width = int(places[1] - places[0])
    if width and (np.diff(places) == width).all():
        chars = np.frombuffer(data, np.uint8, width * len(texts), places[0])
        read = times.read_fixed(chars.reshape(-1, width))
        if read is not None:
            return read[0], none_odd
    values = texts.to_pylist()
    try:
        return times.read_all(values)[0], none_odd
    except ValueError:
        return _one_by_one(values)


def _one_by_one(texts: Sequence[str]) -> tuple[Int64s, NDArray[np.bool_]]:
    ticks = np.zeros(len(texts), np.int64)
    odd = np.zeros(len(texts), np.bool_)
    for i, text in enumerate(texts):
        try:
            ticks[i] = times.read(text)[0]
        except ValueError:
            ticks[i] = words_of([text])[0].view(np.int64)[0]
            odd[i] = True
    return ticks, odd


def render(rows: Rows, which: Int64s, members: dict[str, str]) -> tuple[bytes, Int64s]:
    """Some samples as JSON objects, each followed by a comma.

    Args:
        rows: the samples.
        which: the places of those that are rendered, in order.
        members: the wire's name of each column.

    Returns:
        The text, and the offsets where each object begins and the last one ends.
    """
    if not len(which):
        return b"", np.zeros(1, np.int64)
    heads = _heads(rows, which, members)
    start, end = (_safe(rows, texts, which) for texts in (rows.start, rows.end))
    between = f'","{members["end_date"]}":"'
    if end.null_count:
        joined = pc.binary_join_element_wise(between, end.fill_null(""), "")
        ends = pc.if_else(end.is_null(), "", joined)
    else:
        ends = pc.binary_join_element_wise(between, end, "")
    value = pa.array(rows.value[which]).cast(pa.string())
    joined = pc.binary_join_element_wise(
        heads, start, ends, f'","{members["value"]}":', value, "},", ""
    ).cast(pa.large_binary())
    _, places, text = joined.buffers()
    offsets = np.frombuffer(places, np.int64, len(which) + 1, joined.offset * 8)
    return memoryview(text)[offsets[0] : offsets[-1]].tobytes(), offsets - offsets[0]


def _heads(rows: Rows, which: Int64s, members: dict[str, str]) -> Any:
    """The beginning of each object, up to the text of its start."""
    columns = [(name, rows.names[name]) for name in NAMES[2:]]
    mixed = np.zeros(len(which), np.int64)
    for _, column in columns:
        mixed = mixed * len(column.names) + column.places[which]
    kinds, first, kind = np.unique(mixed, return_index=True, return_inverse=True)
    texts = []
    for i in first[: len(kinds)]:
        row = {members[name]: column.names[column.places[which[i]]] for name, column in columns}
        head = _json.encode({name: text for name, text in row.items() if text is not None})
        texts.append(head[:-1].decode() + f',"{members["start_date"]}":"')
    return pc.take(pa.array(texts, pa.string()), pa.array(kind.astype(np.int32)))


def _safe(rows: Rows, texts: Any, which: Int64s) -> Any:
    """Texts of times, escaped for JSON: times need no escapes, but invalid ones may."""
    chosen = pc.take(texts, pa.array(which))
    odd = np.flatnonzero(rows.odd[which])
    if not len(odd):
        return chosen
    values = chosen.to_pylist()
    for i in odd.tolist():
        if values[i] is not None:
            values[i] = _json.encode(values[i])[1:-1].decode()
    return pa.array(values, pa.string())
