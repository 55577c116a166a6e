"""Items of files with a row or a JSON object for each: CSV, Parquet and NDJSON.

In CSV every value is text. In NDJSON and Parquet numbers, booleans and text keep their types, and
other types of Parquet become text, see `parquet_tables`. Missing values are not in a row: null,
NaN in a floating-point column of Parquet, and in CSV an empty cell without quotes.

NDJSON has an object on each line. The last of repeated members counts. A byte order mark before the
first line is ignored, and so are lines without an item: blank lines, and those with only the
reasons of a rejection. Any other line that is not strict JSON is reported, `NaN`, `Infinity` and
numbers beyond a double included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import structs

from uptake.uploader.sources import (
    FileOptions,
    Found,
    Item,
    Originals,
    ProfileRow,
    Progress,
    Source,
    UnknownSource,
    Unreadable,
    read_each,
)
from uptake.uploader.sources.csv_tables import CsvTable, Part
from uptake.uploader.sources.inputs import Input
from uptake.uploader.sources.originals import MISREAD, REJECTED, JsonLines, reason_of
from uptake.uploader.sources.parquet_tables import ParquetTable, as_ids, as_values
from uptake.uploader.sources.streams import BOM, line_blocks
from uptake.uploader.sources.values import user_of
from uptake.uploader.wires import ENCLOSING

USER_ID = "user_id"

PEEKED_BYTES = 64 * 1024
"""What is looked at to see whether the members that a mapping names occur at all."""

Value = str | int | float | bool
Row = dict[str, Value]
Rows = Iterator[Found[tuple[int, Row]]]
"""Rows, each with the line on which it begins."""

Members = dict[str, msgspec.Raw]
_MEMBERS = msgspec.json.Decoder(Members)
_VALUES: msgspec.json.Decoder[Value | None] = msgspec.json.Decoder(Value | None)


def rows_of(  # noqa: PLR0913, PLR0917 - a table and what is made of its rows
    source: Input,
    kind: str,
    options: FileOptions,
    make: Callable[[int, str, Row], Item | Unreadable],
    needed: Sequence[str] = (),
    text_of: Callable[[Row], bytes] = msgspec.json.encode,
) -> Source[Item]:
    """A source of the items that `make` makes of each row: of its line, its user and its values.

    Args:
        source: the file.
        kind: `csv`, `ndjson` or `parquet`.
        options: the mapping of columns, and the form of CSV.
        make: makes an item.
        needed: names of columns that are required besides the user's.
        text_of: makes NDJSON of a row from which no item can be made.

    Raises:
        UnknownSource: a column is missing, or of another type than plain values.
        OSError: the file cannot be opened.
    """
    rows, originals = _reader(source, kind, options, needed)
    names = {column: name for name, column in options.columns.items()}

    def item(line: int, row: Row) -> Item | Unreadable:
        if names:
            row = {names.get(name, name): value for name, value in row.items()}
        user = user_of(row.get(USER_ID), options.user, source.file, line)
        others = {name: value for name, value in row.items() if name != USER_ID}
        found = user if isinstance(user, Unreadable) else make(line, user, others)
        if isinstance(found, Unreadable):
            return structs.replace(found, text=text_of(row))
        return found

    def read(progress: Progress) -> Iterator[Found[Item]]:
        for found in rows(progress):
            yield item(*found) if isinstance(found, tuple) else found

    return Source(source.file, source.size, read, originals)


def _reader(
    source: Input, kind: str, options: FileOptions, needed: Sequence[str]
) -> tuple[Callable[[Progress], Rows], Originals | None]:
    columns = options.columns
    user_column = columns.get(USER_ID, USER_ID)
    wanted = [columns.get(name, name) for name in needed] + list(columns.values())
    if options.user is None:
        wanted.insert(0, user_column)
    if kind == "ndjson":
        require_members(source, columns.values())
        return partial(_lines, source), JsonLines(source)
    if kind == "csv":
        csv = CsvTable(source, options, [*wanted, USER_ID], quoted_empty=True)
        _require(source.file, wanted, csv.columns)
        return partial(_rows_of_parts, csv.parts), csv.originals
    table = ParquetTable(source)
    _require(source.file, wanted, table.columns)
    table.require_types(user_column, [one for one in table.columns if one != user_column])
    conversions = {one: (one, as_ids if one == user_column else as_values) for one in table.columns}
    return partial(_rows_of_parts, partial(table.parts, conversions)), None


def _require(file: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    for name in wanted:
        if name not in found:
            default = ", or name a default user with --user" if name == USER_ID else ""
            raise UnknownSource(
                f"{file}: no column {name!r}; found: {', '.join(found)};"
                f" map one of them: --map {name}=COLUMN{default}"
            )


def _rows_of_parts(
    parts: Callable[[Progress], Iterable[Found[Part]]], progress: Progress
) -> Iterator[Found[tuple[int, Row]]]:
    reached = Progress()

    def read(part: Part) -> Iterator[tuple[int, Row]]:
        return progress.spread(_filled(part), part.batch.num_rows, reached.position)

    return read_each(parts(reached), read)


def _filled(part: Part) -> Iterator[tuple[int, Row]]:
    rows: list[dict[str, Any]] = part.batch.to_pylist()
    for line, row in zip(part.lines.to_pylist(), rows, strict=True):
        yield line, {name: value for name, value in row.items() if value is not None}


def profile_rows(source: Input, kind: str, options: FileOptions) -> Source[ProfileRow]:
    """A source of profiles: a row for each user, with an attribute in every column but `user_id`.

    Raises:
        UnknownSource: a column is missing, or of another type than plain values.
        OSError: the file cannot be opened.
    """
    file = source.file
    return rows_of(source, kind, options, lambda line, user, row: ProfileRow(user, row, file, line))


def require_members(source: Input, names: Iterable[str]) -> None:
    """Check that these members occur at the beginning of a file.

    Raises:
        UnknownSource: one does not; not when there are upload bodies, the members of which are
            further inside, nor in a file of rejected rows, which may be few.
    """
    begin = source.peek(PEEKED_BYTES).removeprefix(BOM)
    found: dict[str, None] = {}
    for line in begin.split(b"\n"):
        try:
            found.update(dict.fromkeys(_MEMBERS.decode(line)))
        except MISREAD:
            continue
    for name in names:
        if name not in found and {*ENCLOSING, REJECTED}.isdisjoint(found):
            members = ", ".join(found) or "nothing"
            raise UnknownSource(f"{source.file}: no line has a member {name!r}; found: {members}")


def only_rejected(text: bytes) -> bool:
    """Whether a line has only the reasons of a rejection."""
    try:
        return set(_MEMBERS.decode(text)) == {REJECTED}
    except MISREAD:
        return False


def objects(source: Input, progress: Progress) -> Iterator[Found[tuple[int, Members]]]:
    """The members of each line, and its number; lines without an item are left out."""
    reached = Progress()

    def read(block: tuple[int, bytes]) -> Iterator[Found[tuple[int, Members]]]:
        count = block[1].count(b"\n") + 1
        return progress.spread(_objects(*block, source.file), count, reached.position)

    with source.open(reached) as stream:
        yield from read_each(line_blocks(stream, source.file), read)


def _objects(first: int, block: bytes, file: str) -> Iterator[Found[tuple[int, Members]]]:
    for line, text in enumerate(block.split(b"\n"), first):
        if not text or text.isspace():
            continue
        try:
            members = _MEMBERS.decode(text)
        except MISREAD as error:
            yield Unreadable(file, line, reason_of(error), text)
            continue
        rejected = members.pop(REJECTED, None)
        if members or rejected is None:
            yield line, members


def _lines(source: Input, progress: Progress) -> Rows:
    for found in objects(source, progress):
        yield _decoded(source.file, *found) if isinstance(found, tuple) else found


def _decoded(
    file: str, line: int, members: Mapping[str, msgspec.Raw]
) -> tuple[int, Row] | Unreadable:
    row: Row = {}
    for name, raw in members.items():
        try:
            value = _VALUES.decode(raw)
        except MISREAD:
            reason = f"the member {name[:60]!r} is neither text nor a number, true or false"
            return Unreadable(file, line, reason, msgspec.json.encode(members))
        if value is not None:
            row[name] = value
    return line, row
