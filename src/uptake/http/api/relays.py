"""Relays of a project, and what they have to send."""

import re
from typing import Annotated

from uptake.http.api.dependencies import (
    ADMINISTER,
    Call,
    PageParameters,
    operation,
    query,
)
from uptake.model import clock
from uptake.reading import Unknown, relays
from uptake.reading.relays import OutboxPage, RelayPage, RelayView, State
from uptake.store.definitions import PROJECT_NAME


@operation("GET", "/relays", ADMINISTER, "List relays", slow=True)
def list_relays(call: Call, page: PageParameters) -> RelayPage:
    """In order of name, with the number of items to be sent. No keys of receivers."""
    return relays.page(call.store, call.project, page)


@operation("GET", "/relays/{name:str}/outbox", ADMINISTER, "List the outbox of a relay", slow=True)
def list_outbox(
    call: Call,
    name: str,
    page: PageParameters,
    *,
    state_: Annotated[
        State, query("`pending`: to be sent; `dead`: rejected", name="state")
    ] = "pending",
) -> OutboxPage:
    """In order of user, and of each user in the order received."""
    relay = relays.find(call.store, call.project, _checked(name))
    return relays.outbox(call.store, relay, page, state_)


@operation("POST", "/relays/{name:str}/pause", ADMINISTER, "Pause a relay", slow=True, changes=True)
def pause_relay(call: Call, name: str) -> RelayView:
    """Nothing is sent until it is resumed; accepted items wait in the outbox."""
    call.store.pause_relay(call.project, _checked(name), clock.now())
    return _view(call, name)


@operation(
    "POST", "/relays/{name:str}/resume", ADMINISTER, "Resume a relay", slow=True, changes=True
)
def resume_relay(call: Call, name: str) -> RelayView:
    """It sends within seconds, also if it was waiting after a failure."""
    call.store.resume_relay(call.project, _checked(name))
    return _view(call, name)


@operation(
    "POST",
    "/relays/{name:str}/retry",
    ADMINISTER,
    "Retry the dead items of a relay",
    slow=True,
    changes=True,
)
def retry_relay(call: Call, name: str) -> RelayView:
    """They are sent again with the other items of their users."""
    call.store.retry_dead(call.project, _checked(name))
    return _view(call, name)


def _checked(name: str) -> str:
    if not re.fullmatch(PROJECT_NAME, name):
        raise Unknown("relay", name)
    return name


def _view(call: Call, name: str) -> RelayView:
    return relays.view(call.store, relays.find(call.store, call.project, name))
