"""Parses filters from JSON and reports every fault with its location."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from uptake.model.submission import Fault
from uptake.reading import SAMPLE_ZONE
from uptake.reading.segments import filters as f
from uptake.samples import times, zones
from uptake.time_units import TICKS_PER_MICROSECOND

MAX_FAULTS = 20
"""Faults that are reported at once."""

MAX_COUNT = 1 << 53
"""Larger numbers in JSON are not exact in every language."""

Place = tuple[str | int, ...]
HasType = Callable[[str], bool]


class InvalidFilter(ValueError):
    """The filter is invalid.

    Attributes:
        faults: at least one, at most `MAX_FAULTS`; locations are relative to the filter.
    """

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.message}" for fault in faults))
        self.faults = faults


def read(text: bytes, has_type: HasType = lambda _: True) -> f.Filter:
    """Parse a filter.

    Args:
        text: JSON.
        has_type: returns whether the project has a document type of this name.

    Raises:
        msgspec.DecodeError: the text is not JSON.
        InvalidFilter: the JSON is not a valid filter.
    """
    try:
        found = msgspec.json.decode(text)
    except RecursionError:
        raise InvalidFilter([_too_deep(())]) from None
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("the text is not UTF-8") from error
    return parse(found, has_type)


def parse(found: Any, has_type: HasType = lambda _: True) -> f.Filter:
    """Parse a filter from decoded JSON; see `read`.

    Raises:
        InvalidFilter: it is not a valid filter.
    """
    parser = _Parser(has_type)
    made = parser.filter(found, (), 0)
    if parser.faults or made is None:
        raise InvalidFilter(parser.faults[:MAX_FAULTS])
    return made


def _too_deep(place: Place) -> Fault:
    return Fault("too_deep", f"filters can be nested {f.MAX_DEPTH} deep at most", place)


class _Parser:
    """Parses a filter and collects its faults."""

    def __init__(self, has_type: HasType) -> None:
        self.faults: list[Fault] = []
        self.has_type = has_type
        self._counts: Counter[str] = Counter()

    def filter(self, found: Any, place: Place, depth: int) -> f.Filter | None:
        self._count("parts", f.MAX_PARTS, place)
        if depth > f.MAX_DEPTH:
            self.faults.append(_too_deep(place))
            return None
        if not isinstance(found, dict):
            self.fault("wrong_type", "must be an object", place)
            return None
        kinds = [name for name in f.MEMBERS if name in found]
        if len(kinds) != 1:
            one_of = ", ".join(f"`{name}`" for name in f.MEMBERS)
            self.fault("unknown_filter", f"a filter must have exactly one of {one_of}", place)
            return None
        (kind,) = kinds
        for name in sorted(found.keys() - {kind, *f.MEMBERS[kind]}):
            message = f"`{name}` is not a member of a `{kind}` filter"
            self.fault("unknown_member", message, (*place, name))
        if kind == "not":
            part = self.filter(found["not"], (*place, "not"), depth + 1)
            return None if part is None else f.Not(part)
        if kind in {"and", "or"}:
            return self._group(kind, found[kind], (*place, kind), depth)
        self._count("conditions", f.MAX_CONDITIONS, place)
        if kind in {"documents", "samples"}:
            self._count("conditions on documents and samples", f.MAX_BEHAVIOUR, place)
        before = len(self.faults)
        made = _CONDITIONS[kind](_Members(self, found, place))
        return made if len(self.faults) == before else None

    def _group(self, kind: str, found: Any, place: Place, depth: int) -> f.Filter | None:
        if not isinstance(found, list):
            self.fault("wrong_type", "must be a list of filters", place)
            return None
        parts = []
        for i, part in enumerate(found):
            if self._counts["parts"] > f.MAX_PARTS or len(self.faults) >= MAX_FAULTS:
                break
            parts.append(self.filter(part, (*place, i), depth + 1))
        valid = tuple(part for part in parts if part is not None)
        return f.And(valid) if kind == "and" else f.Or(valid)

    def _count(self, what: str, limit: int, place: Place) -> None:
        self._counts[what] += 1
        if self._counts[what] == limit + 1:
            self.fault("too_many", f"a filter can have at most {limit} {what}", place)

    def fault(self, code: str, message: str, place: Place) -> None:
        self.faults.append(Fault(code, message, place))


class _Members:
    """The members of a condition, each returned if it is valid; else its fault is reported."""

    def __init__(self, parser: _Parser, found: Mapping[str, Any], place: Place) -> None:
        self.found = found
        self.has_type = parser.has_type
        self._parser = parser
        self._place = place

    def fault(self, code: str, message: str, *where: str | int) -> None:
        self._parser.fault(code, message, (*self._place, *where))

    def _expected(self, what: str, name: str) -> None:
        self.fault("wrong_value" if name in self.found else "missing", f"must be {what}", name)

    def choice(self, name: str, choices: tuple[str, ...]) -> Any:
        value = self.found.get(name)
        if value in choices:
            return value
        self._expected("one of " + ", ".join(f"`{choice}`" for choice in choices), name)
        return None

    def integer(self, name: str, what: str, least: int, most: int) -> int:
        value = self.found.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self._expected(what, name)
            return least
        if not least <= value <= most:
            self.fault("out_of_range", f"must be {least} to {most}", name)
        return value

    def days(self, name: str, least: int = 1) -> int:
        return self.integer(name, "a whole number of days", least, f.MAX_DAYS)

    def name(self, name: str) -> str:
        value = self.found[name]
        if not isinstance(value, str):
            self.fault("wrong_type", "must be a string", name)
            return ""
        if not value:
            self.fault("blank", "must not be empty", name)
        return self._short(value, name)

    def values(self, kind: str) -> list[Any]:
        values = self.found.get("value")
        if not isinstance(values, list):
            self._expected("a list", "value")
            return []
        if len(values) > f.MAX_LISTED:
            self.fault("too_many", f"must have at most {f.MAX_LISTED} values", "value")
            return []
        return [self._value(value, kind, "value", i) for i, value in enumerate(values)]

    def value(self, kind: str) -> Any:
        if "value" not in self.found:
            self.fault("missing", "`value` is required", "value")
            return None
        return self._value(self.found["value"], kind, "value")

    def _value(self, value: Any, kind: str, *where: str | int) -> Any:
        if kind == "number":
            return self._number(value, *where)
        if kind == "date":
            return self._instant(value, *where)
        if not isinstance(value, str):
            message = (
                "must be a string, because attributes are text; for numbers set `as` to `number`"
            )
            self.fault("wrong_type", message, *where)
            return None
        return self._short(value, *where)

    def _number(self, value: Any, *where: str | int) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault("wrong_type", "must be a number", *where)
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self.fault("too_large", "must fit into a double-precision number", *where)
            return None
        return number

    def _instant(self, value: Any, *where: str | int) -> int | None:
        code = "not_iso8601" if isinstance(value, str) else "wrong_type"
        try:
            return times.read(value)[0]
        except (TypeError, ValueError):
            self.fault(code, "must be an ISO 8601 date or time", *where)
            return None

    def _short(self, value: str, *where: str | int) -> str:
        if len(value) > f.MAX_TEXT:
            self.fault("too_long", f"must have at most {f.MAX_TEXT} characters", *where)
        return value


def _attribute(members: _Members) -> f.Filter | None:
    found, name = members.found, members.name("attribute")
    op = members.choice("op", tuple(f.OPERATORS))
    kinds = f.OPERATORS.get(op)
    if kinds == ():
        for other in ("value", "as"):
            if other in found:
                members.fault("unknown_member", f"`{other}` is not allowed with `{op}`", other)
        return f.Present(name, op)
    kind: f.Kind | None = members.choice("as", get_args(f.Kind)) if "as" in found else "text"
    if kinds is None or kind is None:
        return None
    if "text" not in kinds and "as" not in found:
        one_of = " or ".join(f"`{one}`" for one in kinds)
        members.fault("missing", f"`as` is required with `{op}`: {one_of}", "as")
        return None
    if kind not in kinds:
        members.fault("wrong_op", f"`{op}` cannot compare values as `{kind}`", "op")
        return None
    if op == "in":
        return f.Compared(name, op, kind, tuple(members.values(kind)))
    value = members.value(kind)
    if kinds == ("text",) and value == "":
        members.fault("blank", "must not be empty, because every text would match", "value")
    return f.Compared(name, op, kind, (value,))


def _seen(members: _Members) -> f.Filter | None:
    which = members.choice("seen", get_args(f.Which))
    op = members.choice("op", f.ORDERS)
    if ("value" in members.found) == ("days_ago" in members.found):
        members.fault("missing", "must have either `value` or `days_ago`")
        return None
    if "days_ago" in members.found:
        return f.Seen(which, op, days_ago=members.days("days_ago", 0))
    ticks = members.value("date")
    return f.Seen(which, op, None if ticks is None else ticks // TICKS_PER_MICROSECOND)


def _documents(members: _Members) -> f.Filter:
    name = members.name("documents")
    if name and not members.has_type(name):
        members.fault("unknown_type", f"the project has no document type {name!r}", "documents")
    op = members.choice("op", f.ORDERS)
    value = members.integer("value", "a whole number", 0, MAX_COUNT)
    days = members.days("days") if "days" in members.found else None
    return f.Documents(name, op, value, days)


def _samples(members: _Members) -> f.Filter:
    metric = members.choice("samples", tuple(f.STATS))
    stat = members.choice("stat", f.STATS.get(metric, get_args(f.Stat)))
    op = members.choice("op", f.ORDERS)
    days = members.days("days")
    zone = members.found.get("zone", SAMPLE_ZONE)
    if not isinstance(zone, str) or not (zone == SAMPLE_ZONE or zone in zones.names()):
        message = f"must be `{SAMPLE_ZONE}` or the IANA name of a time zone"
        message += zones.hint(zone) if isinstance(zone, str) else ""
        members.fault("unknown_zone", message, "zone")
    value = members.value("number")
    return f.SampleStat(metric, stat, days, None if zone == SAMPLE_ZONE else zone, op, value)


_CONDITIONS: dict[str, Callable[[_Members], f.Filter | None]] = {
    "attribute": _attribute,
    "seen": _seen,
    "documents": _documents,
    "samples": _samples,
}
