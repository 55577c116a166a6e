"""Webhooks of a project: receivers of events, signed as Standard Webhooks describes."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from uptake.delivery import webhook_changes
from uptake.delivery.standard_webhooks import event_id
from uptake.delivery.webhook_changes import MAX_EVENTS, InvalidWebhook, Wanted
from uptake.delivery.webhooks import Trial, try_webhook
from uptake.http.api.dependencies import (
    ADMINISTER,
    MAX_STRUCT,
    Body,
    Call,
    PageParameters,
    check_id,
    component,
    operation,
    valid_json,
)
from uptake.http.api.keys import ROTATION, Rotation
from uptake.intake.keys import OPERATOR, read_overlap
from uptake.model.problems import Kinds, Problem
from uptake.reading import webhooks
from uptake.reading.webhooks import FailedEventPage, WebhookPage, WebhookView
from uptake.store.webhook_ports import Webhook


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook to add.

    Attributes:
        url: where events are sent, of `https`.
        events: those that it receives.
        segments: it receives the events of these segments; all if absent.
        allow_private: whether the receiver may have a private address, or a URL of `http`; needs
            the scope `operator`.
    """

    url: str
    events: list[str]
    segments: list[str] = msgspec.field(default_factory=list)
    allow_private: bool = False


class EventSelection(Struct, frozen=True, forbid_unknown_fields=True):
    """Failed events to send again: their ids; all if absent or empty."""

    events: Annotated[list[str], Meta(max_length=MAX_EVENTS)] = msgspec.field(default_factory=list)


class WebhookWithSecret(WebhookView, frozen=True):
    """A webhook with its secret, which is shown only once.

    Attributes:
        secret: signs the events.
    """

    secret: str


class Redelivery(Struct, frozen=True):
    """The number of events that are sent again."""

    events: int


NEW = Body(MAX_STRUCT, component(NewWebhook.__name__))
SELECTION = Body(MAX_STRUCT, component(EventSelection.__name__), required=False)


@operation("GET", "/webhooks", ADMINISTER, "List webhooks", slow=True)
def list_webhooks(call: Call, page: PageParameters) -> WebhookPage:
    """In order of creation, with the number of events to be sent. No secrets."""
    return webhooks.page(call.store, call.project, page)


@operation("POST", "/webhooks", ADMINISTER, "Add a webhook", slow=True, changes=True, body=NEW)
def add_webhook(call: Call) -> WebhookWithSecret:
    """Returns the secret, which is shown only now. Servers send events within seconds."""
    with valid_json():
        wanted = msgspec.json.decode(call.content, type=NewWebhook)
    if wanted.allow_private and OPERATOR not in call.key.scopes:
        raise Problem(Kinds.FORBIDDEN, f"allow_private needs the scope {OPERATOR}")
    try:
        settings = Wanted(wanted.url, wanted.events, wanted.segments, wanted.allow_private)
        webhook = webhook_changes.add_webhook(call.store, call.project, settings)
    except InvalidWebhook as error:
        reason = f"{error.name}: {error}" if error.name else str(error)
        raise Problem(Kinds.BAD_REQUEST, reason) from None
    return _with_secret(call, webhook)


@operation("GET", "/webhooks/{webhook_id:str}", ADMINISTER, "Get a webhook", slow=True)
def get_webhook(call: Call, webhook_id: str) -> WebhookView:
    """Returns the webhook without its secret."""
    return webhooks.view(call.store, _find(call, webhook_id))


@operation(
    "DELETE",
    "/webhooks/{webhook_id:str}",
    ADMINISTER,
    "Remove a webhook",
    slow=True,
    changes=True,
)
def remove_webhook(call: Call, webhook_id: str) -> None:
    """Its events that were not sent are deleted."""
    call.store.remove_webhook(call.project, _find(call, webhook_id).id)


@operation(
    "POST",
    "/webhooks/{webhook_id:str}/rotate",
    ADMINISTER,
    "Replace the secret of a webhook",
    slow=True,
    changes=True,
    body=ROTATION,
)
def rotate_webhook(call: Call, webhook_id: str) -> WebhookWithSecret:
    """Returns the new secret, which is shown only now. Both sign during the overlap."""
    with valid_json():
        wanted = msgspec.json.decode(call.content, type=Rotation) if call.content else Rotation()
    try:
        overlap = read_overlap(wanted.overlap)
    except ValueError as error:
        raise Problem(Kinds.BAD_REQUEST, f"overlap: {error}") from None
    known = _find(call, webhook_id)
    return _with_secret(call, webhook_changes.rotate(call.store, call.project, known.id, overlap))


@operation(
    "POST",
    "/webhooks/{webhook_id:str}/resume",
    ADMINISTER,
    "Resume a webhook",
    slow=True,
    changes=True,
)
def resume_webhook(call: Call, webhook_id: str) -> WebhookView:
    """A webhook is paused when its database is restored, so that a copy sends nothing."""
    call.store.resume_webhook(call.project, _find(call, webhook_id).id)
    return webhooks.view(call.store, _find(call, webhook_id))


@operation(
    "GET", "/webhooks/{webhook_id:str}/failed", ADMINISTER, "List the failed events", slow=True
)
def list_failed_events(call: Call, webhook_id: str, page: PageParameters) -> FailedEventPage:
    """Events that the receiver did not accept for three days."""
    return webhooks.failed(call.store, _find(call, webhook_id), page, event_id)


@operation(
    "POST",
    "/webhooks/{webhook_id:str}/redeliver",
    ADMINISTER,
    "Send failed events again",
    slow=True,
    changes=True,
    body=SELECTION,
)
def redeliver_events(call: Call, webhook_id: str) -> Redelivery:
    """They keep their ids, and are tried for three days again."""
    with valid_json():
        wanted = (
            msgspec.json.decode(call.content, type=EventSelection)
            if call.content
            else EventSelection()
        )
    known = _find(call, webhook_id)
    return Redelivery(webhook_changes.redeliver(call.store, known, wanted.events))


@operation("POST", "/webhooks/{webhook_id:str}/test", ADMINISTER, "Send a test event", slow=True)
def try_receiver(call: Call, webhook_id: str) -> Trial:
    """Sends an event of the type `webhook.test`, and returns the outcome."""
    return try_webhook(_find(call, webhook_id))


def _find(call: Call, webhook_id: str) -> Webhook:
    return webhook_changes.find(call.store, call.project, check_id("webhook", webhook_id))


def _with_secret(call: Call, webhook: Webhook) -> WebhookWithSecret:
    shown = msgspec.structs.asdict(webhooks.view(call.store, webhook))
    return WebhookWithSecret(**shown, secret=webhook.secret)
