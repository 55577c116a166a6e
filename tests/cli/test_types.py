"""`uptake types`: registering document types and their schemas."""

from pathlib import Path

import pytest

from .conftest import Uptake

SCHEMA = '{"type": "object", "required": ["mood"]}'


def test_a_type_without_a_schema_takes_any_object(uptake: Uptake) -> None:
    """Its schema is null."""
    added = uptake("types", "add", "check-in", "--json")
    assert added.json == {"name": "check-in", "project": "default", "schema": None}
    assert uptake("types", "list", "--json").json == [added.json]


def test_a_type_is_listed_with_its_schema(uptake: Uptake, tmp_path: Path) -> None:
    """As JSON whole, in the table as yes."""
    (tmp_path / "schema.json").write_text(SCHEMA)
    assert uptake("types", "add", "check-in", "--schema", "schema.json").status == 0
    (listed,) = uptake("types", "list", "--json").json
    assert listed["schema"] == {"type": "object", "required": ["mood"]}
    assert "yes" in uptake("types", "list").out


def test_a_type_added_again_has_the_new_schema(uptake: Uptake, tmp_path: Path) -> None:
    """The second schema replaces the first."""
    (tmp_path / "schema.json").write_text(SCHEMA)
    uptake("types", "add", "check-in", "--schema", "schema.json")
    (tmp_path / "schema.json").write_text("true")
    uptake("types", "add", "check-in", "--schema", "schema.json")
    (listed,) = uptake("types", "list", "--json").json
    assert listed["schema"] is True


def test_types_belong_to_a_project(uptake: Uptake) -> None:
    """One project's types are not another's."""
    uptake("projects", "create", "acme")
    uptake("types", "add", "check-in", "--project", "acme")
    assert uptake("types", "list", "--json").json == []
    (listed,) = uptake("types", "list", "--project", "acme", "--json").json
    assert listed["project"] == "acme"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"type": "nothing"}',
        b'{"$ref": "https://example.org/schema.json"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_schema_is_refused(uptake: Uptake, tmp_path: Path, content: bytes) -> None:
    """The work failed: 1, with the file; nothing is registered."""
    (tmp_path / "schema.json").write_bytes(content)
    uptake("types", "add", "check-in", "--schema", "schema.json").assert_failed(1, "schema.json")
    assert uptake("types", "list", "--json").json == []


def test_a_missing_schema_file_is_told(uptake: Uptake) -> None:
    """The work failed: 1, with the file."""
    failed = uptake("types", "add", "check-in", "--schema", "nowhere.json")
    failed.assert_failed(1, "nowhere.json")


@pytest.mark.parametrize("command", [("add", "check-in"), ("list",)])
def test_an_unknown_project_is_told(uptake: Uptake, command: tuple[str, ...]) -> None:
    """The work failed: 1, with the project."""
    uptake("types", *command, "--project", "acme").assert_failed(1, "acme")


@pytest.mark.parametrize("name", ["", "x" * 257])
def test_a_name_has_1_to_256_characters(uptake: Uptake, name: str) -> None:
    """Others are wrong usage."""
    uptake("types", "add", name).assert_failed(2)
