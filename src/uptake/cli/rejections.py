"""`uptake rejections`: list rejected items and replay them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import PageOptions, ReceivedOptions, ServicesOptions, option
from uptake.cli.terminal import Json, counter, echo, print_json, print_list, print_table, quantity
from uptake.http.parameter_groups import expand_groups
from uptake.reading import Page, Unknown

if TYPE_CHECKING:
    from uptake.formats.base import WireRequest
    from uptake.model.submission import Fault
    from uptake.replay import Replayed
    from uptake.store.rejection_ports import RejectionSummaries
    from uptake.store.stored import RejectionFilter
    from uptake.wiring import Services

REPLAY_PAGE = 20
"""Rejections replayed between two updates of the progress bar."""

MAX_SHOWN = 10
"""Rejections shown of those that were rejected again."""

NO_KEY = ""
"""Key id in the receipts of replays from the command line."""

app = typer.Typer(help="List rejected items, show the reasons, and replay them.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Rejection id.", show_default=False)]


@dataclass(frozen=True)
class FilterOptions(ReceivedOptions):
    """Options that select rejections."""

    code: Annotated[
        str | None, option("--code", "Only with this error code, e.g. above_limit.")
    ] = None
    request: Annotated[str | None, option("--request", "Only from this request id.")] = None

    def filter(self, *, resolved: bool | None) -> "RejectionFilter":
        """The filter of these options.

        Raises:
            BadParameter: a time is not ISO 8601, or the endpoint does not exist.
        """
        from uptake.store.stored import RejectionFilter

        self.check()
        return RejectionFilter(
            self.format_,
            self.key,
            self.user,
            self.request,
            self.code,
            *self.times(),
            resolved,
        )


@dataclass(frozen=True)
class ReplayOptions(FilterOptions):
    """Options that select the rejections to replay."""

    all_: Annotated[bool, option("--all", "All unresolved rejections.")] = False
    dry_run: Annotated[bool, option("--dry-run", "Show the outcome, and store nothing.")] = False


@app.command("list")
@expand_groups
def list_rejections(
    filters: FilterOptions,
    options: ServicesOptions,
    paging: PageOptions,
    *,
    resolved: Annotated[
        bool | None,
        option("--resolved/--unresolved", "Only items that were replayed, or were not."),
    ] = None,
) -> None:
    """List rejected items in order of receipt."""
    from uptake.reading import rejections

    only = filters.filter(resolved=resolved)
    with options.open_services() as services:
        page = rejections.page(services.store, options.project, only, paging)
        if only.code is not None and not page.rejections:
            _require_code(services.store, options.project, only.code)
    rows = (
        (
            one.rejection_id,
            one.received_at,
            one.format,
            ", ".join(one.user_ids),
            "yes" if one.resolved_by else "no",
            _codes(one.faults),
        )
        for one in page.rejections
    )
    headings = ["id", "received", "format", "user", "resolved", "faults"]
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


def _require_code(store: "RejectionSummaries", project: str, code: str) -> None:
    """Check that some rejection has a code. All codes cannot be listed: schemas have their own.

    Raises:
        Unknown: no rejection of the project has it, but some have others.
    """
    from uptake.reading.rejection_groups import MAX_EXAMINED
    from uptake.store.stored import RejectionFilter

    found = store.rejection_summaries(project, RejectionFilter(), MAX_EXAMINED)
    codes = {fault.code for one in found for fault in one.faults}
    if codes and code not in codes:
        raise Unknown("rejection with the code", code, sorted(codes))


@app.command()
@expand_groups
def show(rejection_id: Id, options: ServicesOptions, *, json: Json = False) -> None:
    """Show a rejected item as it was sent, with all reasons."""
    from uptake.reading import rejections

    with options.open_services() as services:
        found = rejections.rejection(services.store, services.blobs, options.project, rejection_id)
    if json:
        print_json(found)
        return
    fields = {
        "id": found.rejection_id,
        "request": found.request_id,
        "received": found.received_at,
        "format": found.format,
        "key": found.key_id,
        "user": ", ".join(found.user_ids) or None,
        "index": found.index,
        "resolved by": found.resolved_by,
    }
    width = max(map(len, fields))
    for name, value in fields.items():
        if value is not None:
            echo(f"{name:<{width}}  {value}")
    echo("")
    _print_faults(found.faults)
    echo("")
    if found.item is not None:
        print_json(found.item, indent=True)
    else:
        size = len(found.raw_base64 or b"")
        echo(f"{quantity(size, 'byte')} that are not JSON. Use --json to print them in base64.")


@app.command("replay")
@expand_groups
def replay_rejections(
    selection: ReplayOptions,
    options: ServicesOptions,
    rejection_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One rejection. Default: use options.")
    ] = None,
    item: Annotated[
        Path | None, option("--item", "File with the corrected item, used instead of the original.")
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Replay one rejection, or all unresolved rejections that match the options.

    Exits with 1 if any item is rejected again.
    """
    from uptake.formats.base import without_bom
    from uptake.replay import Actor, replay
    from uptake.store.stored import RejectionFilter

    only = selection.filter(resolved=False)
    narrowed = only != RejectionFilter(resolved=False)
    if sum([rejection_id is not None, narrowed, selection.all_]) != 1:
        raise typer.BadParameter("give exactly one of: an ID, options that select, --all")
    if item is not None and rejection_id is None:
        raise typer.BadParameter("--item needs the ID of the rejection that it replaces")
    with options.open_services() as services:
        if rejection_id is None:
            return _replay_all(
                services, options.project, only, dry_run=selection.dry_run, json=json
            )
        wire = _wire(b"" if item is None else without_bom(item.read_bytes()))
        actor = Actor(options.project, NO_KEY)
        result = replay(services, actor, rejection_id, wire, dry_run=selection.dry_run)
    if json:
        print_json(result)
    else:
        _print_result(result, dry_run=selection.dry_run)
    return 1 if result.outcome == "refused" else 0


def _replay_all(
    services: "Services", project: str, only: "RejectionFilter", *, dry_run: bool, json: bool
) -> int:
    from uptake.replay import Actor, replay_page

    counts = {"accepted": 0, "refused": 0, "resolved": 0}
    rejected: list[Replayed] = []
    actor, page = Actor(project, NO_KEY), Page(limit=REPLAY_PAGE)
    with counter("rejections", None) as advance:
        while True:
            replayed = replay_page(services, actor, _wire(b""), only, page, dry_run=dry_run)
            for result in replayed.replays:
                counts[result.outcome] += 1
                if result.outcome == "refused" and len(rejected) < MAX_SHOWN:
                    rejected.append(result)
            advance(len(replayed.replays))
            if replayed.next is None:
                break
            page = Page(replayed.next, REPLAY_PAGE)
    if json:
        print_json({**counts, "refusals": rejected})
    else:
        accepted, again = counts["accepted"], counts["refused"]
        echo(f"{_mode(dry_run)}{accepted:,} accepted, {again:,} rejected again.")
        if rejected:
            rows = [(result.rejection_id, _codes(result.faults)) for result in rejected]
            print_table(["id", "faults"], rows)
    return 1 if counts["refused"] else 0


def _mode(dry_run: bool) -> str:  # noqa: FBT001 - its only argument
    return "Dry run, nothing is stored: " if dry_run else ""


def _print_result(result: "Replayed", *, dry_run: bool) -> None:
    match result.outcome:
        case "accepted" if dry_run:
            echo(f"{_mode(dry_run)}it would be accepted.")
        case "accepted":
            echo(f"Accepted. The receipt has the request id {result.request_id}.")
        case "resolved":
            echo(f"Already replayed by request {result.request_id}.")
        case _:
            echo("Rejected again.")
    if result.faults:
        _print_faults(result.faults)


def _print_faults(faults: "tuple[Fault, ...]") -> None:
    rows = [(fault.code, fault.pointer, fault.message) for fault in faults]
    print_table(["fault", "place", "message"], rows)


def _codes(faults: "tuple[Fault, ...]") -> str:
    return ", ".join(fault.code for fault in faults)


def _wire(body: bytes) -> "WireRequest":
    from uptake.formats.base import WireRequest
    from uptake.model import clock, ids

    return WireRequest(ids.time_ordered(), clock.now(), "", "", body=body)
