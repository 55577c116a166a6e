"""What a document does not fulfil of its schema, as faults."""

from typing import Any

import jsonschema_rs

from uptake.model.problems import json_reason
from uptake.model.submission import Fault

MAX_VIOLATIONS = 100
"""Violations listed of one document; the next ones show when these are fixed."""

DATA = ("data",)
"""The place of a document in its upload."""


def violations(validator: jsonschema_rs.Validator, document: Any) -> list[Fault]:
    """The first violations of a document, and a last fault that says how many more there are."""
    faults: list[Fault] = []
    more = 0
    for violation in validator.iter_errors(document):
        if len(faults) < MAX_VIOLATIONS:
            faults.append(fault(violation))
        else:
            more += 1
    if more:
        faults.append(Fault("more_violations", f"{more:,} more violations are not listed", DATA))
    return faults


def fault(violation: Any) -> Fault:
    """A violation as a fault; its code is the keyword that is not fulfilled."""
    code = next((part for part in reversed(violation.schema_path) if isinstance(part, str)), "")
    return Fault(code or "schema", violation.message, (*DATA, *violation.instance_path))


def unreadable(error: Exception) -> Fault:
    """The fault of a document that the validator cannot read, such as one nested too deep."""
    return Fault("unreadable", json_reason(error).splitlines()[0], DATA)
