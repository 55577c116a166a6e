"""Computes how much work a JSON Schema can cause: the number of its parts, and its weight.

The weight of a schema is the maximum number of keywords that it evaluates at one place of a
document. Each place takes at least a byte, so weight times bytes bounds all evaluations. A schema
that refers to itself more than once at a place has no bound.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

MAX_DEPTH = 100
"""Levels of nesting in a schema; the limit of the validator is 255."""

MAX_SUBSCHEMAS = 20_000
MAX_REFERENCES = 5_000
MAX_PATTERNS = 1_000
"""Parts of a schema; a hand-written one has less than a tenth of these."""

MAX_WEIGHT = 1_000_000
"""Maximum weight; a schema with a greater one has no bound."""

ROUNDS = 20
"""Passes in which the weights of a recursive schema converge, or never."""

REGEX_FORMAT_COST = 4096
"""Cost of `format: regex`, which compiles a regular expression of a document."""

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLES = ("not", "if", "then", "else")
_DEPENDENT = ("dependentSchemas", "dependencies")
_ITEMS = ("items", "prefixItems", "additionalItems")
_EVERYWHERE = ("propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
_IDS = ("$id", "id")
_ANCHORS = ("$anchor", "$dynamicAnchor")


class TooManyParts(ValueError):
    """A schema has too many parts; the message has the kind."""


@dataclass(slots=True)
class _Node:
    """A subschema, and the numbers of the subschemas that it applies.

    Attributes:
        cost: number of its keywords and their entries.
        patterns: number of its regular expressions.
        in_place: subschemas for the same place.
        summed: subschemas for all places below.
        exclusive: subschemas of which at most one applies to a place below.
        repeats: whether `in_place` is evaluated twice, to find unevaluated parts.
    """

    cost: int = 1
    patterns: int = 0
    in_place: list[int] = field(default_factory=list)
    summed: list[int] = field(default_factory=list)
    exclusive: list[int] = field(default_factory=list)
    repeats: bool = False


class Examination:
    """The subschemas that the root of a schema refers to.

    Args:
        schema: decoded.

    Raises:
        TooManyParts: it has too many, or is nested too deep.
    """

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._nodes: list[_Node] = []
        self._numbers: dict[int, int] = {}
        self._pending: list[tuple[_Node, Any]] = []
        self._references = 0
        self.patterns = 0
        self.is_bounded = True
        self._base, self._anchors = self._names()
        self._number(schema)
        while self._pending:
            self._visit(*self._pending.pop())
        if self.patterns > MAX_PATTERNS:
            raise TooManyParts(f"it has more than {MAX_PATTERNS:,} regular expressions")

    def weight(self, pattern_cost: int) -> float:
        """The maximum number of keywords evaluated at a place; infinite without a bound.

        Args:
            pattern_cost: of a regular expression, in evaluations of other keywords.
        """
        here, below = [0] * len(self._nodes), [0] * len(self._nodes)
        order = self._children_first()
        for _ in range(ROUNDS if self.is_bounded else 0):
            changed = False
            for number in order:
                node = self._nodes[number]
                factor = 2 if node.repeats else 1
                at = node.cost + node.patterns * pattern_cost
                at += factor * sum(here[part] for part in node.in_place)
                under = factor * sum(below[part] for part in node.in_place)
                under += sum(max(here[part], below[part]) for part in node.summed)
                under += max((max(here[part], below[part]) for part in node.exclusive), default=0)
                if max(at, under) > MAX_WEIGHT:
                    return math.inf
                if (at, under) != (here[number], below[number]):
                    here[number], below[number], changed = at, under, True
            if not changed:
                return max(here[0], below[0])
        return math.inf

    def _names(self) -> tuple[str, dict[str, Any]]:
        """The URI of the root, and its anchors, found by a walk through the schema."""
        base = ""
        anchors: dict[str, Any] = {}
        level: list[Any] = [self._root] if isinstance(self._root, dict) else []
        for _ in range(MAX_DEPTH + 1):
            for part in level:
                if not isinstance(part, dict):
                    continue
                for name in _IDS:
                    address = part.get(name)
                    if part is self._root and isinstance(address, str):
                        base = address.rstrip("#")
                    elif isinstance(address, str):
                        # A subschema with a URI of its own changes the base of its references.
                        self.is_bounded = False
                for name in _ANCHORS:
                    if isinstance(part.get(name), str):
                        anchors[part[name]] = part
            level = [inner for part in level for inner in _inside(part)]
            if not level:
                return base, anchors
        raise TooManyParts(f"it is nested more than {MAX_DEPTH} levels deep")

    def _number(self, schema: Any) -> int:
        number = self._numbers.get(id(schema))
        if number is None or isinstance(schema, bool):
            number = len(self._nodes)
            if number >= MAX_SUBSCHEMAS:
                raise TooManyParts(f"it has more than {MAX_SUBSCHEMAS:,} subschemas")
            node = _Node()
            self._nodes.append(node)
            if isinstance(schema, dict):
                self._numbers[id(schema)] = number
                self._pending.append((node, schema))
        return number

    def _visit(self, node: _Node, schema: dict[str, Any]) -> None:
        node.cost = sum(1 + _entries(value) for value in schema.values())
        node.repeats = any(name in schema for name in _UNEVALUATED)
        if schema.get("format") == "regex":
            node.cost += REGEX_FORMAT_COST
        self._count_patterns(node, schema)
        node.in_place += self._numbers_of(schema, _LISTS + _SINGLES + _DEPENDENT)
        node.exclusive += self._numbers_of(schema, ("properties", *_ITEMS, "additionalProperties"))
        node.summed += self._numbers_of(schema, ("patternProperties", *_EVERYWHERE))
        if any(name in schema for name in _DYNAMIC):
            self.is_bounded = False
        if isinstance(schema.get("$ref"), str):
            self._refer(node, schema["$ref"])

    def _count_patterns(self, node: _Node, schema: dict[str, Any]) -> None:
        by_name = schema.get("patternProperties")
        node.patterns = ("pattern" in schema) + (len(by_name) if isinstance(by_name, dict) else 0)
        self.patterns += node.patterns

    def _numbers_of(self, schema: dict[str, Any], keywords: tuple[str, ...]) -> list[int]:
        """The subschemas of keywords, which have one, a list or an object of them."""
        numbers = []
        for keyword in keywords:
            value = schema.get(keyword)
            by_name = keyword in {*_DEPENDENT, "properties", "patternProperties"}
            parts = value.values() if by_name and isinstance(value, dict) else [value]
            schemas = value if isinstance(value, list) else parts
            numbers += [self._number(part) for part in schemas if isinstance(part, dict | bool)]
        return numbers

    def _refer(self, node: _Node, reference: str) -> None:
        self._references += 1
        if self._references > MAX_REFERENCES:
            raise TooManyParts(f"it has more than {MAX_REFERENCES:,} references")
        address, _, fragment = reference.partition("#")
        target = self._anchors.get(fragment) if fragment and not fragment.startswith("/") else None
        if address in {"", self._base} and target is None:
            target = _at(self._root, unquote(fragment))
        if isinstance(target, dict | bool):
            node.in_place.append(self._number(target))
        else:
            # The validator resolves it.
            self.is_bounded = False

    def _children_first(self) -> list[int]:
        """All numbers, each after those that it applies, except in cycles."""
        order: list[int] = []
        seen = [False] * len(self._nodes)
        stack = [(0, self._applied(0))]
        seen[0] = True
        while stack:
            number, rest = stack[-1]
            following = next((part for part in rest if not seen[part]), None)
            if following is None:
                order.append(number)
                stack.pop()
            else:
                seen[following] = True
                stack.append((following, self._applied(following)))
        return order

    def _applied(self, number: int) -> Iterator[int]:
        node = self._nodes[number]
        return iter([*node.in_place, *node.summed, *node.exclusive])


def _inside(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [inner for inner in part.values() if isinstance(inner, dict | list)]
    return [inner for inner in part if isinstance(inner, dict | list)]


def _entries(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def _at(root: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901); None if there is none."""
    found = root
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
