"""`uptake requests`: list requests, and follow new ones."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from uptake.cli.options import PageOptions, ProjectOptions, ReceivedOptions, option
from uptake.cli.terminal import echo, note, print_json, print_list
from uptake.http.parameter_groups import expand_groups

if TYPE_CHECKING:
    from uptake.reading.requests import RequestView
    from uptake.store.base import Store
    from uptake.store.requests import RequestFilter

POLL_SECONDS = 1.0
"""How often the database is asked for new requests."""

HEADINGS = ["request", "received", "format", "status", "key", "user"]
HEADINGS += ["accepted", "rejected", "ms", "fault"]

WIDTHS = (36, 27, 14, 6, 36, 16, 8, 8, 5, 0)
"""Of the columns of new requests, which are printed before later ones are known."""

app = typer.Typer(help="List requests and what became of each.")


@dataclass(frozen=True)
class FilterOptions(ReceivedOptions):
    """Options that select requests."""

    status: Annotated[
        int | None,
        option("--status", "Only answered with this HTTP status.", min=100, max=599),
    ] = None

    def filter(self) -> "RequestFilter":
        """The filter of these options.

        Raises:
            BadParameter: a time is not ISO 8601, or the endpoint does not exist.
        """
        from uptake.formats.registry import UPLOADS, status_of
        from uptake.reading.requests import status_filter
        from uptake.store.requests import RequestFilter

        self.check()
        status = None if self.status is None else status_filter(self.status, UPLOADS, status_of)
        return RequestFilter(self.format_, self.key, self.user, status, *self.times())


@app.command("list")
@expand_groups
def list_requests(
    filters: FilterOptions,
    options: ProjectOptions,
    paging: PageOptions,
    *,
    follow: Annotated[
        bool, option("--follow", "Print new requests as they come, until Ctrl-C.")
    ] = False,
) -> None:
    """List requests, the newest first."""
    from uptake.formats.registry import status_of
    from uptake.reading import requests

    only = filters.filter()
    if follow and paging.cursor is not None:
        raise typer.BadParameter("--follow and --cursor are mutually exclusive")
    with options.open_project() as store:
        if follow:
            _follow(store, options.project, only, paging)
        page = requests.page(store, [options.project], only, paging, status_of)
    rows = map(_row, page.requests)
    print_list(page, HEADINGS, rows, json=paging.json, cursor=page.next)


def _row(one: "RequestView") -> tuple[Any, ...]:
    what = one.request_id, one.received_at, one.format, one.status, one.key_id, one.user_id
    return *what, one.accepted, one.rejected, one.ms, one.fault


def _follow(store: "Store", project: str, only: "RequestFilter", paging: PageOptions) -> "NoReturn":
    """Print new requests, at most `limit` of them each time."""
    from uptake.formats.registry import status_of
    from uptake.reading import requests

    position = store.request_commits()
    if not paging.json:
        _print_line(HEADINGS)
    while True:
        new = store.new_requests([project], only, position, None, paging.limit)
        position = new.position
        if new.truncated:
            note(f"only the newest {paging.limit} requests are shown")
        for one in (requests.view(each, status_of) for each in new.requests):
            if paging.json:
                print_json(one)
            else:
                _print_line(["" if cell is None else str(cell) for cell in _row(one)])
        sys.stdout.flush()
        sleep(POLL_SECONDS)


def _print_line(cells: Sequence[str]) -> None:
    echo("  ".join(map(str.ljust, cells, WIDTHS)).rstrip())
