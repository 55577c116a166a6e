"""Parses filters from JSON and reports every fault with its location."""

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from uptake.model.submission import Fault
from uptake.reading.rollups import SAMPLE_ZONE
from uptake.reading.segments import filters as f
from uptake.samples import times, zones
from uptake.time_units import TICKS_PER_MICROSECOND

MAX_FAULTS = 20
"""Faults that are reported at once."""

NUMBER_PATTERN = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
"""A JSON number (RFC 8259, section 6)."""

_ORDERS = get_args(f.Order)
_PRESENCES = get_args(f.Presence)
_TYPED = (*_ORDERS, "in")
_TEXTS = ("contains", "starts_with")
_MEMBERS: dict[str, tuple[str, ...]] = {
    "and": (),
    "or": (),
    "not": (),
    "attribute": ("op", "value", "as"),
    "seen": ("op", "value", "days_ago"),
    "documents": ("op", "value", "days"),
    "samples": ("op", "value", "stat", "days", "zone"),
}
"""The kinds of filters by their identifying member, with their other members."""

Place = tuple[str | int, ...]
Members = Mapping[str, Any]
HasType = Callable[[str], bool]


def _any_type(_name: str) -> bool:
    return True


class InvalidFilter(ValueError):
    """The filter is invalid.

    Attributes:
        faults: at least one, at most `MAX_FAULTS`; locations are relative to the filter.
    """

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.message}" for fault in faults))
        self.faults = faults


def read(text: bytes, has_type: HasType = _any_type) -> f.Filter:
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


def parse(found: Any, has_type: HasType = _any_type) -> f.Filter:
    """Parse a filter from decoded JSON; see `read`.

    Raises:
        InvalidFilter: it is not a valid filter.
    """
    reader = _Reader(has_type)
    made = reader.filter(found, (), 0)
    if reader.faults or made is None:
        raise InvalidFilter(reader.faults[:MAX_FAULTS])
    return made


def _too_deep(place: Place) -> Fault:
    return Fault("too_deep", f"filters can be nested {f.MAX_DEPTH} deep at most", place)


class _Reader:
    """Parses a filter and collects its faults."""

    def __init__(self, has_type: HasType) -> None:
        self.faults: list[Fault] = []
        self._has_type = has_type
        self._parts = 0
        self._conditions = 0
        self._behaviour = 0

    def filter(self, found: Any, place: Place, depth: int) -> f.Filter | None:
        self._parts += 1
        if self._parts == f.MAX_PARTS + 1:
            self._fault("too_many", f"a filter can have at most {f.MAX_PARTS} parts", place)
        if depth > f.MAX_DEPTH:
            self.faults.append(_too_deep(place))
            return None
        if not isinstance(found, dict):
            self._fault("wrong_type", "must be an object", place)
            return None
        kinds = [name for name in _MEMBERS if name in found]
        if len(kinds) != 1:
            one_of = ", ".join(f"`{name}`" for name in _MEMBERS)
            self._fault("unknown_filter", f"a filter must have exactly one of {one_of}", place)
            return None
        (kind,) = kinds
        for name in sorted(found.keys() - {kind, *_MEMBERS[kind]}):
            self._fault(
                "unknown_member", f"`{name}` is not a member of a `{kind}` filter", (*place, name)
            )
        if kind == "not":
            part = self.filter(found["not"], (*place, "not"), depth + 1)
            return None if part is None else f.Not(part)
        if kind in {"and", "or"}:
            return self._group(kind, found[kind], (*place, kind), depth)
        return self._condition(kind, found, place)

    def _group(self, kind: str, found: Any, place: Place, depth: int) -> f.Filter | None:
        if not isinstance(found, list):
            self._fault("wrong_type", "must be a list of filters", place)
            return None
        parts = []
        for i, part in enumerate(found):
            if self._parts > f.MAX_PARTS or len(self.faults) >= MAX_FAULTS:
                break
            parts.append(self.filter(part, (*place, i), depth + 1))
        whole = tuple(part for part in parts if part is not None)
        return f.And(whole) if kind == "and" else f.Or(whole)

    def _condition(self, kind: str, found: Members, place: Place) -> f.Filter | None:
        self._conditions += 1
        self._behaviour += kind in {"documents", "samples"}
        if self._conditions == f.MAX_CONDITIONS + 1:
            message = f"a filter can have at most {f.MAX_CONDITIONS} conditions"
            self._fault("too_many", message, place)
        if kind in {"documents", "samples"} and self._behaviour == f.MAX_BEHAVIOUR + 1:
            message = (
                f"a filter can have at most {f.MAX_BEHAVIOUR} conditions on documents and samples"
            )
            self._fault("too_many", message, place)
        before = len(self.faults)
        read: Callable[[Members, Place], f.Filter | None] = {
            "attribute": self._attribute,
            "seen": self._seen,
            "documents": self._documents,
            "samples": self._samples,
        }[kind]
        made = read(found, place)
        return made if len(self.faults) == before else None

    def _attribute(self, found: Members, place: Place) -> f.Filter | None:
        name = self._text(found, "attribute", place)
        op = self._choice(found, "op", (*_PRESENCES, *_TYPED, *_TEXTS), place)
        if op in _PRESENCES:
            for other in ("value", "as"):
                if other in found:
                    self._fault(
                        "unknown_member", f"`{other}` is not allowed with `{op}`", (*place, other)
                    )
            return f.Present(name, op)
        kind: f.Kind | None = "text"
        if "as" in found:
            kind = self._choice(found, "as", get_args(f.Kind), place)
        if op is None or kind is None:
            return None
        if op in {"gt", "ge", "lt", "le"} and kind == "text" and "as" not in found:
            self._fault(
                "missing", f"`as` is required with `{op}`: `number` or `date`", (*place, "as")
            )
            return None
        if (op in {"gt", "ge", "lt", "le"} and kind == "text") or (op in _TEXTS and kind != "text"):
            self._fault("wrong_op", f"`{op}` cannot compare values as `{kind}`", (*place, "op"))
            return None
        if op == "in":
            return f.Compared(name, op, kind, tuple(self._listed(found, kind, place)))
        value = self._value(found, kind, place)
        if op in _TEXTS and value == "":
            self._fault(
                "blank", "must not be empty, because every text would match", (*place, "value")
            )
        return f.Compared(name, op, kind, (value,))

    def _listed(self, found: Members, kind: str, place: Place) -> list[Any]:
        place = (*place, "value")
        values = found.get("value")
        if not isinstance(values, list):
            self._absent_or_wrong(found, "value", "a list", place)
            return []
        if len(values) > f.MAX_LISTED:
            self._fault("too_many", f"must have at most {f.MAX_LISTED} values", place)
            return []
        return [self._read(value, kind, (*place, i)) for i, value in enumerate(values)]

    def _value(self, found: Members, kind: str, place: Place) -> Any:
        if "value" not in found:
            self._fault("missing", "`value` is required", (*place, "value"))
            return None
        return self._read(found["value"], kind, (*place, "value"))

    def _read(self, value: Any, kind: str, place: Place) -> Any:
        if kind == "number":
            return self._number(value, place)
        if kind == "date":
            return self._instant(value, place)
        if not isinstance(value, str):
            message = (
                "must be a string, because attributes are text; for numbers set `as` to `number`"
            )
            self._fault("wrong_type", message, place)
            return None
        return self._short(value, place)

    def _number(self, value: Any, place: Place) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fault("wrong_type", "must be a number", place)
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self._fault("too_large", "must fit into a double-precision number", place)
            return None
        return number

    def _instant(self, value: Any, place: Place) -> int | None:
        if not isinstance(value, str):
            self._fault("wrong_type", "must be an ISO 8601 date or time", place)
            return None
        try:
            return times.read(value)[0]
        except ValueError:
            self._fault("not_iso8601", "must be an ISO 8601 date or time", place)
            return None

    def _seen(self, found: Members, place: Place) -> f.Filter | None:
        which = self._choice(found, "seen", get_args(f.Which), place)
        op = self._choice(found, "op", _ORDERS, place)
        if ("value" in found) == ("days_ago" in found):
            self._fault("missing", "must have either `value` or `days_ago`", place)
            return None
        if "days_ago" in found:
            return f.Seen(which, op, days_ago=self._days(found, "days_ago", place, least=0))
        ticks = self._instant(found["value"], (*place, "value"))
        return f.Seen(which, op, None if ticks is None else ticks // TICKS_PER_MICROSECOND)

    def _documents(self, found: Members, place: Place) -> f.Filter | None:
        name = self._text(found, "documents", place)
        if name and not self._has_type(name):
            message = f"the project has no document type {name!r}"
            self._fault("unknown_type", message, (*place, "documents"))
        op = self._choice(found, "op", _ORDERS, place)
        value = found.get("value")
        if isinstance(value, bool) or not isinstance(value, int):
            self._absent_or_wrong(found, "value", "a whole number", (*place, "value"))
            return None
        if not 0 <= value <= MAX_COUNT:
            self._fault("out_of_range", f"must be 0 to {MAX_COUNT}", (*place, "value"))
        days = self._days(found, "days", place) if "days" in found else None
        return f.Documents(name, op, value, days)

    def _samples(self, found: Members, place: Place) -> f.Filter | None:
        metric = self._choice(found, "samples", tuple(f.STATS), place)
        stat = self._choice(found, "stat", f.STATS.get(metric, get_args(f.Stat)), place)
        op = self._choice(found, "op", _ORDERS, place)
        days = self._days(found, "days", place)
        zone = found.get("zone", SAMPLE_ZONE)
        if not isinstance(zone, str) or not (zone == SAMPLE_ZONE or zone in zones.names()):
            message = f"must be `{SAMPLE_ZONE}` or the IANA name of a time zone"
            self._fault("unknown_zone", message, (*place, "zone"))
        value = self._value(found, "number", place)
        return f.SampleStat(metric, stat, days, None if zone == SAMPLE_ZONE else zone, op, value)

    def _days(self, found: Members, name: str, place: Place, least: int = 1) -> int:
        days = found.get(name)
        if isinstance(days, bool) or not isinstance(days, int):
            self._absent_or_wrong(found, name, "a whole number of days", (*place, name))
            return least
        if not least <= days <= f.MAX_DAYS:
            self._fault("out_of_range", f"must be {least} to {f.MAX_DAYS}", (*place, name))
        return days

    def _text(self, found: Members, name: str, place: Place) -> str:
        value = found[name]
        if not isinstance(value, str):
            self._fault("wrong_type", "must be a string", (*place, name))
            return ""
        if not value:
            self._fault("blank", "must not be empty", (*place, name))
        return self._short(value, (*place, name))

    def _short(self, value: str, place: Place) -> str:
        if len(value) > f.MAX_TEXT:
            self._fault("too_long", f"must have at most {f.MAX_TEXT} characters", place)
        return value

    def _choice(self, found: Members, name: str, choices: tuple[str, ...], place: Place) -> Any:
        value = found.get(name)
        if value not in choices:
            one_of = "one of " + ", ".join(f"`{choice}`" for choice in choices)
            self._absent_or_wrong(found, name, one_of, (*place, name))
            return None
        return value

    def _absent_or_wrong(self, found: Members, name: str, wanted: str, place: Place) -> None:
        code = "wrong_value" if name in found else "missing"
        self._fault(code, f"must be {wanted}", place)

    def _fault(self, code: str, message: str, place: Place) -> None:
        self.faults.append(Fault(code, message, place))


MAX_COUNT = 1 << 53
"""Larger numbers in JSON are not exact in every language."""
