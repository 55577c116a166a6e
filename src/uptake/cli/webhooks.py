"""`uptake webhooks`: sends signed events to a receiver."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from uptake.cli.options import PageOptions, ProjectOptions, option
from uptake.cli.terminal import Failed, Json, Yes, confirm, note, print_list, print_result, quantity
from uptake.http.parameter_groups import expand_groups

EVENT_HELP = (
    "Event to send: upload.accepted, upload.rejected, user.erased, segment.entered, segment.left"
    " or relay.failed. May be repeated."
)
OVERLAP = "24h"

app = typer.Typer(help="Manage webhooks: signed events are sent to a URL.")

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="Id from `uptake webhooks list`.")]


@dataclass(frozen=True)
class WebhookOptions:
    """What is sent, and where it may be sent to."""

    event: Annotated[list[str], option("--event", EVENT_HELP)]
    segment: Annotated[
        list[str] | None,
        option("--segment", "Only events of this segment. May be repeated.", show_default="all"),
    ] = None
    allow_private: Annotated[
        bool, option("--allow-private", "Allow a private address, and a URL of http.")
    ] = False


@app.command()
@expand_groups
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="URL that receives the events.")],
    properties: WebhookOptions,
    options: ProjectOptions,
    *,
    json: Json = False,
) -> None:
    """Add a webhook. The secret is shown only now; servers send events within seconds."""
    from uptake.delivery import webhook_changes
    from uptake.reading import webhooks

    with options.open_project() as store:
        try:
            wanted = webhook_changes.Wanted(
                url, properties.event, properties.segment or (), properties.allow_private
            )
            webhook = webhook_changes.add_webhook(store, options.project, wanted)
        except webhook_changes.InvalidWebhook as error:
            reason = str(error).replace("allow_private", "--allow-private")
            names = {"url": "URL", "events": "--event", "segments": "--segment"}
            if error.name:
                raise typer.BadParameter(f"{names[error.name]} {reason}") from None
            raise Failed(f"{reason}; remove one first: uptake webhooks remove ID") from None
        shown = asdict(webhooks.view(store, webhook)) | {"secret": webhook.secret}
    if not json:
        note(f"Added webhook {webhook.id}. Its secret:")
    print_result(shown, webhook.secret, json=json)


@app.command("list")
@expand_groups
def list_webhooks(options: ProjectOptions, paging: PageOptions) -> None:
    """List the webhooks of a project, and how many events each has to send."""
    from uptake.reading import webhooks

    with options.open_project() as store:
        page = webhooks.page(store, options.project, paging)
    headings = ("id", "url", "events", "pending", "failed", "oldest", "reason")
    rows = (
        (one.id, one.url, ", ".join(one.events), one.pending, one.failed, one.oldest_at, one.reason)
        for one in page.webhooks
    )
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def show(webhook_id: WebhookId, options: ProjectOptions, *, json: Json = False) -> None:
    """Show a webhook, without its secret."""
    from uptake.delivery import webhook_changes
    from uptake.reading import webhooks

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
        shown = asdict(webhooks.view(store, known))
    print_list(shown, ("what", "value"), _texts(shown).items(), json=json)


@app.command()
@expand_groups
def remove(
    webhook_id: WebhookId, options: ProjectOptions, *, yes: Yes = False, json: Json = False
) -> None:
    """Remove a webhook. Its events that were not sent are deleted."""
    from uptake.delivery import webhook_changes

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
        pending = quantity(store.outbox_state(known).pending, "event")
        question = f"Remove webhook {webhook_id} of {known.url}, and {pending} to be sent?"
        confirm(f"{question} It cannot be undone.", yes=yes)
        store.remove_webhook(options.project, webhook_id)
    shown = {"id": webhook_id, "removed": True}
    print_result(shown, f"Removed webhook {webhook_id}.", json=json)


@app.command()
@expand_groups
def rotate(
    webhook_id: WebhookId,
    options: ProjectOptions,
    overlap: Annotated[
        str,
        option("--overlap", "How long the old secret stays valid: 24h, 7d; 0s ends it at once."),
    ] = OVERLAP,
    *,
    json: Json = False,
) -> None:
    """Replace the secret. The new one is shown only now; both sign during the overlap."""
    from uptake.delivery import webhook_changes
    from uptake.intake.keys import read_overlap
    from uptake.reading import webhooks

    try:
        seconds = read_overlap(overlap)
    except ValueError as error:
        raise typer.BadParameter(f"--overlap {overlap!r}: {error}") from None
    with options.open_project() as store:
        webhook = webhook_changes.rotate(store, options.project, webhook_id, seconds)
        shown = asdict(webhooks.view(store, webhook)) | {"secret": webhook.secret}
    print_result(shown, webhook.secret, json=json)


@app.command()
@expand_groups
def resume(webhook_id: WebhookId, options: ProjectOptions, *, json: Json = False) -> None:
    """Send again after a restore: a copy of a database sends nothing by itself."""
    from uptake.delivery import webhook_changes
    from uptake.reading import webhooks

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
        store.resume_webhook(options.project, known.id)
        known = webhook_changes.find(store, options.project, webhook_id)
        shown = webhooks.view(store, known)
    print_result(shown, f"Resumed webhook {webhook_id}.", json=json)


@app.command()
@expand_groups
def failed(webhook_id: WebhookId, options: ProjectOptions, paging: PageOptions) -> None:
    """List events that the receiver did not accept for three days."""
    from uptake.delivery import webhook_changes
    from uptake.delivery.standard_webhooks import event_id
    from uptake.reading import webhooks

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
        page = webhooks.failed(store, known, paging, event_id)
    headings = ("id", "type", "user", "occurred", "attempts", "reason")
    rows = (
        (one.id, one.type, one.user_id, one.occurred_at, one.attempts, one.reason)
        for one in page.events
    )
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def redeliver(
    webhook_id: WebhookId,
    options: ProjectOptions,
    event_id: Annotated[
        list[str] | None,
        option("--event-id", "Only this event of `uptake webhooks failed`. May be repeated."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Send failed events again: all, or those that are named."""
    from uptake.delivery import webhook_changes

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
        count = webhook_changes.redeliver(store, known, event_id or ())
    line = f"Webhook {webhook_id} sends {quantity(count, 'event')} again."
    print_result({"id": webhook_id, "events": count}, line, json=json)


@app.command("test")
@expand_groups
def try_receiver(webhook_id: WebhookId, options: ProjectOptions, *, json: Json = False) -> None:
    """Send a test event from this machine, and show the outcome."""
    from uptake.delivery import webhook_changes
    from uptake.delivery.webhooks import try_webhook

    with options.open_project() as store:
        known = webhook_changes.find(store, options.project, webhook_id)
    trial = try_webhook(known)
    if not trial.delivered and not json:
        raise Failed(f"{known.url} did not accept the test event: {trial.reason}")
    print_result(trial, f"{known.url} answered {trial.status} in {trial.ms} ms.", json=json)
    if not trial.delivered:
        raise typer.Exit(1)


def _texts(shown: dict[str, Any]) -> dict[str, Any]:
    joined = {name: ", ".join(shown[name]) for name in ("events", "segments")}
    return {**shown, **joined, "segments": joined["segments"] or "all"}
