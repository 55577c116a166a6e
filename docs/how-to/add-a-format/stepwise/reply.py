"""Stepwise's answers."""

from uptake.formats.base import WireReply, WireRequest, answer
from uptake.formats.stepwise.wire import Failed, Stored
from uptake.model.problems import Problem
from uptake.model.receipt import StoredSamples, Receipt


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 with the number of walks, or 400 with the reason."""
    for rejection in receipt.rejections:
        return answer(400, Failed(rejection.faults[0].message))
    count = sum(one.count for one in receipt.stored if isinstance(one, StoredSamples))
    return answer(200, Stored(count))


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in Stepwise's envelope."""
    return answer(problem.status, Failed(problem.detail))
