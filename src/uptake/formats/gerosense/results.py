"""Gerosense's results: requests for what the vendor computes, which this server does not have."""

from uptake.formats.base import CheckUser, WireRequest
from uptake.formats.gerosense.decode import read_members, read_text, read_user_id
from uptake.formats.gerosense.wire import MODEL_TYPES
from uptake.model.items import user_id_fault
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault


def of_bound_user(request: WireRequest) -> CheckUser:
    """The results of the user that the API key is bound to."""
    return CheckUser(request.bound_user or "")


def of_user_in_query(request: WireRequest) -> CheckUser:
    """The results of the user in the query."""
    user_id = request.query.get("user_id")
    if user_id is None:
        raise Problem(Kinds.BAD_REQUEST, "The query parameter user_id is missing")
    if (fault := user_id_fault(user_id)) is not None:
        raise Problem(Kinds.BAD_REQUEST, f"user_id {fault}")
    return CheckUser(user_id)


def of_user_in_body(request: WireRequest) -> CheckUser:
    """The results of the user in the body, to be calculated."""
    return CheckUser(_checked(request, bound_user=None))


def of_bound_user_with_body(request: WireRequest) -> CheckUser:
    """The results of the user that the API key is bound to, to be calculated."""
    return CheckUser(_checked(request, bound_user=request.bound_user))


def _checked(request: WireRequest, bound_user: str | None) -> str:
    """The user of a request with a body.

    Raises:
        Problem: `BAD_REQUEST`, for an invalid body.
    """
    members = read_members(request.body or b"{}")
    faults = [members] if isinstance(members, Fault) else []
    user_id = bound_user or ""
    if not isinstance(members, Fault):
        if bound_user is None:
            user_id = read_user_id(members, "user_id", faults)
        model_type = read_text(members, "model_type", faults, optional=True)
        if model_type is not None and model_type not in MODEL_TYPES:
            faults.append(Fault("", f"model_type must be {' or '.join(MODEL_TYPES)}"))
    if faults:
        raise Problem(Kinds.BAD_REQUEST, "; ".join(fault.message for fault in faults))
    return user_id
