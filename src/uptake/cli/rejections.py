"""`uptake rejections`: what was rejected, and trying it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, Json, print_json, print_more, print_table
from uptake.cli.showing import counting
from uptake.cli.store import (
    DATA_DIR,
    BlobsUrl,
    Database,
    DataDir,
    instant,
    opened_services,
    require_project,
)
from uptake.cli.terminal import say, say_json
from uptake.formats.base import WireRequest, without_bom
from uptake.model import clock, ids
from uptake.model.problems import Problem
from uptake.model.submission import Fault
from uptake.reading import BadCursor, Unknown, rejections
from uptake.replay import Actor, Replayed, replay, replay_page
from uptake.store.base import DEFAULT_PROJECT
from uptake.store.stored import RejectionFilter
from uptake.time_units import TICKS_PER_MICROSECOND
from uptake.wiring import Services

LISTED = 1000
"""Rejections listed, unless it is asked for fewer or more."""

MAX_LISTED = 10_000
AT_ONCE = 20
"""Rejections tried again between two steps of the progress."""

TOLD = 10
"""Of those that were rejected again."""

NO_KEY = ""
"""In the receipts of replays that no key was needed for."""


app = typer.Typer(help="What was refused: find it, see why, try it again.")
Project = Annotated[str, typer.Option("--project", help="Whose data.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Of the rejection.", show_default=False)]
Format = Annotated[
    str | None, typer.Option("--format", help="Only of this endpoint, e.g. gerosense-v2.2.")
]
Code = Annotated[str | None, typer.Option("--code", help="Only with this fault, e.g. above_limit.")]
Key = Annotated[str | None, typer.Option("--key", help="Only sent with the key of this id.")]
User = Annotated[str | None, typer.Option("--user", help="Only about this user.")]
RequestId = Annotated[str | None, typer.Option("--request", help="Only of this request.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Received since, inclusive. ISO 8601; without an offset, UTC."),
]
To = Annotated[str | None, typer.Option("--to", help="Received before.")]


@app.command("list")
def list_rejections(  # noqa: PLR0913, PLR0917 - one parameter an option
    format_: Format = None,
    code: Code = None,
    key: Key = None,
    user: User = None,
    request: RequestId = None,
    from_: From = None,
    to: To = None,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="What a list before has ended with.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MAX_LISTED, help="How many at most.")
    ] = LISTED,
    resolved: Annotated[
        bool | None,
        typer.Option("--resolved/--unresolved", help="Only what was replayed, or was not."),
    ] = None,
    json: Json = False,
) -> None:
    """List what was rejected, in the order of receipt."""
    only = _filter(format_, code, key, user, request, from_, to, resolved=resolved)
    with _opened(data_dir, database, blobs, project) as services:
        page = rejections.page(services.store, project, only=only, cursor=cursor, limit=limit)
    if json:
        print_json(page)
        return
    lines = [
        (
            one.rejection_id,
            one.received_at,
            one.format,
            ", ".join(one.user_ids),
            "yes" if one.resolved_by else "no",
            _reasons(one.faults),
        )
        for one in page.rejections
    ]
    print_table(["id", "received", "format", "user", "resolved", "faults"], lines)
    print_more(page.next)


@app.command()
def show(  # noqa: PLR0913 - one parameter an option
    rejection_id: Id,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    json: Json = False,
) -> None:
    """Show a rejected item as it was sent, with every reason."""
    with _opened(data_dir, database, blobs, project) as services:
        found = rejections.rejection(services.store, services.blobs, project, rejection_id)
    if json:
        print_json(found)
        return
    named = {
        "id": found.rejection_id,
        "request": found.request_id,
        "received": found.received_at,
        "format": found.format,
        "key": found.key_id,
        "user": ", ".join(found.user_ids) or None,
        "index": found.index,
        "resolved by": found.resolved_by,
    }
    width = max(map(len, named))
    for name, value in named.items():
        if value is not None:
            say(f"{name:<{width}}  {value}")
    say("")
    _print_faults(found.faults)
    say("")
    if found.item is not None:
        say_json(msgspec.json.format(bytes(found.item)).decode())
    else:
        size = len(found.raw_base64 or b"")
        say(f"{size:,} bytes that are no JSON; --json has them, in base64.")


@app.command("replay")
def replay_rejections(  # noqa: PLR0913, PLR0917 - one parameter an option
    rejection_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One rejection; else all that are named.")
    ] = None,
    item: Annotated[
        Path | None,
        typer.Option("--item", help="A file with the item mended, in place of what was sent."),
    ] = None,
    format_: Format = None,
    code: Code = None,
    key: Key = None,
    user: User = None,
    request: RequestId = None,
    from_: From = None,
    to: To = None,
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    all_: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    json: Json = False,
) -> int:
    """Try again what was rejected: one, or all of a filter that were not replayed yet.

    Ends with 1 when any is rejected again.
    """
    only = _filter(format_, code, key, user, request, from_, to, resolved=False)
    narrowed = only != RejectionFilter(resolved=False)
    if sum([rejection_id is not None, narrowed, all_]) != 1:
        raise typer.BadParameter("give the ID of one, options that say which, or --all")
    if item is not None and rejection_id is None:
        raise typer.BadParameter("--item takes the place of one: give its ID")
    with _opened(data_dir, database, blobs, project) as services:
        if rejection_id is None:
            return _replay_all(services, project, only, json=json)
        wire = _wire(b"" if item is None else without_bom(item.read_bytes()))
        told = replay(services, Actor(project, NO_KEY), rejection_id, wire)
    if json:
        print_json(told)
    else:
        _print_replayed(told)
    return 1 if told.outcome == "refused" else 0


def _replay_all(services: Services, project: str, only: RejectionFilter, *, json: bool) -> int:
    counts = {"accepted": 0, "refused": 0, "resolved": 0}
    rejected: list[Replayed] = []
    cursor: str | None = None
    with counting("rejections", None) as advance:
        while True:
            page = replay_page(
                services,
                Actor(project, NO_KEY),
                _wire(b""),
                only=only,
                cursor=cursor,
                limit=AT_ONCE,
            )
            for told in page.replays:
                counts[told.outcome] += 1
                if told.outcome == "refused" and len(rejected) < TOLD:
                    rejected.append(told)
            advance(len(page.replays))
            cursor = page.next
            if cursor is None:
                break
    if json:
        print_json({**counts, "refusals": rejected})
    else:
        say(f"{counts['accepted']:,} accepted, {counts['refused']:,} rejected again.")
        if rejected:
            lines = [(told.rejection_id, _reasons(told.faults)) for told in rejected]
            print_table(["id", "faults"], lines)
    return 1 if counts["refused"] else 0


def _print_replayed(told: Replayed) -> None:
    match told.outcome:
        case "accepted":
            say(f"Accepted; the receipt is that of the request {told.request_id}.")
        case "resolved":
            say(f"Nothing to do: the request {told.request_id} has replayed it.")
        case _:
            say("Rejected again.")
    if told.faults:
        _print_faults(told.faults)


def _print_faults(faults: tuple[Fault, ...]) -> None:
    lines = [(fault.code, fault.pointer, fault.message) for fault in faults]
    print_table(["fault", "place", "message"], lines)


def _reasons(faults: tuple[Fault, ...]) -> str:
    return ", ".join(fault.code for fault in faults)


def _wire(body: bytes) -> WireRequest:
    return WireRequest(ids.time_ordered(), clock.now(), "", "", body=body)


def _filter(*texts: str | None, resolved: bool | None) -> RejectionFilter:
    form, code, key, user, request, since, to = texts
    return RejectionFilter(
        form, key, user, request, code, _moment("--from", since), _moment("--to", to), resolved
    )


def _moment(option: str, text: str | None) -> int | None:
    ticks = instant(option, text)
    return None if ticks is None else ticks // TICKS_PER_MICROSECOND


@contextmanager
def _opened(data_dir: Path, database: str, blobs: str, project: str) -> Iterator[Services]:
    """What is worked on; what goes wrong with it becomes a line.

    Raises:
        Failed: it did.
    """
    try:
        with opened_services(data_dir, database, blobs) as services:
            require_project(services.store, project)
            yield services
    except BadCursor as error:
        raise typer.BadParameter(f"--cursor: {error}") from None
    except Unknown as error:
        raise Failed(f"the project {project} has no rejection {str(error)!r}") from None
    except (BlobsUnavailable, Problem) as error:
        raise Failed(str(error)) from error
