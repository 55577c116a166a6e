"""From the receipt to Ptengine's answer."""

from uptake.formats.base import WireReply, WireRequest, answer
from uptake.formats.ptengine.wire import Answer
from uptake.model.clock import MICROSECONDS
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 `Success`, or 400 with the reason."""
    seconds = receipt.received_at // MICROSECONDS
    for refusal in receipt.refusals:
        return answer(400, Answer(refusal.faults[0].message, seconds))
    return answer(200, Answer("Success", seconds))


def refuse(problem: Problem, request: WireRequest) -> WireReply:
    """A problem as Ptengine tells it."""
    return answer(problem.status, Answer(problem.detail, request.received_at // MICROSECONDS))
