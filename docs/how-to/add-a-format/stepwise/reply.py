"""From the receipt to Stepwise's answer."""

from uptake.formats.base import WireReply, WireRequest, answer
from uptake.formats.stepwise.wire import Failed, Stored
from uptake.model.problems import Problem
from uptake.model.receipt import StoredSamples, Receipt


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 with the number of walks, or 400 with the reason."""
    for rejection in receipt.rejections:
        return answer(400, Failed(rejection.faults[0].message))
    kept = sum(kept.count for kept in receipt.kept if isinstance(kept, StoredSamples))
    return answer(200, Stored(kept))


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem as Stepwise tells it."""
    return answer(problem.status, Failed(problem.detail))
