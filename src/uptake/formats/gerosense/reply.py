"""Gerosense's answers."""

from typing import Literal

from uptake.formats.base import (
    AccessToken,
    Account,
    ServerStatus,
    WireReply,
    WireRequest,
    answer,
)
from uptake.formats.gerosense.wire import (
    MINIMAL_API_VERSION,
    Failed,
    Outcome,
    Registered,
    SampleError,
    Status,
    Tested,
    Token,
)
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt, StoredAttributes, StoredSamples


def registered(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 with the user and the attributes, or 400 with every fault."""
    for one in receipt.stored:
        if isinstance(one, StoredAttributes):
            values = one.items[0].mapping()
            user_id, year = one.items[0].user_id, int(values["year_of_birth"])
            return answer(200, Registered(user_id, values["biological_sex"], year))
    return reply(receipt, request)


def result(found: WireReply | None, request: WireRequest) -> WireReply:
    """The vendor's answer; 404 without one: this server computes no biological age."""
    return found or answer(404, Failed("not_calculated", "There is no result for this user"))


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 if every sample is accepted, 207 if some are, 400 if none is."""
    accepted = sum(one.count for one in receipt.stored if isinstance(one, StoredSamples))
    rejected = sum(rejection.index is not None for rejection in receipt.rejections)
    errors = [
        SampleError(
            rejection.index,
            str(fault.place[0]) if fault.place else None,
            fault.code,
            fault.message,
        )
        for rejection in receipt.rejections
        for fault in rejection.faults
    ]
    status = 400 if not accepted else 207 if rejected else 200
    return answer(status, Outcome(accepted, rejected, errors))


def status(server: ServerStatus, request: WireRequest) -> WireReply:
    """200, in maintenance too."""
    state: Literal["Ok", "Maintenance"] = "Ok" if server.accepts_uploads else "Maintenance"
    return answer(200, Status(state, MINIMAL_API_VERSION))


def access_token(token: AccessToken, request: WireRequest) -> WireReply:
    """200 with the token."""
    return answer(200, Token(token.text, "Bearer"))


def tested(account: Account, request: WireRequest) -> WireReply:
    """200 with the user and the scopes of the key."""
    return answer(200, Tested(account.user, list(account.scopes)))


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in Gerosense's envelope."""
    return answer(problem.status, Failed(problem.code, problem.detail))
