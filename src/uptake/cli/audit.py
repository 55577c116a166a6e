"""`uptake audit`: who changed or exported what, and whether the log is intact."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from uptake.cli.options import (
    PageOptions,
    StoreOptions,
    instant,
    option,
    reporting_errors,
    require_project,
)
from uptake.cli.terminal import Json, echo, print_json, print_list, warn
from uptake.http.parameter_groups import expand_groups
from uptake.time_units import TICKS_PER_MICROSECOND

app = typer.Typer(help="List and verify the audit log: who changed or exported what.")


@dataclass(frozen=True)
class AuditOptions:
    """Options that select entries."""

    project: Annotated[
        str | None, option("--project", "Project name.", show_default="all projects")
    ] = None
    actor: Annotated[str | None, option("--actor", "Only of this API key id, or `cli`.")] = None
    action: Annotated[str | None, option("--action", "Only this action, e.g. key.create.")] = None
    from_: Annotated[
        str | None, option("--from", "At or after this time (ISO 8601; default zone UTC).")
    ] = None
    to: Annotated[str | None, option("--to", "Before this time.")] = None


@app.command("list")
@expand_groups
def list_entries(filters: AuditOptions, options: StoreOptions, paging: PageOptions) -> None:
    """List the entries, the latest first."""
    from uptake.reading import audit
    from uptake.store.audit_ports import AuditFilter

    start, end = _microseconds("--from", filters.from_), _microseconds("--to", filters.to)
    only = AuditFilter(filters.project, filters.actor, filters.action, start, end)
    with options.open() as store, reporting_errors(filters.project or ""):
        if filters.project is not None:
            require_project(store, filters.project)
        page = audit.page(store, only, paging)
    rows = (
        (one.sequence, one.time, one.project, one.actor, one.address, one.action, one.target)
        for one in page.entries
    )
    headings = ("number", "time", "project", "actor", "address", "action", "target")
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def verify(
    options: StoreOptions,
    head: Annotated[
        str | None,
        option("--head", "Head of an earlier check, NUMBER:HASH, which the log must contain."),
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Check that no entry was changed or removed. Exits with 1 if one was."""
    from uptake.reading import audit
    from uptake.store.audit_ports import AuditHead

    noted = None
    if head is not None:
        if not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", head):
            raise typer.BadParameter(f"--head {head!r}: must be NUMBER:HASH, as verify prints it")
        number, _, digest = head.partition(":")
        noted = AuditHead(int(number), digest)
    with options.open() as store:
        found = audit.check(store, noted)
    if json:
        print_json(found)
    elif found.faults:
        warn(*found.faults)
    else:
        entries = "1 entry" if found.entries == 1 else f"{found.entries:,} entries"
        echo(f"{entries}, none changed or removed.", f"Head: {found.head}")
    return 1 if found.faults else 0


def _microseconds(name: str, text: str | None) -> int | None:
    ticks = instant(name, text)
    return None if ticks is None else ticks // TICKS_PER_MICROSECOND
