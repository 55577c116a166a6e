"""`uptake requests`: list requests."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import PageOptions, ProjectOptions, ReceivedOptions, option
from uptake.cli.terminal import print_list
from uptake.http.parameter_groups import expand_groups

if TYPE_CHECKING:
    from uptake.store.requests import RequestFilter

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
def list_requests(filters: FilterOptions, options: ProjectOptions, paging: PageOptions) -> None:
    """List requests, the newest first."""
    from uptake.formats.registry import status_of
    from uptake.reading import requests

    only = filters.filter()
    with options.open_project() as store:
        page = requests.page(store, [options.project], only, paging, status_of)
    rows = (
        (
            one.request_id,
            one.received_at,
            one.format,
            one.status,
            one.key_id,
            one.user_id,
            one.accepted,
            one.rejected,
            one.ms,
            one.fault,
        )
        for one in page.requests
    )
    headings = ["request", "received", "format", "status", "key", "user"]
    headings += ["accepted", "rejected", "ms", "fault"]
    print_list(page, headings, rows, json=paging.json, cursor=page.next)
