"""Ptengine: upload of user attributes (seed 001)."""

import time
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

PREFIX = "/v1/user/"
PATH = "/v1/user/profiles"
BAD_REQUEST = 400
USER = "user_id"
# Section 3, "Request Body".
MOST_FIELDS = 50
MOST_USERS = 100
LONGEST_NAME = 50
LONGEST_VALUE = 128


def answer(request: Request, known: Known, stored: Stored) -> Answer:
    """Store the attributes of up to 100 users.

    Raises:
        Rejected: the request violates the vendor's document; nothing is stored.
    """
    if request.path != PATH:
        reject(404, "no such resource")
    check_method(request)
    admit(known, bearer(request.headers))
    check_plain(request)
    body = json_body(request, BAD_REQUEST)
    if not isinstance(body, dict) or set(body) != {"field_name", "values"}:
        reject(BAD_REQUEST, "the request body contains two fields: field_name and values")
    names = _names(body["field_name"])
    rows = _rows(body["values"], names)
    with stored.lock:
        for row in rows:
            stored.attributes[row[USER]] |= {name: row[name] for name in names if name != USER}
    return Answer(200, {"msg": "Success", "timestamp": int(time.time())})


def _names(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        reject(BAD_REQUEST, "field_name: not a list of strings")
    if USER not in names:
        reject(BAD_REQUEST, "field_name: must include user_id")
    if len(names) > MOST_FIELDS:
        reject(BAD_REQUEST, "field_name: more than 50 fields")
    if len(set(names)) != len(names):
        reject(BAD_REQUEST, "field_name: a name occurs twice")
    if not all(1 <= len(name) <= LONGEST_NAME for name in names):
        reject(BAD_REQUEST, "field_name: a name is empty or over 50 characters")
    return names


def _rows(rows: Any, names: list[str]) -> list[dict[str, str]]:
    """The rows as dicts.

    A value must be a string: the document counts characters of values, writes `""` for an empty
    value, and shows only strings.
    """
    if not isinstance(rows, list) or not rows:
        reject(BAD_REQUEST, "values: not a list of users")
    if len(rows) > MOST_USERS:
        reject(BAD_REQUEST, "values: more than 100 users")
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            reject(BAD_REQUEST, f"values[{index}]: does not correspond to field_name")
        for value in row:
            if not isinstance(value, str):
                reject(BAD_REQUEST, f"values[{index}]: a value is not a string")
            if len(value) > LONGEST_VALUE:
                reject(BAD_REQUEST, f"values[{index}]: a value is over 128 characters")
        if not row[names.index(USER)]:
            reject(BAD_REQUEST, f"values[{index}]: user_id is empty")
    return [dict(zip(names, row, strict=True)) for row in rows]


def rejection(rejected: Rejected) -> Answer:
    """The reason, in the envelope of section 7."""
    return Answer(rejected.status, {"msg": str(rejected), "timestamp": int(time.time())})
