"""`uptake rejections`: what was rejected is found, shown and tried again."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from uptake.formats.base import WireRequest
from uptake.formats.redecode import context_of
from uptake.formats.registry import UPLOADS
from uptake.model import clock, ids
from uptake.model.submission import Origin
from uptake.settings import Settings
from uptake.wiring import open_services

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("database")

MOOD = '{"required": ["mood"]}'


def upload(tmp_path: Path, user_id: str, documents: Sequence[Any], key: str = "k-1") -> None:
    """Have documents of the type `mood` taken or rejected, as a server would."""
    settings = Settings(data_dir=tmp_path / "uptake-data")
    with closing(open_services(settings)) as services:
        for document in documents:
            body = json.dumps({"user": {"userLabel": user_id}, "data": document}).encode()
            wire = WireRequest(
                ids.time_ordered(), clock.now(), "", "", path={"upload_type": "mood"}, body=body
            )
            submission = UPLOADS["thymia"].decode(wire)
            origin = Origin(
                "default", key, "thymia", wire.request_id, wire.received_at, context_of(wire)
            )
            services.intake.accept_blocking(submission, origin)


@pytest.fixture
def rejected(uptake: Uptake, tmp_path: Path) -> list[dict[str, Any]]:
    """Three documents without a mood, of two users, sent with two keys."""
    (tmp_path / "schema.json").write_text(MOOD)
    uptake("types", "add", "mood", "--schema", "schema.json")
    upload(tmp_path, "anna", [{"n": 1}, {"mood": 1}, {"n": 2}])
    upload(tmp_path, "bert", [{"n": 3}], key="k-2")
    found: list[dict[str, Any]] = uptake("rejections", "list", "--json").json["rejections"]
    return found


def test_what_was_rejected_is_listed(uptake: Uptake, rejected: list[dict[str, Any]]) -> None:
    """In the order of receipt, as over HTTP; and as a table."""
    assert [one["user_id"] for one in rejected] == ["anna", "anna", "bert"]
    assert [fault["code"] for fault in rejected[0]["faults"]] == ["required"]
    assert (rejected[0]["format"], rejected[0]["resolved_by"]) == ("thymia", None)
    heading, *lines = uptake("rejections", "list").out.splitlines()
    assert heading.split() == ["id", "received", "format", "user", "resolved", "faults"]
    first = (rejected[0]["rejection_id"], rejected[0]["received_at"], "thymia", "anna")
    assert lines[0].split() == [*first, "no", "required"]
    assert len(lines) == 3


def test_a_code_that_no_rejection_has_is_an_error(
    uptake: Uptake, rejected: list[dict[str, Any]]
) -> None:
    """The message lists the codes of the project's rejections; other options may find nothing."""
    assert (
        uptake("rejections", "list", "--code", "required", "--json").json["rejections"] == rejected
    )
    none = uptake("rejections", "list", "--code", "required", "--user", "carl", "--json")
    assert none.json == {"rejections": [], "next": None}
    failed = uptake("rejections", "list", "--code", "requird")
    failed.assert_failed(
        1, "project 'default' has no rejection with the code 'requird'; it has: required"
    )
    uptake("projects", "create", "acme")
    empty = uptake("rejections", "list", "--code", "requird", "--project", "acme", "--json")
    assert empty.json == {"rejections": [], "next": None}


def test_a_list_goes_on_at_its_cursor(uptake: Uptake, rejected: list[dict[str, Any]]) -> None:
    """Which the table shows in its last line."""
    page = uptake("rejections", "list", "--limit", "2", "--json").json
    assert page["rejections"] == rejected[:2]
    table = uptake("rejections", "list", "--limit", "2").out.splitlines()
    assert table[-1] == f"More entries: --cursor {page['next']}"
    rest = uptake("rejections", "list", "--cursor", page["next"], "--json").json
    assert rest == {"rejections": rejected[2:], "next": None}
    for cursor in ("!", "zoAAAAA", "oA", "\u00e9", "k" * 70_000):
        uptake("rejections", "list", "--cursor", cursor).assert_failed(2, "--cursor")


def test_a_list_is_filtered(uptake: Uptake, rejected: list[dict[str, Any]]) -> None:
    """By all that the API knows."""

    def users(*options: str) -> list[str]:
        page = uptake("rejections", "list", *options, "--json").json
        return [one["user_id"] for one in page["rejections"]]

    assert users("--user", "bert") == ["bert"]
    assert users("--key", "k-2") == ["bert"]
    assert users("--request", rejected[1]["request_id"]) == ["anna"]
    assert users("--code", "required", "--format", "thymia") == ["anna", "anna", "bert"]
    assert users("--code", "required", "--key", "k-3") == []
    assert users("--format", "ptengine") == []
    assert users("--from", rejected[2]["received_at"]) == ["bert"]
    assert users("--to", rejected[2]["received_at"]) == ["anna", "anna"]
    assert users("--resolved") == []
    uptake("rejections", "list", "--from", "noon").assert_failed(2, "--from", "noon")
    for command in ("list", "replay"):
        done = uptake("rejections", command, "--format", "x")
        done.assert_failed(2, "--format: must be one of thymia, ptengine, questionpro")


def test_a_rejection_is_shown_with_its_item(uptake: Uptake, rejected: list[dict[str, Any]]) -> None:
    """And every reason."""
    rejection_id = rejected[0]["rejection_id"]
    result = uptake("rejections", "show", rejection_id, "--json").json
    assert result == {**rejected[0], "item": {"n": 1}, "raw_base64": None}
    shown = uptake("rejections", "show", rejection_id).out
    assert shown.splitlines()[0].split() == ["id", rejection_id]
    assert '"mood" is a required property' in shown
    assert shown.endswith('{\n  "n": 1\n}\n')
    uptake("rejections", "show", "nothing").assert_failed(1, "nothing")


def test_one_is_replayed_with_a_corrected_item(
    uptake: Uptake, rejected: list[dict[str, Any]], tmp_path: Path
) -> None:
    """As it was sent it is rejected again: 1; corrected it is accepted, and counts once."""
    rejection_id = rejected[0]["rejection_id"]
    again = uptake("rejections", "replay", rejection_id)
    assert (again.status, again.out.splitlines()[0]) == (1, "Rejected again.")
    (tmp_path / "corrected.json").write_text('{"n": 1, "mood": 4}')
    corrected = ("rejections", "replay", rejection_id, "--item", "corrected.json", "--json")
    tried = uptake(*corrected[:-1], "--dry-run")
    assert (tried.status, tried.out) == (0, "Dry run, nothing is stored: it would be accepted.\n")
    accepted = uptake(*corrected)
    assert (accepted.status, accepted.json["outcome"]) == (0, "accepted")
    resolved = uptake(*corrected)
    assert (resolved.status, resolved.json["outcome"]) == (0, "resolved")
    assert resolved.json["request_id"] == accepted.json["request_id"]
    (listed,) = uptake("rejections", "list", "--resolved", "--json").json["rejections"]
    assert listed["rejection_id"] == rejection_id
    assert listed["resolved_by"] == accepted.json["request_id"]
    (version,) = uptake("types", "versions", "mood", "--json").json
    assert version["documents"] == 2


def test_all_of_a_filter_are_replayed(
    uptake: Uptake, rejected: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Once the schema was corrected; what is rejected again is reported: 1."""
    (tmp_path / "schema.json").write_text('{"properties": {"n": {"maximum": 1}}}')
    uptake("types", "add", "mood", "--schema", "schema.json")
    tried = uptake("rejections", "replay", "--user", "anna", "--dry-run")
    sentence = "Dry run, nothing is stored: 1 accepted, 1 rejected again."
    assert (tried.status, tried.out.splitlines()[0]) == (1, sentence)
    some = uptake("rejections", "replay", "--user", "anna")
    assert some.status == 1
    sentence, _, again = some.out.splitlines()
    assert sentence == "1 accepted, 1 rejected again."
    assert again.split() == [rejected[1]["rejection_id"], "maximum"]
    assert len(uptake("rejections", "list", "--resolved", "--json").json["rejections"]) == 1
    uptake("types", "add", "mood")
    rest = uptake("rejections", "replay", "--all", "--json")
    assert rest.status == 0
    assert rest.json == {"accepted": 2, "refused": 0, "resolved": 0, "refusals": []}
    none = uptake("rejections", "replay", "--all")
    assert (none.status, none.out) == (0, "0 accepted, 0 rejected again.\n")
    versions = uptake("types", "versions", "mood", "--json").json
    assert [version["documents"] for version in versions] == [1, 1, 2]


@pytest.mark.parametrize(
    "arguments", [(), ("x", "--all"), ("--all", "--user", "anna"), ("--all", "--item", "x.json")]
)
def test_what_is_to_be_replayed_must_be_said(uptake: Uptake, arguments: tuple[str, ...]) -> None:
    """In one way: 2."""
    uptake("rejections", "replay", *arguments).assert_failed(2)


@pytest.mark.parametrize("command", [("list",), ("show", "x"), ("replay", "--all")])
def test_an_unknown_project_is_reported(uptake: Uptake, command: tuple[str, ...]) -> None:
    """The work failed: 1, with the project."""
    uptake("rejections", *command, "--project", "acme").assert_failed(1, "acme")


def test_what_is_not_there_is_reported(uptake: Uptake, rejected: list[dict[str, Any]]) -> None:
    """A rejection, and a file: 1."""
    uptake("rejections", "replay", "nothing").assert_failed(1, "nothing")
    rejection_id = rejected[0]["rejection_id"]
    failed = uptake("rejections", "replay", rejection_id, "--item", "nowhere.json")
    failed.assert_failed(1, "nowhere.json")
