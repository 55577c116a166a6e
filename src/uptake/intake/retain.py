"""Data kept no longer than its project's rules say."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from uptake.blobs import Blobs
from uptake.samples.metrics import METRICS
from uptake.store.base import Retention
from uptake.store.definitions import UNKNOWN_USER, RetentionKind, RetentionRule
from uptake.time_units import MICROSECONDS_PER_DAY

"""Microseconds."""

PAGE = 500
"""Rows taken away in one transaction, so that uploads in between hardly wait."""

MAX_DAYS = 36_500
MAX_RULES = 1000
RULE_TYPE = 256
"""Characters of a type: as many as the name of a document type may have."""


UNKNOWN_USER_DAYS = 30
"""How long rejections in which no user can be read are kept unless a rule says otherwise, as no
erasure can find them (wire contract, all wires)."""


class Due(msgspec.Struct, frozen=True):
    """How much a rule would take away; samples are counted one by one."""

    kind: RetentionKind
    type: str
    days: int
    due: int


def faults_of(rules: Sequence[RetentionRule]) -> Iterator[str]:
    """What keeps rules from being a project's."""
    for rule in rules:
        if not 1 <= rule.days <= MAX_DAYS:
            yield f"{rule.kind}: days must be 1 to {MAX_DAYS}"
        if rule.kind == "rejections" and rule.type not in {"", UNKNOWN_USER}:
            yield f"rejections: the only type is {UNKNOWN_USER}"
        if rule.type and rule.kind in {"images", "receipts"}:
            yield f"{rule.kind} have no types"
        if rule.kind == "samples" and rule.type not in {"", *METRICS}:
            yield f"samples: type must be one of {', '.join(METRICS)}"
        if "\0" in rule.type:
            yield f"{rule.kind}: a type must not contain a NUL character"
    if len({(rule.kind, rule.type) for rule in rules}) < len(rules):
        yield "two rules are about the same"


def in_force(rules: Sequence[RetentionRule]) -> list[RetentionRule]:
    """A project's rules, and the one that holds unless they say otherwise."""
    if any(rule.kind == "rejections" for rule in rules):
        return list(rules)
    return [*rules, RetentionRule("rejections", UNKNOWN_USER_DAYS, UNKNOWN_USER)]


def due(store: Retention, project: str, rules: Sequence[RetentionRule], now: int) -> list[Due]:
    """How much each rule would take away now."""
    return [
        Due(
            rule.kind,
            rule.type,
            rule.days,
            store.expired(project, rule, now - rule.days * MICROSECONDS_PER_DAY),
        )
        for rule in rules
    ]


def expire(store: Retention, blobs: Blobs, project: str, rule: RetentionRule, now: int) -> int:
    """Take away what is older than a rule permits; how much it was.

    Raises:
        StoreUnavailable, BlobsUnavailable: not all of it is gone.
    """
    before, taken = now - rule.days * MICROSECONDS_PER_DAY, 0
    after: tuple[Any, ...] = ()
    while True:
        page = store.expire(project, rule, before, after, PAGE)
        taken += page.count
        if page.blobs:
            blobs.delete(page.blobs)
        if not page.next:
            return taken
        after = page.next
