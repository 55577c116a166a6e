"""Every vector holds, against the decoder and over HTTP, and none is missing."""

import importlib.resources
import re
from pathlib import Path

import httpx2
import pytest

import uptake.formats
from contract.tenant import new_tenant
from uptake.formats.base import Format
from uptake.formats.registry import FORMATS
from uptake.formats.vectors import Vector, load, operation_of, vectors_of
from uptake.store.base import Store
from uptake.testing.vectors import Mismatch, check_decode, check_http

VECTORS = [
    pytest.param(form, vector, id=f"{form.name}/{vector.name}")
    for form in FORMATS
    for vector in vectors_of(form)
]
GEROSENSE_CODES = {
    "missing",
    "wrong_type",
    "blank",
    "not_iso8601",
    "ends_before_start",
    "unknown_unit",
    "unknown_biological_sex",
    "unknown_data_type",
    "not_positive",
    "above_limit",
    "below_limit",
    "too_few",
    "too_many",
    "json_invalid",
}


@pytest.mark.parametrize(("form", "vector"), VECTORS)
def test_a_vector_decodes_to_its_submission(form: Format, vector: Vector) -> None:
    """For every vector."""
    check_decode(form, vector)


@pytest.mark.parametrize(("form", "vector"), VECTORS)
def test_a_vector_is_answered_with_its_reply(
    form: Format, vector: Vector, client: httpx2.Client, store: Store
) -> None:
    """Status and body over HTTP."""
    tenant = new_tenant(client, store)
    for name, schema in vector.types.items():
        tenant.type(name, schema)
    scope = operation_of(form, vector).scope or "user-data:write"
    secret, key_id = tenant.named_key(scope, user=vector.key.user)
    check_http(form, vector, client, secret, key_id)


OF_THE_VENDOR = ("bioage", "resilience")
"""Ends of the names of operations that return what a vendor answers: tests/delivery/test_asking.py
has answers other than 404, which need a relay."""


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_operation_has_vectors_of_every_answer(form: Format) -> None:
    """At least one for each status of a reply."""
    shown = {(vector.operation, vector.reply.status) for vector in vectors_of(form)}
    declared = {
        (operation.name, status)
        for operation in form.operations
        for status in operation.answers
        if status == 404 or not operation.name.endswith(OF_THE_VENDOR)
    }
    assert set() == declared - shown


def test_every_code_of_gerosense_has_a_vector() -> None:
    """The contract's closed list."""
    gerosense = next(form for form in FORMATS if form.name == "gerosense")
    shown = {
        error["code"]
        for vector in vectors_of(gerosense)
        for error in vector.reply.body.get("errors", [])
    }
    assert shown == GEROSENSE_CODES


@pytest.mark.parametrize("place", ["body", "path", "header"])
def test_every_place_of_a_thymia_fault_has_a_vector(place: str) -> None:
    """`loc` starts with one of three words."""
    thymia = next(form for form in FORMATS if form.name == "thymia")
    shown = {
        entry["loc"][0]
        for vector in vectors_of(thymia)
        for entry in vector.reply.body.get("detail", [])
    }
    assert place in shown


def test_every_folder_of_formats_is_registered_and_documented() -> None:
    """With a README and vectors."""
    formats = importlib.resources.files(uptake.formats)
    folders = {
        folder.name for folder in formats.iterdir() if folder.joinpath("decode.py").is_file()
    }
    assert {form.name for form in FORMATS} == folders
    assert all(formats.joinpath(name, "README.md").is_file() for name in folders)


def test_every_vector_has_a_name_and_a_description() -> None:
    """The name in lower case with dashes."""
    wrong = [
        vector.name
        for form in FORMATS
        for vector in vectors_of(form)
        if not vector.description or not re.fullmatch(r"[a-z0-9.-]+", vector.name)
    ]
    assert wrong == []


def test_a_mismatch_lists_every_difference(tmp_path: Path) -> None:
    """With its place."""
    (tmp_path / "wrong.json").write_text(
        """{"description": "x", "endpoint": "ptengine",
            "request": {"body": {"field_name": ["user_id", "a"], "values": [["42", "b"]]}},
            "submission": {"items": [{"attributes": {"user_id": "43", "values": {"a": "b"}}}],
                           "refusals": [{"index": 0, "faults": []}]},
            "reply": {"status": 200, "body": {}}}"""
    )
    ptengine = next(form for form in FORMATS if form.name == "ptengine")
    with pytest.raises(Mismatch) as message:
        check_decode(ptengine, load(tmp_path)[0])
    assert "submission.items[0].attributes.user_id: '43' expected, not '42'" in str(message.value)
    assert "submission.refusals" in str(message.value)
