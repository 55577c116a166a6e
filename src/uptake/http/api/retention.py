"""Retention rules: how long data is stored."""

from typing import Annotated

import msgspec

from uptake.http.api.dependencies import (
    ADMINISTER,
    MAX_STRUCT,
    Body,
    Call,
    component,
    operation,
    valid_json,
)
from uptake.intake.retain import MAX_DAYS, MAX_RULES, RULE_TYPE, Due, due, faults_of
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.store.definitions import RetentionKind, RetentionRule


class Rule(msgspec.Struct, frozen=True):
    """Data of a kind is deleted this many days after it was received.

    Attributes:
        kind: kind of data.
        days: number of days.
        type: a metric (for samples) or a document type; absent for all data of the kind.
    """

    kind: RetentionKind
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)]
    type: Annotated[str, msgspec.Meta(max_length=RULE_TYPE)] = ""


class Rules(msgspec.Struct, frozen=True):
    """The rules of a project."""

    rules: Annotated[list[Rule], msgspec.Meta(max_length=MAX_RULES)]


class RetentionPreview(msgspec.Struct, frozen=True):
    """What rules would delete now."""

    rules: list[Due]


BODY = Body(MAX_STRUCT, component(Rules.__name__))


@operation("GET", "/retention", ADMINISTER, "Get the retention rules")
def get_retention(call: Call) -> Rules:
    """Data without a rule is stored without a time limit."""
    found = call.store.retention(call.project)
    return Rules([Rule(rule.kind, rule.days, rule.type) for rule in found])


@operation("PUT", "/retention", ADMINISTER, "Replace the retention rules", changes=True, body=BODY)
def put_retention(call: Call) -> Rules:
    """Replaces all rules. Servers apply them every hour."""
    rules = _decoded(call)
    call.store.put_retention(call.project, _checked(rules))
    return rules


@operation(
    "POST", "/retention/preview", ADMINISTER, "Preview retention rules", slow=True, body=BODY
)
def preview_retention(call: Call) -> RetentionPreview:
    """Returns what the rules would delete now. Nothing is deleted."""
    return RetentionPreview(due(call.store, call.project, _checked(_decoded(call)), clock.now()))


def _decoded(call: Call) -> Rules:
    with valid_json():
        return msgspec.json.decode(call.content, type=Rules)


def _checked(data: Rules) -> list[RetentionRule]:
    rules = [RetentionRule(rule.kind, rule.days, rule.type) for rule in data.rules]
    for fault in faults_of(rules):
        raise Problem(Kinds.BAD_REQUEST, fault)
    return rules
