"""Gerosense: samples, v1.1 behind the customer's proxy and v2.2 (seeds 003 and 004).

The documents show no bodies of answers, not even of 207, so the answers have none.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any

from uploader.vendors.base import (
    Answer,
    Known,
    Rejected,
    Request,
    Stored,
    admit,
    bearer,
    check_method,
    check_plain,
    json_body,
    reject,
)

PREFIX = "/api/"
OF_TOKEN = "/api/v1.1/samples"
OF_USER = "/api/v2.2/samples"
BAD_REQUEST = 400
# "Request Body" of both documents.
DATA_TYPES = ("steps", "bpm")
FEWEST, MOST = 3, 1000
REQUIRED = {"device_name", "start_date", "unit", "value"}
OPTIONAL = {"device_version", "end_date"}
LARGEST = {"count": 30000, "count/min": 300, "count/s": math.inf}
TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)


def answer(request: Request, known: Known, stored: Stored) -> Answer:
    """Store the valid samples: 200 if all are valid, 207 if some are, 400 if none is.

    Raises:
        Rejected: the request violates the vendor's document, or has no valid sample.
    """
    if request.path not in {OF_TOKEN, OF_USER}:
        reject(404, "no such path")
    check_method(request)
    owner = known.keys[admit(known, bearer(request.headers))]
    check_plain(request)
    body = json_body(request, BAD_REQUEST)
    if not isinstance(body, dict):
        reject(BAD_REQUEST, "the body is not an object")
    user = _user(body, owner, request.path)
    data = _data(body)
    faults = {index: why for index, sample in enumerate(data) if (why := _fault(sample))}
    if len(faults) == len(data):
        raise Rejected(BAD_REQUEST, *((("data", index), why) for index, why in faults.items()))
    with stored.lock:
        stored.samples[user] += [
            (body["data_type"], sample) for index, sample in enumerate(data) if index not in faults
        ]
    rejected = "; ".join(f"data[{index}]: {why}" for index, why in faults.items())
    return Answer(207 if faults else 200, rejected=rejected)


def _user(body: dict[str, Any], owner: str | None, path: str) -> str:
    """The user of the samples. v1.1 has no `user_id`: there it is the owner of the token."""
    members = {"data_type", "data"} | ({"user_id"} if path == OF_USER else set())
    if set(body) != members:
        reject(BAD_REQUEST, f"the body's fields are not {', '.join(sorted(members))}")
    if path == OF_TOKEN:
        if owner is None:
            reject(401, "the token belongs to no user")
        return owner
    if not isinstance(body["user_id"], str) or not body["user_id"]:
        reject(BAD_REQUEST, "user_id is not a string or is empty")
    return str(body["user_id"])


def _data(body: dict[str, Any]) -> list[Any]:
    if body["data_type"] not in DATA_TYPES:
        reject(BAD_REQUEST, "data_type is neither steps nor bpm")
    data = body["data"]
    if not isinstance(data, list):
        reject(BAD_REQUEST, "data is not a list")
    if not FEWEST <= len(data) <= MOST:
        reject(BAD_REQUEST, "data has fewer than 3 or more than 1000 elements")
    return data


def _fault(sample: Any) -> str | None:
    """The error in a sample, if there is one."""
    if not isinstance(sample, dict):
        return "not an object"
    if not set(sample) >= REQUIRED:
        return "a required field is missing"
    if not set(sample) <= REQUIRED | OPTIONAL:
        return "an unknown field"
    texts = {name: value for name, value in sample.items() if name != "value"}
    if not all(isinstance(value, str) for value in texts.values()):
        return "a field is not a string"
    if not sample["device_name"].strip():
        return "device_name is blank"
    return _fault_of_value(sample) or _fault_of_times(sample)


def _fault_of_value(sample: dict[str, Any]) -> str | None:
    value = sample["value"]
    if sample["unit"] not in LARGEST:
        return "unit is not one of the three"
    if isinstance(value, bool) or not isinstance(value, int | float) or value == math.inf:
        return "value is not a number"
    if value <= 0:
        return "value is not bigger than 0"
    return "value is above the limit of its unit" if value > LARGEST[sample["unit"]] else None


def _fault_of_times(sample: dict[str, Any]) -> str | None:
    start, end = _time(sample["start_date"]), _time(sample.get("end_date", sample["start_date"]))
    if start is None or end is None:
        return "a date is not ISO 8601"
    return "end_date is earlier than start_date" if end < start else None


def _time(text: str) -> datetime | None:
    """The parsed time; without an offset it is in UTC."""
    if TIMESTAMP.fullmatch(text) is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def rejection(rejected: Rejected) -> Answer:
    """Only a status, without a body."""
    return Answer(rejected.status)
