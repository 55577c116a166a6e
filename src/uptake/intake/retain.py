"""Deletes data that are older than the retention rules of their project permit."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from uptake.blobs import Blobs
from uptake.samples.metrics import METRICS
from uptake.store.base import Retention
from uptake.store.definitions import UNKNOWN_USER, RetentionKind, RetentionRule
from uptake.time_units import MICROSECONDS_PER_DAY

PAGE = 500
"""Rows deleted in one transaction, so that uploads wait only briefly."""

MAX_DAYS = 36_500
MAX_RULES = 1000
RULE_TYPE = 256
"""Characters of a type: as many as the name of a document type may have."""

UNKNOWN_USER_DAYS = 30
"""Days for which rejections without a readable user are stored, unless a rule sets another number.
No erasure can find them."""


RECEIPT_DAYS = 90
"""Days for which receipts are stored, unless a rule sets another number: long enough to clear up
what became of an upload."""


class Due(msgspec.Struct, frozen=True):
    """The number of items that a rule would delete; samples are counted one by one."""

    kind: RetentionKind
    type: str
    days: int
    due: int


DEFAULT_RULES = (
    RetentionRule("rejections", UNKNOWN_USER_DAYS, UNKNOWN_USER),
    RetentionRule("receipts", RECEIPT_DAYS),
)


def faults_of(rules: Sequence[RetentionRule]) -> Iterator[str]:
    """The reasons that rules are invalid."""
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
    """A project's rules, with the default rules for kinds without a rule."""
    kinds = {rule.kind for rule in rules}
    return [*rules, *(rule for rule in DEFAULT_RULES if rule.kind not in kinds)]


def due(store: Retention, project: str, rules: Sequence[RetentionRule], now: int) -> list[Due]:
    """The number of items that each rule would delete now."""
    return [
        Due(
            rule.kind,
            rule.type,
            rule.days,
            store.count_expired(project, rule, now - rule.days * MICROSECONDS_PER_DAY),
        )
        for rule in rules
    ]


def expire(store: Retention, blobs: Blobs, project: str, rule: RetentionRule, now: int) -> int:
    """Delete items that are older than a rule permits; returns their number.

    Raises:
        StoreUnavailable, BlobsUnavailable: some items are left.
    """
    before, deleted = now - rule.days * MICROSECONDS_PER_DAY, 0
    after: tuple[Any, ...] = ()
    while True:
        # Bytes are deleted before their rows: nothing would refer to bytes that a crash left.
        unused = store.expired_blobs(project, rule, before, after, PAGE)
        if unused:
            blobs.delete(unused)
        page = store.expire(project, rule, before, after, PAGE)
        deleted += page.count
        # Images that were uploaded again in between have other bytes.
        if changed := sorted(set(page.blobs) - set(unused)):
            blobs.delete(changed)
        if not page.next:
            return deleted
        after = page.next
