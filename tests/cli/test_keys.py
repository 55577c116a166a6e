"""`uptake keys`: making, listing and revoking."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from uptake.cli import keys
from uptake.http import access

from .conftest import Uptake

pytestmark = pytest.mark.usefixtures("database")

SCOPES = (
    "user-data:write",
    "profiles:write",
    "images:write",
    "samples:write",
    "data:read",
    "data:erase",
    "admin",
    "operator",
)


def test_the_help_lists_every_scope() -> None:
    """Those of all vendors and of the server itself."""
    assert keys.SCOPES == access.SCOPES == SCOPES


def test_create_prints_six_members_as_json(uptake: Uptake) -> None:
    """`--json` prints id, key, project, scopes, user and expires_at, and no more."""
    made = uptake("keys", "create", "--project", "default", "--scope", "data:read", "--json")
    assert (made.status, made.err) == (0, "")
    assert list(made.json) == ["id", "key", "project", "scopes", "user", "expires_at"]
    assert made.json["project"] == "default"
    assert made.json["scopes"] == ["data:read"]
    assert made.json["user"] is None
    assert made.json["expires_at"] is None


def test_create_takes_every_scope_the_user_and_a_span(uptake: Uptake) -> None:
    """All scopes may be given at once; a span of 90 days ends 90 days from now."""
    options = [part for scope in SCOPES for part in ("--scope", scope)]
    options += ["--user", "42", "--expires", "90d", "--rate", "300/60s"]
    made = uptake("keys", "create", *options, "--json").json
    assert made["scopes"] == list(SCOPES)
    assert made["user"] == "42"
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=90) - timedelta(minutes=1) < left <= timedelta(days=90)


def test_create_without_json_prints_the_key_alone(uptake: Uptake) -> None:
    """So that `KEY=$(uptake keys create ...)` works."""
    made = uptake("keys", "create", "--scope", "data:read")
    assert made.status == 0
    assert re.fullmatch(r"up_[A-Za-z0-9_-]{32}\n", made.out)


def test_creating_a_bound_key_with_admin_prints_its_limits(uptake: Uptake) -> None:
    """On standard error; the key alone is on standard output."""
    made = uptake("keys", "create", "--scope", "admin", "--user", "42")
    assert (made.status, made.out.count("\n")) == (0, 1)
    assert made.err == (
        "Note: a key bound to a user has admin for that user's data only; "
        "operations on the whole project need a key without --user.\n"
    )
    assert uptake("keys", "create", "--scope", "data:read", "--user", "42").err == ""


def test_no_two_keys_are_alike(uptake: Uptake) -> None:
    """Neither their ids nor their secrets."""
    one, two = (uptake("keys", "create", "--scope", "data:read", "--json").json for _ in range(2))
    assert one["id"] != two["id"]
    assert one["key"] != two["key"]


def test_a_key_is_nowhere_on_disk(uptake: Uptake, tmp_path: Path) -> None:
    """Only its hash is stored."""
    secret = uptake("keys", "create", "--scope", "data:read").out.strip()
    for file in (tmp_path / "uptake-data").rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()


def test_list_shows_keys_without_their_secrets(uptake: Uptake) -> None:
    """As JSON with rate and dates, as a table with the id."""
    made = uptake(
        "keys", "create", "--scope", "data:read", "--rate", "300/60s", "--user", "7", "--json"
    ).json
    listed = uptake("keys", "list", "--json")
    assert made["key"] not in listed.out
    (key,) = listed.json
    assert key["id"] == made["id"]
    assert key["project"] == "default"
    assert key["scopes"] == ["data:read"]
    assert key["user"] == "7"
    assert key["rate"] == "300/60s"
    assert key["revoked_at"] is None
    table = uptake("keys", "list")
    assert table.status == 0
    assert made["id"] in table.out
    assert made["key"] not in table.out


def test_a_revoked_key_is_listed_with_the_time(uptake: Uptake) -> None:
    """Revoking is reported in the list and does no harm twice."""
    key_id = uptake("keys", "create", "--scope", "data:read", "--json").json["id"]
    revoked = uptake("keys", "revoke", key_id, "--json")
    assert (revoked.status, revoked.json) == (0, {"id": key_id, "revoked": True})
    (key,) = uptake("keys", "list", "--json").json
    assert datetime.fromisoformat(key["revoked_at"]) <= datetime.now(UTC)
    assert uptake("keys", "revoke", key_id).status == 0


def test_revoking_an_unknown_key_fails(uptake: Uptake) -> None:
    """The work failed: 1, with the id."""
    uptake("keys", "revoke", "no-such-id").assert_failed(1, "no-such-id")


def test_a_key_for_an_unknown_project_fails(uptake: Uptake) -> None:
    """The work failed: 1, with the project."""
    failed = uptake("keys", "create", "--project", "acme", "--scope", "data:read")
    failed.assert_failed(1, "acme")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--scope"),
        (["--scope", "everything"], "everything"),
        (["--scope", "data:read", "--user", ""], "--user"),
        (["--scope", "data:read", "--user", "u" * 257], "--user"),
        (["--scope", "data:read", "--expires", "soon"], "soon"),
        (["--scope", "data:read", "--expires", "0d"], "0d"),
        (["--scope", "data:read", "--expires", "99999999w"], "99999999w"),
        (["--scope", "data:read", "--rate", "300"], "300"),
        (["--scope", "data:read", "--rate", "0/60s"], "0/60s"),
        (["--scope", "data:read", "--rate", "300/minute"], "minute"),
    ],
)
def test_wrong_options_are_wrong_usage(
    uptake: Uptake, tmp_path: Path, options: list[str], word: str
) -> None:
    """Exit status 2, one line that names what is wrong, and nothing made on disk."""
    uptake("keys", "create", *options).assert_failed(2, word)
    assert list(tmp_path.iterdir()) == [tmp_path / "uptake-data"]


def test_a_key_is_shown_without_its_secret(uptake: Uptake) -> None:
    """As in the list; an id that does not exist fails."""
    made = uptake("keys", "create", "--scope", "data:read", "--rate", "300/60s", "--json").json
    shown = uptake("keys", "show", made["id"], "--json").json
    assert [shown] == uptake("keys", "list", "--json").json
    assert "key" not in shown
    text = uptake("keys", "show", made["id"]).out
    assert re.search(r"^rate +300/60s$", text, re.MULTILINE)
    assert made["key"] not in text
    uptake("keys", "show", "nope").assert_failed(1, "nope", "uptake keys list")


def test_a_key_is_updated(uptake: Uptake) -> None:
    """Only what is given changes; `--no-...` removes it."""
    made = uptake("keys", "create", "--scope", "data:read", "--name", "one", "--json").json
    options = ["--user", "42", "--rate", "300/60s", "--rate", "3000/1d", "--expires", "90d"]
    changed = uptake("keys", "update", made["id"], *options, "--scope", "samples:write", "--json")
    assert changed.json == uptake("keys", "show", made["id"], "--json").json
    assert changed.json["name"] == "one"
    assert changed.json["scopes"] == ["samples:write"]
    assert changed.json["user"] == "42"
    assert changed.json["rates"] == ["300/60s", "3000/86400s"]
    assert changed.json["rate"] == "300/60s"
    left = datetime.fromisoformat(changed.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    removed = ["--no-name", "--no-user", "--no-rate", "--no-expires"]
    bare = uptake("keys", "update", made["id"], *removed, "--json").json
    assert [bare[name] for name in ("name", "user", "rates", "expires_at")] == [
        None,
        None,
        [],
        None,
    ]
    uptake("keys", "update", made["id"], "--scope", "everything").assert_failed(2, "everything")


def test_a_key_is_rotated(uptake: Uptake) -> None:
    """The new secret is printed alone; the id stays. A revoked key is not rotated."""
    made = uptake("keys", "create", "--scope", "data:read", "--json").json
    rotated = uptake("keys", "rotate", made["id"])
    assert (rotated.status, rotated.err) == (0, "")
    assert re.fullmatch(r"up_[A-Za-z0-9_-]{32}\n", rotated.out)
    again = uptake("keys", "rotate", made["id"], "--overlap", "0s", "--json").json
    assert again["id"] == made["id"]
    assert len({made["key"], rotated.out.strip(), again["key"]}) == 3
    uptake("keys", "revoke", made["id"])
    uptake("keys", "rotate", made["id"]).assert_failed(1, "was revoked. Create a new key.")
