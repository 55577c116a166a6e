"""Ptengine's answers."""

from uptake.formats.base import WireReply, WireRequest, answer
from uptake.formats.ptengine.wire import Answer
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt
from uptake.model.submission import Fault
from uptake.time_units import MICROSECONDS_PER_SECOND


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 `Success`, or 400 with the reason."""
    seconds = receipt.received_at // MICROSECONDS_PER_SECOND
    for rejection in receipt.rejections:
        return answer(400, Answer(_reason(rejection.faults[0]), seconds))
    return answer(200, Answer("Success", seconds))


def _reason(fault: Fault) -> str:
    """The message of a fault; one found while rows were stored does not name its row yet."""
    if fault.place[:1] == ("items",):
        return f"values[{fault.place[1]}]: {fault.message}"
    return fault.message


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in Ptengine's envelope."""
    return answer(
        problem.status, Answer(problem.detail, request.received_at // MICROSECONDS_PER_SECOND)
    )
