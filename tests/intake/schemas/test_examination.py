"""Schemas and documents that would take long or much: rejected, or checked within a bound."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.intake.schemas import (
    DocumentTypes,
    InvalidSchema,
    NeedsWorker,
    Schema,
    SchemaWorkers,
    compile_schema,
    register,
)
from uptake.model.submission import MAX_FAULTS, Fault, Rejection
from uptake.testing.store.model import ModelStore

SELF_REFERRING = json.loads(Path("tests/cases/json/self-referring-schemas.json").read_text())


@pytest.fixture(scope="module")
def workers() -> Iterator[SchemaWorkers]:
    """Processes for all tests of this file."""
    found = SchemaWorkers()
    yield found
    found.close()


def compiled(schema: Any, workers: SchemaWorkers) -> Schema:
    """A schema, ready to check."""
    return compile_schema(json.dumps(schema), workers)


def nested(depth: int, keyword: str) -> Any:
    """A schema inside a schema inside a schema."""
    schema: Any = {}
    for _ in range(depth):
        schema = {keyword: schema}
    return schema


ORDINARY = {
    "type": "object",
    "properties": {
        "mood": {"type": "integer", "minimum": 1, "maximum": 10},
        "day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "contact": {"anyOf": [{"$ref": "#/$defs/mail"}, {"type": "null"}]},
    },
    "required": ["mood"],
    "additionalProperties": False,
    "$defs": {"mail": {"type": "string", "maxLength": 100}},
}
COMMENTS = {"properties": {"text": {"type": "string"}, "replies": {"items": {"$ref": "#"}}}}
LIST = {"properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}}


@pytest.mark.parametrize("schema", [True, {}, ORDINARY, COMMENTS, LIST])
def test_ordinary_schemas_are_checked_at_once(schema: Any, workers: SchemaWorkers) -> None:
    """A kilobyte of document needs no other process: recursion alone does no harm."""
    data = json.dumps({"mood": 5, "tags": [str(n) for n in range(200)]}).encode()
    assert compiled(schema, workers).check_inline(data) == []


TWICE = {"$defs": {"n": {"allOf": [{"properties": {"n": {"$ref": "#/$defs/n"}}}] * 2}}}


@pytest.mark.parametrize(
    "schema",
    [
        {**TWICE, "$ref": "#/$defs/n"},
        {"oneOf": [{"type": "number"}, {"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]},
        {"$dynamicAnchor": "n", "properties": {"a": {"$dynamicRef": "#n"}}},
        {"properties": {"a": {"$id": "http://x/a", "$ref": "#"}}},
        {"properties": {"a": {"pattern": "^(?=a)b"}}},
        {"patternProperties": {"a": {"$ref": "#"}, "^a": {"$ref": "#"}}},
        *SELF_REFERRING,
    ],
)
def test_schemas_without_a_bound_are_checked_elsewhere(schema: Any, workers: SchemaWorkers) -> None:
    """With an answer all the same."""
    found = compiled(schema, workers)
    with pytest.raises(NeedsWorker):
        found.check_inline(b'{"a":1}')
    found(b'{"a":1}')


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/passwd"},
        {"$schema": "http://127.0.0.1:9/meta"},
        {"$ref": "#/$defs/nothing"},
        {"type": 12},
        {"pattern": "("},
        {"pattern": "((a{1,100}){1,100}){1,100}"},
        nested(150, "not"),
        {"allOf": [{}] * 25_000},
        {"allOf": [{"$ref": "#/$defs/a"} for _ in range(6_000)], "$defs": {"a": True}},
        {"patternProperties": {f"^{number}": True for number in range(1_500)}},
        {"enum": ["x" * 1_100_000]},
        [],
        "text",
    ],
    ids=lambda schema: str(schema)[:40],
)
def test_schemas_that_cannot_be_used_are_rejected(schema: Any, workers: SchemaWorkers) -> None:
    """In bounded time, with a message of one line; nothing is ever fetched."""
    with pytest.raises(InvalidSchema) as rejected:
        compiled(schema, workers)
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    "text", ['{"const": NaN}', '{"examples": [Infinity]}', '{"maximum": 1e999}']
)
def test_numbers_that_json_has_not_are_rejected_in_a_schema(
    text: str, workers: SchemaWorkers
) -> None:
    """Wherever they are in it."""
    with pytest.raises(InvalidSchema):
        compile_schema(text, workers)


def test_violations_are_counted_and_their_messages_bounded(workers: SchemaWorkers) -> None:
    """At most 100 are listed, and one more with the number of the others."""
    check = compiled({"items": {"type": "string"}}, workers)
    faults = check(json.dumps([0] * 150).encode())
    assert len(faults) == 101
    assert faults[-1] == Fault("more_violations", "50 more violations are not listed", ("data",))
    (long,) = compiled({"type": "object"}, workers)(json.dumps("x" * 1_000_000).encode())
    assert len(long.message) == 500
    assert long.message.startswith('"xxx')
    assert long.message.endswith('xxx" is not of type "object"')


def test_what_cannot_be_listed_is_too_complex(workers: SchemaWorkers) -> None:
    """After the first violation, if it can be listed."""
    faults = compiled({"items": {"type": "string"}}, workers)(json.dumps([0] * 1_000_000).encode())
    assert [fault.code for fault in faults] == ["type", "too_complex"]
    assert faults[0].place == ("data", 0)


def test_what_cannot_be_decided_is_too_complex(workers: SchemaWorkers) -> None:
    """A schema that doubles its work with each of its parts; the next document is served."""
    parts = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": parts | {"d40": {"type": "object"}}}
    started = time.monotonic()
    assert [fault.code for fault in compiled(schema, workers)(b"{}")] == ["too_complex"]
    assert time.monotonic() - started < 60
    assert compiled(TWICE | {"$ref": "#/$defs/n"}, workers)(b"{}") == []


def test_a_fault_is_never_large() -> None:
    """Neither its message nor its place, nor all faults of an item together."""
    fault = Fault("code", "m" * 10_000, ("data", "p" * 1000, *range(200)))
    assert (len(fault.message), len(fault.place)) == (500, 64)
    assert [len(str(part)) for part in fault.place[:2]] == [4, 256]
    assert fault.place[-1] == "..."
    rejection = Rejection((Fault("a", "b"),) * (MAX_FAULTS + 5), b"")
    assert len(rejection.faults) == MAX_FAULTS
    assert rejection.faults[-1].message == "6 more faults are not listed"


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=20,
)
_schemas = st.recursive(
    st.sampled_from(
        [True, False, {"type": "integer"}, {"type": ["string", "null"]}, {"$ref": "#"}]
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "allOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "additionalProperties": inner,
            "required": st.lists(st.sampled_from("abc"), unique=True),
        },
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(_schemas, _values)
def test_both_ways_of_checking_agree(workers: SchemaWorkers, schema: Any, value: Any) -> None:
    """What is found at once is what a worker finds."""
    check = compiled(schema, workers)
    data = json.dumps(value).encode()
    elsewhere = workers.check(check.text, data)
    try:
        at_once = check.check_inline(data)
    except NeedsWorker:
        return
    assert at_once == elsewhere


class CountingStore(ModelStore):
    """Counts look-ups of document types."""

    asked = 0

    def document_type(self, project: str, name: str) -> Any:
        """As the store's own."""
        self.asked += 1
        return super().document_type(project, name)


def test_a_wrong_name_is_looked_up_twice_a_second_at_most(workers: SchemaWorkers) -> None:
    """And a type that is registered after its first use is taken at once."""
    store = CountingStore()
    types = DocumentTypes(store, workers)
    assert types.known("default", "later") is None
    register(store, "default", "later", None, workers)
    assert types.known("default", "later") is not None
    store.asked = 0
    for _ in range(1000):
        assert types.known("default", "wrong") is None
    assert store.asked <= 4


def test_a_flood_of_wrong_names_takes_bounded_memory(workers: SchemaWorkers) -> None:
    """The names of types that there are stay."""
    store = CountingStore()
    register(store, "default", "mood", '{"type": "object"}', workers)
    types = DocumentTypes(store, workers)
    assert types.known("default", "mood") is not None
    for number in range(11_000):
        assert types.known("default", f"wrong-{number}") is None
    assert len(types._unknown) == 10_000
    assert types.known("default", "x" * 300) is None
