"""`uptake segments`: named filters over a project's users."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import Limit, PageOptions, ProjectOptions, option
from uptake.cli.terminal import (
    Failed,
    Json,
    echo,
    print_json,
    print_list,
    print_next_cursor,
    print_result,
    print_table,
    quantity,
    spinner,
)
from uptake.http.parameter_groups import expand_groups
from uptake.settings import Settings

if TYPE_CHECKING:
    from uptake.reading.segments.queries import Members, SegmentPreview, Segments, SegmentView

DEADLINE_SECONDS = 86_400.0
"""Time limit of an evaluation: at a terminal, the user sees the progress and can interrupt it."""

app = typer.Typer(help="Manage segments: the users that match a filter.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Segment name.", show_default=False)]
Filter = Annotated[
    str, typer.Argument(metavar="FILE", help="Filter file (JSON); - for standard input.")
]
Memory = Annotated[
    int,
    option(
        "--segment-memory",
        "Memory for segments in each process, in megabytes.",
        env=True,
        min=1,
        rich_help_panel="Limits",
    ),
]
MEMORY = Settings().segment_memory


@dataclass(frozen=True)
class PreviewOptions(PageOptions):
    """Options of a list of which the first entries are enough."""

    limit: Limit = 10


@app.command()
@expand_groups
def create(name: Name, file: Filter, options: ProjectOptions, *, json: Json = False) -> None:
    """Create a segment."""
    _put(name, file, options, exists=False, json=json)


@app.command("list")
@expand_groups
def list_segments(options: ProjectOptions, paging: PageOptions) -> None:
    """List a project's segments in order of name."""
    with _opened(options) as segments:
        page = segments.segments(options.project, paging)
    rows = ((one.name, one.changed_at, bytes(one.filter).decode()) for one in page.segments)
    print_list(page, ["name", "changed", "filter"], rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def show(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Show a segment's filter."""
    with _opened(options) as segments:
        _print_segment(segments.segment(options.project, name), json=json)


@app.command()
@expand_groups
def update(name: Name, file: Filter, options: ProjectOptions, *, json: Json = False) -> None:
    """Replace a segment's filter."""
    _put(name, file, options, exists=True, json=json)


@app.command(hidden=True)
@expand_groups
def put(name: Name, file: Filter, options: ProjectOptions, *, json: Json = False) -> None:
    """Create a segment, or replace its filter: the old name of `create` and `update`."""
    _put(name, file, options, exists=None, json=json)


@app.command()
@expand_groups
def delete(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Delete a segment. Its users are not changed."""
    with _opened(options) as segments:
        segments.delete(options.project, name)
    print_result({"name": name, "deleted": True}, f"Deleted segment {name}.", json=json)


@app.command()
@expand_groups
def users(
    name: Name, options: ProjectOptions, paging: PageOptions, segment_memory: Memory = MEMORY
) -> None:
    """Count a segment's users now and list them in order of id."""
    with _opened(options, segment_memory) as segments, spinner("evaluating the filter"):
        found = segments.members(options.project, name, paging)
    _print_users(found, json=paging.json)


@app.command()
@expand_groups
def preview(
    file: Filter, options: ProjectOptions, paging: PreviewOptions, segment_memory: Memory = MEMORY
) -> None:
    """Count the users that match a filter and list the first of them."""
    text = _read(file)
    with _opened(options, segment_memory) as segments, spinner("evaluating the filter"):
        found = segments.preview(options.project, text, paging)
    _print_users(found, json=paging.json)
    if found.unknown_attributes and not paging.json:
        echo(f"No user has the attributes: {', '.join(found.unknown_attributes)}")


def _put(name: str, file: str, options: ProjectOptions, *, exists: bool | None, json: bool) -> None:
    """Store a segment that must or must not exist; None: may exist."""
    from uptake.reading import Unknown
    from uptake.reading.segments.queries import NAME, RESERVED

    if not NAME.fullmatch(name) or name in RESERVED:
        raise typer.BadParameter(f"{name!r}: must match {NAME.pattern} and not be {RESERVED[0]!r}")
    text = _read(file)
    with _opened(options) as segments:
        if exists:
            segments.segment(options.project, name)  # raises Unknown
        elif exists is False:
            with suppress(Unknown):
                segments.segment(options.project, name)
                raise Failed(
                    f"segment {name!r} already exists; replace its filter: uptake segments update"
                )
        _print_segment(segments.put(options.project, name, text), json=json)


def _print_segment(segment: "SegmentView", *, json: bool) -> None:
    if json:
        print_json(segment)
        return
    echo(f"{segment.name}, changed {segment.changed_at}")
    print_json(segment.filter, indent=True)


def _print_users(found: "Members | SegmentPreview", *, json: bool) -> None:
    if json:
        print_json(found)
        return
    echo(quantity(found.count, "user"))
    if found.users:
        rows = [(one.user_id, one.first_seen, one.last_seen) for one in found.users]
        print_table(["user", "first seen", "last seen"], rows)
    print_next_cursor(found.next)
    if found.unreadable:
        values = quantity(found.unreadable, "value")
        echo(f"{values} cannot be read as the filter's dates or numbers")


def _read(file: str) -> bytes:
    from uptake.formats.base import without_bom
    from uptake.reading.segments.queries import MAX_FILTER

    if file == "-":
        text = sys.stdin.buffer.read(MAX_FILTER + 1)
    else:
        with Path(file).open("rb") as opened_file:
            text = opened_file.read(MAX_FILTER + 1)
    if len(text) > MAX_FILTER:
        raise Failed(f"{file}: a filter must not exceed {MAX_FILTER} bytes")
    return without_bom(text)


@contextmanager
def _opened(options: ProjectOptions, memory: int = MEMORY) -> "Iterator[Segments]":
    """The segments of the project's store; errors of filters become one line.

    Raises:
        Failed: the filter is invalid, or the query failed.
    """
    import msgspec

    from uptake.model.problems import json_reason
    from uptake.reading.segments.parse import InvalidFilter
    from uptake.reading.segments.queries import MEGABYTE, Segments

    with options.open_project() as store:
        segments = Segments(store, memory * MEGABYTE, DEADLINE_SECONDS)
        try:
            yield segments
        except msgspec.DecodeError as error:
            raise Failed(f"the filter is not valid JSON: {json_reason(error)}") from None
        except InvalidFilter as error:
            raise Failed(f"invalid filter: {error}") from None
        finally:
            segments.pool.close()
