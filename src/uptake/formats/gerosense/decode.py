"""Decodes a Gerosense request into a batch of samples, and rejections.

A request without faults is decoded into columns at once. A request with faults is validated sample
by sample, which finds every fault of each, and its valid samples are accepted.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from uptake.formats.base import MALFORMED, WireRequest, parse
from uptake.formats.gerosense.wire import MAX_SAMPLES, MAX_VALUES, MIN_SAMPLES
from uptake.formats.user_search import one_user, users_named
from uptake.model.items import SampleBatch, user_id_fault
from uptake.model.problems import json_reason
from uptake.model.submission import Fault, Owners, Rejection, Submission, rejected
from uptake.samples import columns, times
from uptake.samples.columns import Columns, Sample
from uptake.samples.metrics import METRICS

METRIC = "data_type"
"""The member of a request that the context of a rejected sample has."""

Members = dict[str, msgspec.Raw]

_object = msgspec.json.Decoder(Members)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_number = msgspec.json.Decoder(float)
_HIGHEST = np.array([MAX_VALUES[unit] for unit in columns.UNITS])


class _UploadV11(msgspec.Struct):
    data_type: str
    data: list[Sample]


class _UploadV22(_UploadV11, kw_only=True):
    user_id: str


_v1_1 = msgspec.json.Decoder(_UploadV11)
_v2_2 = msgspec.json.Decoder(_UploadV22)


def find_v1_1(request: WireRequest) -> Owners:
    """The user that the API key is bound to; the body's `user_id` is ignored."""
    return one_user(request.bound_user or "")


def find_v2_2(request: WireRequest) -> Owners:
    """The users that the body names, whatever the JSON type of `user_id` is."""
    return users_named(request.body, "user_id")


def decode_v1_1(request: WireRequest) -> Submission:
    """Returns the samples of the user that the API key is bound to."""
    return _decode(_v1_1, request, find_v1_1)


def decode_v2_2(request: WireRequest) -> Submission:
    """Returns the samples of the user that the request names."""
    return _decode(_v2_2, request, find_v2_2)


def _decode(
    decoder: msgspec.json.Decoder[_UploadV11] | msgspec.json.Decoder[_UploadV22],
    request: WireRequest,
    find: Callable[[WireRequest], Owners],
) -> Submission:
    bound_user = request.bound_user or ""
    try:
        upload = decoder.decode(request.body)
        user_id = upload.user_id if isinstance(upload, _UploadV22) else bound_user
        if _is_valid(upload, user_id):
            samples = columns.read(upload.data)
            if _are_valid(samples):
                metric: Any = upload.data_type
                batch = SampleBatch(user_id, metric, columns.latest(samples), len(samples))
                return Submission(items=(batch,))
    except (*MALFORMED, ValueError):
        pass
    return _validate(request.body, None if decoder is _v2_2 else bound_user, lambda: find(request))


def _is_valid(upload: _UploadV11, user_id: str) -> bool:
    return (
        upload.data_type in METRICS
        and user_id_fault(user_id) is None
        and MIN_SAMPLES <= len(upload.data) <= MAX_SAMPLES
    )


def _are_valid(samples: Columns) -> bool:
    highest = _HIGHEST[samples.unit]
    return (
        all(map(str.strip, samples.devices))
        and bool((samples.value > 0).all())
        and bool((samples.value <= highest).all())
    )


def _validate(body: bytes, bound_user: str | None, find: Callable[[], Owners]) -> Submission:
    """Returns the valid samples of a request, and a rejection with every fault of the others.

    Args:
        body: the request's body.
        bound_user: the user that the API key is bound to; None if the body names the user.
        find: finds the users of a request that is rejected as a whole.
    """
    members = read_members(body)
    if isinstance(members, Fault):
        return rejected([members], body, find())
    faults: list[Fault] = []
    user_id = bound_user if bound_user is not None else read_user_id(members, "user_id", faults)
    metric = _metric(members, faults)
    elements = _elements(members, faults)
    if faults:
        return rejected(faults, body, find())
    good: list[Sample] = []
    rejections: list[Rejection] = []
    for index, element in enumerate(elements):
        sample, reasons = _validate_sample(element)
        if sample is not None:
            good.append(sample)
        else:
            rejections.append(
                Rejection(tuple(reasons), bytes(element), index, user_id, context={METRIC: metric})
            )
    items = (
        (SampleBatch(user_id, metric, columns.latest(columns.read(good)), len(good)),)
        if good
        else ()
    )
    return Submission(items, tuple(rejections))


def redecode_sample(element: bytes, user_id: str, context: Mapping[str, str]) -> Submission:
    """Validates a rejected sample again, without its request."""
    sample, reasons = _validate_sample(msgspec.Raw(element))
    if sample is None:
        return Submission(
            rejections=(Rejection(tuple(reasons), element, 0, user_id, context=dict(context)),)
        )
    metric: Any = context[METRIC]
    return Submission((SampleBatch(user_id, metric, columns.read([sample]), 1),))


def read_members(body: bytes) -> Members | Fault:
    """The members of a body, or the fault of one that is not a JSON object."""
    try:
        return _members(body)
    except ValueError as error:
        return Fault("json_invalid", f"The body is not JSON: {error}")
    except TypeError:
        return Fault("wrong_type", "The body must be a JSON object")


def _members(text: bytes | msgspec.Raw) -> Members:
    """The members of a JSON object.

    Raises:
        ValueError: the text is not JSON.
        TypeError: the text is JSON, but not an object.
    """
    try:
        bytes(text).decode()
        return _object.decode(text)
    except msgspec.ValidationError:
        parse(bytes(text))
        raise TypeError("not an object") from None
    except MALFORMED as error:
        raise ValueError(json_reason(error)) from None


def read_value(members: Members, name: str) -> Any:
    """A member's value; `...` for a number that Python cannot represent."""
    try:
        return parse(bytes(members[name]))
    except ValueError:
        return ...


def read_user_id(members: Members, name: str, faults: list[Fault]) -> str:
    """The user id in a member, or "" and its fault."""
    user_id = read_text(members, name, faults)
    fault = None if user_id is None else user_id_fault(user_id)
    if user_id is not None and fault is not None:
        code = "blank" if not user_id else "wrong_type" if "\0" in user_id else "above_limit"
        faults.append(Fault(code, f"{name} {fault}", (name,)))
    return user_id or ""


def _metric(members: Members, faults: list[Fault]) -> Any:
    metric = read_text(members, "data_type", faults)
    if metric is not None and metric not in METRICS:
        message = f"data_type must be one of {', '.join(METRICS)}"
        faults.append(Fault("unknown_data_type", message, ("data_type",)))
    return metric


def _elements(members: Members, faults: list[Fault]) -> list[msgspec.Raw]:
    if "data" not in members:
        faults.append(Fault("missing", "data is missing", ("data",)))
        return []
    try:
        elements = _array.decode(members["data"])
    except MALFORMED:
        faults.append(Fault("wrong_type", "data must be a list of samples", ("data",)))
        return []
    count = len(elements)
    if count < MIN_SAMPLES:
        message = f"data has {count} samples, at least {MIN_SAMPLES} are required"
        faults.append(Fault("too_few", message, ("data",)))
    if count > MAX_SAMPLES:
        message = f"data has {count} samples, at most {MAX_SAMPLES} are accepted"
        faults.append(Fault("too_many", message, ("data",)))
    return elements


def _validate_sample(element: msgspec.Raw) -> tuple[Sample | None, list[Fault]]:
    """A sample, or None and its faults."""
    try:
        members = _members(element)
    except (ValueError, TypeError):
        return None, [Fault("wrong_type", "A sample must be an object")]
    faults: list[Fault] = []
    device_name = read_text(members, "device_name", faults)
    if device_name is not None and not device_name.strip():
        faults.append(Fault("blank", "device_name must not be blank", ("device_name",)))
    device_version = read_text(members, "device_version", faults, optional=True)
    start_date = read_text(members, "start_date", faults)
    end_date = read_text(members, "end_date", faults, optional=True)
    _check_times(start_date, end_date, faults)
    unit = read_text(members, "unit", faults)
    if unit is not None and unit not in MAX_VALUES:
        message = f"unit must be one of {', '.join(MAX_VALUES)}"
        faults.append(Fault("unknown_unit", message, ("unit",)))
    value = _checked_number(members, unit, faults)
    if faults or device_name is None or start_date is None or unit is None or value is None:
        return None, faults
    return Sample(device_name, start_date, unit, value, device_version, end_date), []


def read_text(
    members: Members, name: str, faults: list[Fault], *, optional: bool = False
) -> str | None:
    """The text in a member; None if it has none, and its fault."""
    if name not in members:
        if not optional:
            faults.append(Fault("missing", f"{name} is missing", (name,)))
        return None
    value = read_value(members, name)
    if isinstance(value, str):
        return value
    if value is not None or not optional:
        faults.append(Fault("wrong_type", f"{name} must be a string", (name,)))
    return None


def _check_times(start: str | None, end: str | None, faults: list[Fault]) -> None:
    instants = []
    for name, text in (("start_date", start), ("end_date", end)):
        if text is None:
            continue
        try:
            instants.append(times.read(text)[0])
        except ValueError:
            message = f"{name} must be an ISO 8601 timestamp such as 2023-11-01T08:04:51.000+04:00"
            faults.append(Fault("not_iso8601", message, (name,)))
    if len(instants) == 2 and instants[1] < instants[0]:
        message = "end_date must not be earlier than start_date"
        faults.append(Fault("ends_before_start", message, ("end_date",)))


def _checked_number(members: Members, unit: str | None, faults: list[Fault]) -> float | None:
    place = ("value",)
    if "value" not in members:
        faults.append(Fault("missing", "value is missing", place))
        return None
    text = bytes(members["value"])
    if not (text[:1].isdigit() or text[:1] == b"-"):
        faults.append(Fault("wrong_type", "value must be a number", place))
        return None
    try:
        value = _number.decode(text)
    except MALFORMED:
        value = float("-inf") if text[:1] == b"-" else float("inf")
    limit = MAX_VALUES.get(unit or "", float("inf"))
    if value <= 0:
        faults.append(Fault("not_positive", "value must be greater than 0", place))
    elif value > limit:
        message = f"value must be at most {limit:g} when unit is {unit}"
        faults.append(Fault("above_limit", message, place))
    elif value == float("inf"):
        faults.append(Fault("above_limit", "value is larger than the largest double", place))
    return value
