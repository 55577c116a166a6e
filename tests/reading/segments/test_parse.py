"""A filter has bounds, and is described by its schema."""

from typing import Any

import jsonschema_rs
import msgspec
import pytest

from uptake.reading.segments.parse import MAX_FAULTS, InvalidFilter, parse, read
from uptake.reading.segments.schema import ROOT, schemas
from uptake.testing.segments import vectors

TEXT = {"attribute": "a", "op": "exists"}
STEPS = {"samples": "steps", "stat": "sum", "days": 7, "op": "gt", "value": 1}
SCHEMA = {"$ref": f"#/$defs/{ROOT}", "$defs": schemas("#/$defs/{name}")}
BY_HAND = {
    "a day that does not exist",
    "an unknown zone",
    "a document type that there is not",
}
"""Faults that a schema cannot express."""


def faults(wanted: Any) -> list[tuple[str, str]]:
    """What is wrong with a filter: pointers and codes."""
    with pytest.raises(InvalidFilter) as rejected:
        parse(wanted)
    return [(fault.pointer, fault.code) for fault in rejected.value.faults]


def nested(depth: int) -> Any:
    """A condition so deep inside."""
    wanted: Any = TEXT
    for _ in range(depth):
        wanted = {"not": wanted}
    return wanted


def test_filters_can_be_nested_sixteen_deep() -> None:
    """Seventeen levels are rejected, and so are so many that parsing would fail."""
    parse(nested(16))
    assert faults(nested(17)) == [("#" + "/not" * 17, "too_deep")]
    with pytest.raises(InvalidFilter) as rejected:
        read(b'{"not":' * 50_000 + b"1" + b"}" * 50_000)
    assert [fault.code for fault in rejected.value.faults] == ["too_deep"]


def test_a_filter_can_have_a_hundred_conditions() -> None:
    """And two hundred parts, ten of them on documents and samples."""
    parse({"and": [TEXT] * 100})
    assert faults({"and": [TEXT] * 101}) == [("#/and/100", "too_many")]
    parse({"and": [{"or": []}] * 199})
    assert faults({"and": [{"or": []}] * 200}) == [("#/and/199", "too_many")]
    assert faults({"and": [{"or": []}] * 20_000}) == [("#/and/199", "too_many")]
    parse({"and": [STEPS] * 10})
    assert faults({"and": [STEPS] * 11}) == [("#/and/10", "too_many")]


def test_a_list_can_have_a_thousand_values() -> None:
    """Values and names have at most 1024 characters."""
    parse({"attribute": "a", "op": "in", "value": ["x" * 1024] * 1000})
    wanted = {"attribute": "a", "op": "in", "value": ["x"] * 1001}
    assert faults(wanted) == [("#/value", "too_many")]
    wanted = {"attribute": "a", "op": "in", "value": ["x", "x" * 1025]}
    assert faults(wanted) == [("#/value/1", "too_long")]
    wanted = {"attribute": "a" * 1025, "op": "exists"}
    assert faults(wanted) == [("#/attribute", "too_long")]


def test_days_are_at_most_ten_years() -> None:
    """In every condition."""
    for name in ("documents", "samples", "seen"):
        wanted: dict[str, Any] = {
            "documents": {"documents": "a", "op": "ge", "value": 1, "days": 3661},
            "samples": {**STEPS, "days": 3661},
            "seen": {"seen": "last", "op": "lt", "days_ago": 3661},
        }[name]
        member = "days_ago" if name == "seen" else "days"
        assert faults(wanted) == [(f"#/{member}", "out_of_range")]
        parse({**wanted, member: 3660})


def test_numbers_must_fit_into_a_double() -> None:
    """In any notation."""
    assert faults({"attribute": "a", "op": "eq", "as": "number", "value": 10**400}) == [
        ("#/value", "too_large")
    ]
    with pytest.raises(msgspec.DecodeError):
        read(b'{"attribute": "a", "op": "eq", "as": "number", "value": 1e400}')


def test_at_most_twenty_faults_are_reported() -> None:
    """A filter with more reports the first ones."""
    assert len(faults({"and": [{"attribute": ""}] * 90})) == MAX_FAULTS


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"and": [NaN]}', b'"\\ud800"'])
def test_invalid_json_is_a_different_error(text: bytes) -> None:
    """From JSON that is not a valid filter."""
    with pytest.raises(msgspec.DecodeError):
        read(text)


CASES = [(case.filter, case.name) for one in vectors().values() for case in one.cases if case.users]
FAULTS = [(case.filter, case.name) for case in vectors()["faults"].cases]


@pytest.mark.parametrize(("wanted", "name"), CASES)
def test_every_valid_filter_matches_the_json_schema(wanted: Any, name: str) -> None:
    """Of the OpenAPI document."""
    assert jsonschema_rs.is_valid(SCHEMA, wanted), name


@pytest.mark.parametrize(("wanted", "name"), FAULTS)
def test_invalid_filters_do_not_match_the_json_schema(wanted: Any, name: str) -> None:
    """Except for faults that a schema cannot express."""
    assert jsonschema_rs.is_valid(SCHEMA, wanted) is (name in BY_HAND)
