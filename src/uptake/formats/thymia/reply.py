"""thymia's answers."""

from uptake.formats.base import Account, WireReply, WireRequest, answer
from uptake.formats.thymia import wire
from uptake.formats.thymia.wire import Detail, Invalid, Uploaded, ValidationError
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt, StoredDocument
from uptake.model.submission import Fault

_PLACES: dict[str | int, tuple[str, ...]] = {
    "type": ("path", "upload_type"),
    "data": ("body", "data"),
    "idempotency_key": ("header", "idempotency-key"),
}
"""Where thymia's request has the parts of a document."""


def reply(receipt: Receipt, request: WireRequest) -> WireReply:
    """200 with the upload's id, or 422 with every fault."""
    for stored in receipt.stored:
        if isinstance(stored, StoredDocument):
            return answer(200, Uploaded(stored.upload_id))
    faults = [fault for rejection in receipt.rejections for fault in rejection.faults]
    return answer(422, Invalid([_entry(fault) for fault in faults]))


def account(found: Account, request: WireRequest) -> WireReply:
    """200 with the project and the scopes of the API key."""
    return answer(200, wire.Account(found.project, list(found.scopes)))


def _entry(fault: Fault) -> ValidationError:
    first, *rest = fault.place or ("body",)
    return ValidationError([*_PLACES.get(first, (first,)), *rest], fault.message, fault.code)


def reject(problem: Problem, request: WireRequest) -> WireReply:
    """A problem in thymia's envelope."""
    return answer(problem.status, Detail(problem.detail))
