"""`uptake segments`: filters over a project's users, asked and kept under a name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from uptake.cli.printing import Failed, Json, print_json, print_more, print_table
from uptake.cli.showing import waiting
from uptake.cli.store import DATA_DIR, Database, DataDir, opened, require_project
from uptake.cli.terminal import say, say_json
from uptake.formats.base import without_bom
from uptake.reading import BadCursor, Unknown
from uptake.reading.segments.answers import Member, SegmentView, TooLarge
from uptake.reading.segments.parse import NotAFilter
from uptake.reading.segments.pool import MEGABYTE
from uptake.reading.segments.questions import MAX_FILTER, NAME, TAKEN, Segments
from uptake.settings import Settings
from uptake.store.base import DEFAULT_PROJECT

SHOWN = 1000
"""Users or segments of a page, unless it is asked for fewer or more."""

MAX_SHOWN = 10_000
ANSWER_SECONDS = 86_400.0
"""How long an answer may take: whoever asks at a terminal sees that it goes on, and may stop it."""

app = typer.Typer(help="Segments: the users for whom a filter holds.")
Project = Annotated[str, typer.Option("--project", help="Whose users.")]
Name = Annotated[str, typer.Argument(help="Of the segment.", show_default=False)]
Filter = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A filter as JSON; - for standard input."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MAX_SHOWN, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="What a list before has ended with.")]
Memory = Annotated[
    int,
    typer.Option(
        "--segment-memory",
        envvar="UPTAKE_SEGMENT_MEMORY",
        min=1,
        help="Megabytes that users may take.",
    ),
]
MEMORY = Settings().segment_memory


@app.command("list")
def list_segments(  # noqa: PLR0913 - one parameter an option
    limit: Limit = SHOWN,
    cursor: Cursor = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """List a project's segments, in order of name."""
    with _opened(data_dir, database, project) as segments:
        page = segments.segments(project, cursor, limit)
    if json:
        print_json(page)
        return
    lines = [(one.name, one.changed_at, bytes(one.filter).decode()) for one in page.segments]
    print_table(["name", "changed", "filter"], lines)
    print_more(page.next)


@app.command()
def show(
    name: Name,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Show a segment's filter."""
    with _opened(data_dir, database, project) as segments:
        _print_segment(segments.segment(project, name), json=json)


@app.command()
def put(  # noqa: PLR0913 - one parameter an option
    name: Name,
    file: Filter,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    *,
    json: Json = False,
) -> None:
    """Give a filter a name, or another filter to a name."""
    if not NAME.fullmatch(name) or name in TAKEN:
        raise typer.BadParameter(f"{name!r}: must be like {NAME.pattern}, and not {TAKEN[0]!r}")
    text = _read(file)
    with _opened(data_dir, database, project) as segments:
        _print_segment(segments.put(project, name, text), json=json)


@app.command()
def delete(
    name: Name,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
) -> None:
    """Forget a segment. Its users stay as they are."""
    with _opened(data_dir, database, project) as segments:
        segments.delete(project, name)


@app.command()
def users(  # noqa: PLR0913, PLR0917 - one parameter an option
    name: Name,
    limit: Limit = SHOWN,
    cursor: Cursor = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    memory: Memory = MEMORY,
    *,
    json: Json = False,
) -> None:
    """Say how many users a segment has now, and list them in order of id."""
    with _opened(data_dir, database, project, memory) as segments, waiting("working it out"):
        found = segments.members(project, name, cursor, limit)
    if json:
        print_json(found)
    else:
        _print_users(found.count, found.users, found.next)


@app.command()
def preview(  # noqa: PLR0913, PLR0917 - one parameter an option
    file: Filter,
    limit: Limit = 10,
    cursor: Cursor = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    memory: Memory = MEMORY,
    *,
    json: Json = False,
) -> None:
    """Say of how many users a filter is true, and list the first of them."""
    text = _read(file)
    with _opened(data_dir, database, project, memory) as segments, waiting("working it out"):
        found = segments.preview(project, text, cursor, limit)
    if json:
        print_json(found)
        return
    _print_users(found.count, found.users, found.next)
    if found.unknown_attributes:
        say(f"No user has the attributes: {', '.join(found.unknown_attributes)}")


def _print_segment(segment: SegmentView, *, json: bool) -> None:
    if json:
        print_json(segment)
        return
    say(f"{segment.name}, changed {segment.changed_at}")
    say_json(msgspec.json.format(bytes(segment.filter)).decode())


def _print_users(count: int, members: list[Member], following: str | None) -> None:
    say(f"{count:,} users")
    if members:
        lines = [(one.user_id, one.first_seen, one.last_seen) for one in members]
        print_table(["user", "first seen", "last seen"], lines)
    print_more(following)


def _read(file: str) -> bytes:
    if file == "-":
        text = sys.stdin.buffer.read(MAX_FILTER + 1)
    else:
        with Path(file).open("rb") as opened_file:
            text = opened_file.read(MAX_FILTER + 1)
    if len(text) > MAX_FILTER:
        raise Failed(f"{file}: a filter has at most {MAX_FILTER} bytes")
    return without_bom(text)


@contextmanager
def _opened(
    data_dir: Path, database: str, project: str, memory: int = MEMORY
) -> Iterator[Segments]:
    """The segments of a store; what goes wrong with a question becomes a line.

    Raises:
        Failed: it did.
    """
    with opened(data_dir, database) as store:
        require_project(store, project)
        segments = Segments(store, memory * MEGABYTE, ANSWER_SECONDS)
        try:
            yield segments
        except Unknown as error:
            raise Failed(f"the project {project} has no segment {str(error)!r}") from None
        except BadCursor as error:
            raise typer.BadParameter(f"--cursor: {error}") from None
        except msgspec.DecodeError as error:
            raise Failed(f"the filter is not JSON: {error}") from None
        except NotAFilter as error:
            raise Failed(f"not a filter: {error}") from None
        except TooLarge:
            raise Failed("the users do not fit into --segment-memory") from None
        finally:
            segments.pool.close()
