"""The filter language in its plainest form: one user at a time, on what was sent."""

import json
from collections.abc import Mapping
from typing import Any

from uptake.samples import times

Attributes = Mapping[str, str]


def holds(wanted: Mapping[str, Any], attributes: Attributes) -> bool:
    """Whether a filter over attributes is true of a user."""
    if "and" in wanted:
        return all(holds(part, attributes) for part in wanted["and"])
    if "or" in wanted:
        return any(holds(part, attributes) for part in wanted["or"])
    if "not" in wanted:
        return not holds(wanted["not"], attributes)
    value = attributes.get(wanted["attribute"])
    return value is not None and _of_value(wanted, value)


def _of_value(wanted: Mapping[str, Any], value: str) -> bool:
    match wanted["op"]:
        case "exists":
            return True
        case "is_empty":
            return value == ""
        case "contains":
            return wanted["value"] in value
        case "starts_with":
            return value.startswith(wanted["value"])
    return _compares(wanted, value)


def _compares(wanted: Mapping[str, Any], value: str) -> bool:
    op, kind = wanted["op"], wanted.get("as", "text")
    mine = _read(value, kind)
    if mine is None:
        return False
    others = wanted["value"] if op == "in" else [wanted["value"]]
    if kind == "date":
        others = [times.read(other)[0] for other in others]
    if op == "in":
        return bool(mine in others)
    other = others[0]
    found: bool = {
        "eq": lambda: mine == other,
        "ne": lambda: mine != other,
        "gt": lambda: mine > other,
        "ge": lambda: mine >= other,
        "lt": lambda: mine < other,
        "le": lambda: mine <= other,
    }[op]()
    return found


def _read(value: str, kind: str) -> Any:
    if kind == "text":
        return value
    try:
        if kind == "date":
            return times.read(value)[0]
        number = json.loads(value, parse_constant=lambda _: None)
    except ValueError:
        return None
    plain = isinstance(number, int | float) and not isinstance(number, bool)
    if not plain or value != value.strip():
        return None
    number = float(number)
    return None if number in {float("inf"), float("-inf")} else number
