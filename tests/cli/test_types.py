"""`uptake types`: registering document types and their schemas."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from uptake.store.records import DocumentRecord, Entry
from uptake.store.sqlite import open_store

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("database")

SCHEMA = '{"type": "object", "required": ["mood"]}'


def test_a_type_without_a_schema_takes_any_object(uptake: Uptake) -> None:
    """Its schema is null."""
    added = uptake("types", "add", "check-in", "--json")
    assert added.json == {"name": "check-in", "project": "default", "schema": None, "version": 1}
    assert uptake("types", "list", "--json").json == [added.json]


def test_a_type_is_listed_with_its_schema(uptake: Uptake, tmp_path: Path) -> None:
    """As JSON whole, in the table as yes."""
    (tmp_path / "schema.json").write_text(SCHEMA)
    assert uptake("types", "add", "check-in", "--schema", "schema.json").status == 0
    (listed,) = uptake("types", "list", "--json").json
    assert listed["schema"] == {"type": "object", "required": ["mood"]}
    assert "yes" in uptake("types", "list").out


def test_a_type_is_shown_with_its_schema(uptake: Uptake, tmp_path: Path) -> None:
    """The current one; a type that does not exist fails."""
    (tmp_path / "schema.json").write_text(SCHEMA)
    uptake("types", "add", "nap")
    assert uptake("types", "show", "nap").out == "nap, version 1, accepts any JSON object\n"
    uptake("types", "add", "nap", "--schema", "schema.json")
    first, *schema = uptake("types", "show", "nap").out.splitlines()
    assert first == "nap, version 2, accepts this schema:"
    assert json.loads("".join(schema)) == json.loads(SCHEMA)
    assert [uptake("types", "show", "nap", "--json").json] == uptake("types", "list", "--json").json
    uptake("types", "show", "rest").assert_failed(1, "'rest'", "uptake types list")


def test_a_type_added_again_has_the_new_schema(uptake: Uptake, tmp_path: Path) -> None:
    """The second schema replaces the first."""
    (tmp_path / "schema.json").write_text(SCHEMA)
    uptake("types", "add", "check-in", "--schema", "schema.json")
    (tmp_path / "schema.json").write_text("true")
    uptake("types", "add", "check-in", "--schema", "schema.json")
    (listed,) = uptake("types", "list", "--json").json
    assert listed["schema"] is True


def test_a_byte_order_mark_before_a_schema_is_skipped(uptake: Uptake) -> None:
    """As some editors write one."""
    path = Path(__file__).parents[1] / "cases" / "json" / "schema-with-bom.json"
    assert uptake("types", "add", "check-in", "--schema", str(path)).status == 0
    (listed,) = uptake("types", "list", "--json").json
    assert listed["schema"] == {"type": "object"}


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
def test_what_is_no_schema_is_rejected(uptake: Uptake, tmp_path: Path, content: bytes) -> None:
    """The work failed: 1, with the file; nothing is registered."""
    (tmp_path / "schema.json").write_bytes(content)
    uptake("types", "add", "check-in", "--schema", "schema.json").assert_failed(1, "schema.json")
    assert uptake("types", "list", "--json").json == []


def test_a_missing_schema_file_is_reported(uptake: Uptake) -> None:
    """The work failed: 1, with the file."""
    failed = uptake("types", "add", "check-in", "--schema", "nowhere.json")
    failed.assert_failed(1, "nowhere.json")


@pytest.mark.parametrize("command", [("add", "check-in"), ("list",)])
def test_an_unknown_project_is_reported(uptake: Uptake, command: tuple[str, ...]) -> None:
    """The work failed: 1, with the project."""
    uptake("types", *command, "--project", "acme").assert_failed(1, "acme")


@pytest.mark.parametrize("name", ["", "x" * 257])
def test_a_name_has_1_to_256_characters(uptake: Uptake, name: str) -> None:
    """Others are wrong usage."""
    uptake("types", "add", name).assert_failed(2)


def _send(tmp_path: Path, *documents: str) -> None:
    """Have documents of the type check-in stored, as a server would."""
    with closing(open_store(tmp_path / "uptake-data" / "uptake.db")) as store:
        known = store.document_type("default", "check-in")
        assert known is not None
        for data in documents:
            at = store.user("default", "anna")
            number = at.documents if at else 0
            record = DocumentRecord(
                "anna", f"d{number}", "check-in", data.encode(), version=known.version
            )
            store.commit([Entry("default", f"r{number}", 1_000_000 * number, (record,))])


def test_versions_are_listed_with_what_is_stored(uptake: Uptake, tmp_path: Path) -> None:
    """As JSON with their schemas; the same schema again is none."""
    uptake("types", "add", "check-in")
    _send(tmp_path, "{}", "{}")
    (tmp_path / "schema.json").write_text(SCHEMA)
    added = uptake("types", "add", "check-in", "--schema", "schema.json")
    assert added.out == "Project default accepts documents of type check-in, version 2.\n"
    uptake("types", "add", "check-in", "--schema", "schema.json")
    _send(tmp_path, '{"mood": 1}')
    first, second = uptake("types", "versions", "check-in", "--json").json
    assert [first.pop("created_at")[-1:], second.pop("created_at")[-1:]] == ["Z", "Z"]
    assert first == {
        "version": 1,
        "schema": None,
        "documents": 2,
        "first_received": "1970-01-01T00:00:00.000000Z",
        "last_received": "1970-01-01T00:00:01.000000Z",
    }
    assert (second["version"], second["schema"]) == (2, json.loads(SCHEMA))
    assert (second["documents"], second["first_received"]) == (1, "1970-01-01T00:00:02.000000Z")
    table = uptake("types", "versions", "check-in").out.splitlines()
    assert table[0].split() == ["version", "schema", "created", "documents"] + [
        word for when in ("first", "last") for word in (when, "received")
    ]
    assert [line.split()[:2] for line in table[1:]] == [["1", "no"], ["2", "yes"]]


def test_a_dry_run_fails_when_documents_would(uptake: Uptake, tmp_path: Path) -> None:
    """With a sentence and examples; nothing is changed."""
    uptake("types", "add", "check-in")
    _send(tmp_path, "{}", '{"mood": 3}', '{"Mood": 3}')
    (tmp_path / "schema.json").write_text(SCHEMA)
    done = uptake("types", "dry-run", "check-in", "--schema", "schema.json")
    assert (done.status, done.err) == (1, "")
    sentence, _, *examples = done.out.splitlines()
    assert sentence == "2 of 3 documents would be rejected."
    assert [line.split()[:3] for line in examples] == [["anna", "d0", "1"], ["anna", "d2", "1"]]
    assert '"mood" is a required property' in examples[0]
    result = uptake("types", "dry-run", "check-in", "--schema", "schema.json", "--json")
    assert result.status == 1
    assert (result.json["documents"], result.json["failing"]) == (3, 2)
    assert result.json["examples"][1] == {
        "upload_id": "d2",
        "user_id": "anna",
        "version": 1,
        "reasons": [{"path": "", "reason": '"mood" is a required property'}],
    }
    (listed,) = uptake("types", "list", "--json").json
    assert (listed["version"], listed["schema"]) == (1, None)


def test_a_dry_run_that_all_would_pass_is_done(uptake: Uptake, tmp_path: Path) -> None:
    """Also where there are none: 0."""
    uptake("types", "add", "check-in")
    (tmp_path / "schema.json").write_text(SCHEMA)
    done = uptake("types", "dry-run", "check-in", "--schema", "schema.json")
    assert (done.status, done.out) == (0, "None of 0 documents would be rejected.\n")
    _send(tmp_path, '{"mood": 3}')
    done = uptake("types", "dry-run", "check-in", "--schema", "schema.json")
    assert (done.status, done.out) == (0, "None of 1 document would be rejected.\n")


def test_what_cannot_be_tried_is_reported(uptake: Uptake, tmp_path: Path) -> None:
    """An unknown type, and what is no schema: 1."""
    (tmp_path / "schema.json").write_text("true")
    failed = uptake("types", "dry-run", "check-in", "--schema", "schema.json")
    failed.assert_failed(1, "check-in")
    uptake("types", "versions", "check-in").assert_failed(1, "check-in")
    (tmp_path / "schema.json").write_text("{")
    failed = uptake("types", "dry-run", "check-in", "--schema", "schema.json")
    failed.assert_failed(1, "schema.json")
    uptake("types", "dry-run", "check-in").assert_failed(2, "--schema")
