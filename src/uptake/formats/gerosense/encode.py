"""Gerosense's requests from samples, and the outcome of each sample from its answers."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from uptake.formats.base import BEARER, MALFORMED
from uptake.formats.encoder import (
    RegistrationWire,
    Rejected,
    SamplesWire,
    Unclear,
    Verdict,
    unreadable,
)
from uptake.formats.gerosense.registration import SEX, YEAR
from uptake.formats.gerosense.wire import MAX_SAMPLES, MIN_SAMPLES, Outcome

_outcome = msgspec.json.Decoder(Outcome)

ACCEPTED = {200, 207}
"""The statuses of answers that accept samples."""

REGISTERED = {200, 201, 409}
"""The statuses of answers after which a user is registered."""

NO_REASON = "rejected without a reason"


def read(status: int, body: bytes, count: int) -> Verdict:
    """Returns the outcome of `count` samples.

    The vendor documents 200, 207 and 400 without bodies, so the status alone can be the answer.

    Raises:
        Unclear: the body is not one of this endpoint, or contradicts the status.
    """
    if status not in ACCEPTED and status < 400:
        raise Unclear(f"this endpoint does not answer with {status}")
    if not body.strip():
        everything = Rejected(None, "", NO_REASON)
        return Verdict((everything,) if status >= 400 else (), unnamed=status == 207)
    try:
        outcome = _outcome.decode(body)
    except MALFORMED:
        return unreadable(status, body)
    rejected = tuple(
        Rejected(error.index, error.code, error.message, error.field) for error in outcome.errors
    )
    whole = any(fault.index is None for fault in rejected)
    named = {fault.index for fault in rejected}
    if whole and status >= 400:
        return Verdict(rejected)
    if (outcome.accepted, outcome.rejected) != (count - len(named), len(named)) or not all(
        index is not None and 0 <= index < count for index in named
    ):
        raise Unclear(f"{status} that does not account for every sample")
    return Verdict(rejected)


def read_registration(status: int, body: bytes, count: int) -> Verdict:
    """Returns the outcome of a registration.

    The answer for a user who is registered already is not documented; 409 counts as success.

    Raises:
        Unclear: the status is none of this endpoint.
    """
    if status in REGISTERED:
        return Verdict()
    if status < 400:
        raise Unclear(f"this endpoint does not answer with {status}")
    return read(status, body, count)


def _registration(user_id: str, attributes: Mapping[str, str]) -> bytes:
    return msgspec.json.encode({"id": user_id, SEX: attributes[SEX], YEAR: int(attributes[YEAR])})


_ROW = tuple(
    (name, name)
    for name in ("device_name", "device_version", "start_date", "end_date", "value", "unit")
)

_V1_1 = SamplesWire(
    name="gerosense-v1.1",
    path="/api/v1.1/samples",
    credential=BEARER,
    read=read,
    least=MIN_SAMPLES,
    most=MAX_SAMPLES,
    row=_ROW,
    metric_member="data_type",
    samples_member="data",
    user_member=None,
)
_V2_2 = replace(
    _V1_1,
    name="gerosense-v2.2",
    path="/api/v2.2/samples",
    user_member="user_id",
    registration=RegistrationWire(
        name="gerosense-v2.2-user",
        path="/api/v2.2/user",
        credential=BEARER,
        read=read_registration,
        sources=("gerosense-v1.1-user", "gerosense-v2.2-user"),
        body=_registration,
    ),
    is_default=True,
)
WIRES = (_V1_1, _V2_2)
