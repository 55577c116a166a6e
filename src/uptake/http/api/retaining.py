"""How long data is kept, and what that would take away."""

from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler

from uptake.http.api import bodies
from uptake.http.api.asking import ADMINISTER, PROBLEMS, AnyRequest, Asking, documented, key_of
from uptake.http.executors import Executors
from uptake.intake.retain import MAX_DAYS, MAX_RULES, RULE_TYPE, Due, due, faults_of
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.store.definitions import RetentionKind, RetentionRule
from uptake.wiring import Services


class Rule(msgspec.Struct, frozen=True):
    """Data of a kind goes so many days after it was received.

    Attributes:
        kind: of data.
        days: how many.
        type: a metric, for samples, or a document type; absent for all of the kind.
    """

    kind: RetentionKind
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)]
    type: Annotated[str, msgspec.Meta(max_length=RULE_TYPE)] = ""


class Rules(msgspec.Struct, frozen=True):
    """The rules of a project."""

    rules: Annotated[list[Rule], msgspec.Meta(max_length=MAX_RULES)]


class Preview(msgspec.Struct, frozen=True):
    """What rules would take away now."""

    rules: list[Due]


_ReadsRules = bodies.json_body(bodies.component(Rules.__name__))
_PROBLEMS = PROBLEMS | documented(*bodies.PROBLEMS)


def retention_routes(services: Services, executors: Executors) -> list[HTTPRouteHandler]:
    """The routes, over these services."""
    store = services.store
    reads, slow = Asking(executors.reads), Asking(executors.slow)

    @get(
        "/retention",
        permission=ADMINISTER,
        responses=PROBLEMS,
        summary="How long data is kept",
    )
    async def get_rules(request: AnyRequest) -> Rules:
        """The rules that hold; what none speaks of is kept."""
        found = await reads.ask(request, store.retention, key_of(request).project)
        return Rules([Rule(rule.kind, rule.days, rule.type) for rule in found])

    @put(
        "/retention",
        permission=ADMINISTER,
        responses=_PROBLEMS,
        operation_class=_ReadsRules,
        summary="Say how long data is kept",
    )
    async def put_rules(request: AnyRequest) -> Rules:
        """In place of the rules before. They are applied every hour."""
        rules = await bodies.read_as(request, Rules)
        await reads.change(request, store.put_retention, key_of(request).project, _sound(rules))
        return rules

    @post(
        "/retention/preview",
        status_code=200,
        permission=ADMINISTER,
        responses=_PROBLEMS,
        operation_class=_ReadsRules,
        summary="See what rules would take away",
    )
    async def preview_rules(request: AnyRequest) -> Preview:
        """Nothing is taken away by asking."""
        project, rules = key_of(request).project, _sound(await bodies.read_as(request, Rules))
        return Preview(await slow.ask(request, due, store, project, rules, clock.now()))

    return [get_rules, put_rules, preview_rules]


def _sound(data: Rules) -> list[RetentionRule]:
    rules = [RetentionRule(rule.kind, rule.days, rule.type) for rule in data.rules]
    for fault in faults_of(rules):
        raise Problem(Kinds.BAD_REQUEST, fault)
    return rules
