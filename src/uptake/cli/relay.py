"""`uptake relay`: sends what is accepted to a vendor or to another server too."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from uptake.cli.options import PageOptions, ProjectOptions, option
from uptake.cli.send_options import Target
from uptake.cli.terminal import Failed, Json, note, print_list, print_result, quantity
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock, ids
from uptake.store.definitions import PROJECT_NAME

MAX_RELAYS = 50
"""Relays of all projects: each has a thread and requests in flight in every process."""

HTTP_NOTE = "Note: whoever can read the traffic to {host} can read the data and the key; use https."

app = typer.Typer(help="Manage relays: they send what is accepted to another server too.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the relay.")]


@dataclass(frozen=True)
class ItemOptions:
    """What to send."""

    format_: Annotated[
        str, option("--format", "Upload operation of the receiver, e.g. gerosense-v2.2.")
    ]
    types: Annotated[
        list[str] | None,
        option("--types", "Only these document types or metrics.", show_default="all"),
    ] = None


@app.command()
@expand_groups
def add(
    name: Name, items: ItemOptions, target: Target, options: ProjectOptions, *, json: Json = False
) -> None:
    """Add a relay. Servers send what they accept from a few seconds on."""
    from uptake.reading import relays
    from uptake.store.base import AlreadyExists
    from uptake.store.relay_ports import Relay
    from uptake.uploader.sending.connection import WrongAddress, destination

    if not re.fullmatch(PROJECT_NAME, name):
        raise typer.BadParameter(f"{name!r}: a name has 1 to 63 letters, digits, '.', '_' or '-'")
    _check(items.format_, items.types or ())
    try:
        to = destination(target.to)
    except WrongAddress as error:
        raise typer.BadParameter(f"--to: {error}") from None
    relay = Relay(
        id=ids.time_ordered(),
        project=options.project,
        name=name,
        format=items.format_,
        url=to.url,
        secret=target.key(),
        types=tuple(dict.fromkeys(items.types or ())),
        created_at=clock.now(),
    )
    with options.open_project() as store:
        if len(store.relays()) >= MAX_RELAYS:
            raise Failed(f"there are {MAX_RELAYS} relays, which is the maximum; remove one first")
        try:
            store.add_relay(relay)
        except AlreadyExists:
            raise Failed(
                f"project {options.project!r} has a relay {name!r}; list them: uptake relay list"
            ) from None
        shown = relays.view(store, relay)
    if to.scheme == "http" and not to.is_here:
        note(HTTP_NOTE.format(host=to.host))
    print_result(shown, f"Added relay {name}.", json=json)


@app.command("list")
@expand_groups
def list_relays(options: ProjectOptions, paging: PageOptions) -> None:
    """List the relays of a project, and how much each has to send."""
    from uptake.reading import relays

    with options.open_project() as store:
        page = relays.page(store, options.project, paging)
    headings = ("name", "format", "url", "state", "pending", "dead", "oldest", "reason")
    rows = (
        (
            one.name,
            one.format,
            one.url,
            "paused" if one.paused_at else "waiting" if one.retry_at else "active",
            one.pending,
            one.dead,
            one.oldest,
            one.reason,
        )
        for one in page.relays
    )
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def pause(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Send nothing more. What is accepted waits in the outbox."""
    with options.open_project() as store:
        _require(store.pause_relay(options.project, name, clock.now()), name, options)
    print_result({"name": name, "paused": True}, f"Paused relay {name}.", json=json)


@app.command()
@expand_groups
def resume(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Send again, within seconds, also after a failure of the receiver."""
    with options.open_project() as store:
        _require(store.resume_relay(options.project, name), name, options)
    print_result({"name": name, "paused": False}, f"Resumed relay {name}.", json=json)


@app.command()
@expand_groups
def retry(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Send the items again that the receiver rejected."""
    with options.open_project() as store:
        count = store.retry_dead(options.project, name)
    _require(count is not None, name, options)
    line = f"Relay {name} sends {quantity(count or 0, 'entry', 'entries')} again."
    print_result({"name": name, "retried": count}, line, json=json)


@app.command()
@expand_groups
def remove(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Remove a relay and its outbox. What is in the outbox is not sent."""
    with options.open_project() as store:
        _require(store.remove_relay(options.project, name), name, options)
    print_result({"name": name, "removed": True}, f"Removed relay {name}.", json=json)


@app.command()
@expand_groups
def outbox(
    name: Name,
    options: ProjectOptions,
    paging: PageOptions,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Those that the receiver rejected.")] = False,
) -> None:
    """List what a relay has to send, by user and in the order received."""
    from uptake.reading import relays

    with options.open_project() as store:
        relay = relays.find(store, options.project, name)
        page = relays.outbox(store, relay, paging, "dead" if dead else "pending")
    headings = ("user", "kind", "type", "count", "received", "attempts", "next_attempt", "reason")
    rows = (
        (
            one.user_id,
            one.kind,
            one.type,
            one.count,
            one.received_at,
            one.attempts,
            one.next_attempt,
            one.reason,
        )
        for one in page.entries
    )
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


def _require(found: bool, name: str, options: ProjectOptions) -> None:  # noqa: FBT001
    if not found:
        raise Failed(
            f"project {options.project!r} has no relay {name!r}; list them: uptake relay list"
        )


def _check(format_: str, types: Sequence[str]) -> None:
    """Check the format and the types.

    Raises:
        BadParameter: one is invalid.
    """
    from uptake.delivery.relaying import relay_formats
    from uptake.samples.metrics import METRICS

    formats = relay_formats()
    kind = formats.get(format_)
    if kind is None:
        raise typer.BadParameter(f"--format: must be one of {', '.join(formats)} (got {format_!r})")
    if types and kind not in {"samples", "document"}:
        raise typer.BadParameter(f"--types: items of {format_} have no types")
    for one in types:
        if kind == "samples" and one not in METRICS:
            raise typer.BadParameter(f"--types {one!r}: must be one of {', '.join(METRICS)}")
