"""Why a store does not take attributes: their user would have too many."""

from collections.abc import Sequence

from uptake.model.submission import Fault
from uptake.store.attribute_limits import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES
from uptake.store.records import NotStored, Written


def limit_faults(written: Sequence[Written]) -> list[Fault]:
    """Why a submission was not stored because of the limits of attributes, item by item."""
    return [
        _too_many_attributes(place, outcome)
        for place, outcome in enumerate(written)
        if isinstance(outcome, NotStored) and outcome.attributes
    ]


def _too_many_attributes(place: int, outcome: NotStored) -> Fault:
    message = (
        f"the user would have {outcome.attributes} attributes of {outcome.bytes} bytes; at most"
        f" {MAX_ATTRIBUTES} attributes of {MAX_ATTRIBUTE_BYTES} bytes are stored"
    )
    return Fault("too_many_attributes", message, ("items", place))
