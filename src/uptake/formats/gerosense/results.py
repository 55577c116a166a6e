"""Gerosense's results, which the vendor computes: requests for them go to the vendor of a relay."""

import msgspec

from uptake.formats.base import AskVendor, WireRequest
from uptake.formats.gerosense.decode import read_members, read_text, read_user_id
from uptake.formats.gerosense.wire import MODEL_TYPES, USER_PARAMETER
from uptake.model.items import user_id_fault
from uptake.model.submission import Fault

FORMAT = "gerosense-v2.2"
"""The format of a relay to the vendor: server to server, where requests name the user."""

BIOAGE, RESILIENCE = "/api/v2.2/bioage", "/api/v2.2/resilience"
"""Paths of the vendor."""

(USER,) = USER_PARAMETER


def of_user_in_query(path: str, request: WireRequest) -> AskVendor:
    """A result of the user in the query."""
    return _get(path, request, request.query.get(USER, ""))


def of_bound_user(path: str, request: WireRequest) -> AskVendor:
    """A result of the user that the API key is bound to."""
    return _get(path, request, request.bound_user or "")


def calculate(request: WireRequest) -> AskVendor:
    """The calculation for the user in the body."""
    return _calculate(request, bound_user=None)


def calculate_of_bound_user(request: WireRequest) -> AskVendor:
    """The calculation for the user that the API key is bound to."""
    return _calculate(request, bound_user=request.bound_user)


def _get(path: str, request: WireRequest, user_id: str) -> AskVendor:
    fault = user_id_fault(user_id)
    query = {**request.query, USER: user_id}
    return AskVendor(user_id, FORMAT, path, query, fault=f"{USER} {fault}" if fault else "")


def _calculate(request: WireRequest, bound_user: str | None) -> AskVendor:
    members = read_members(request.body or b"{}")
    faults = [members] if isinstance(members, Fault) else []
    user_id = bound_user or ""
    body: dict[str, str] = {}
    if not isinstance(members, Fault):
        if bound_user is None:
            user_id = read_user_id(members, USER, faults)
        body[USER] = user_id
        model_type = read_text(members, "model_type", faults, optional=True)
        if model_type is not None:
            body["model_type"] = model_type
            if model_type not in MODEL_TYPES:
                faults.append(Fault("", f"model_type must be {' or '.join(MODEL_TYPES)}"))
    fault = "; ".join(fault.message for fault in faults)
    return AskVendor(user_id, FORMAT, f"{BIOAGE}/calculate", {}, msgspec.json.encode(body), fault)
