"""Attributes, documents and images from files to a real server, each sent once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from contract.pictures import encoded
from uptake.testing.live import LiveServer

from .plain import client
from .sending import Sender, counts_of, lines, write


@pytest.fixture
def reader(live: LiveServer, key: str) -> Iterator[httpx2.Client]:
    """A client that reads stored data."""
    with client(live.url, {"Authorization": f"Bearer {key}"}) as open_client:
        yield open_client


def profile(reader: httpx2.Client, user: str) -> Any:
    """The stored data of a user."""
    return reader.get(f"/uptake/v1/users/{user}").raise_for_status().json()


def test_profiles_arrive_and_only_changed_ones_are_sent_again(
    sender: Sender, user: str, reader: httpx2.Client
) -> None:
    """250 users in requests of 100; then a changed value of one user."""
    rows = [{"user_id": f"{user}-{i}", "plan": "free", "visits": i} for i in range(250)]
    path = write(sender.folder / "profiles.ndjson", rows)
    summary = sender.uploader().send_profiles(path)
    assert counts_of(summary) == {"read": 250, "acknowledged": 250, "requests": 3}
    assert profile(reader, f"{user}-249")["attributes"] == {"plan": "free", "visits": "249"}
    rows[7]["plan"] = "pro"
    write(path, rows)
    summary = sender.uploader().send_profiles(path)
    assert counts_of(summary) == {"read": 250, "known": 249, "acknowledged": 1, "requests": 1}
    assert profile(reader, f"{user}-7")["attributes"] == {"plan": "pro", "visits": "7"}


def test_wide_tables_are_sent_in_several_requests(
    sender: Sender, user: str, reader: httpx2.Client
) -> None:
    """120 attributes are sent as 49, 49 and 22, each time with the user id."""
    row = {f"a{i}": str(i) for i in range(120)}
    path = write(sender.folder / "profiles.ndjson", [{"user_id": user, **row}])
    summary = sender.uploader().send_profiles(path)
    assert counts_of(summary) == {"read": 1, "acknowledged": 1, "requests": 3}
    assert profile(reader, user)["attributes"] == row


def test_the_last_row_of_a_user_wins_and_a_second_run_sends_nothing(
    sender: Sender, user: str, reader: httpx2.Client
) -> None:
    """Also if rows have different attributes and are in different requests."""
    rows: list[dict[str, Any]] = [
        {"user_id": user, "plan": "free"},
        {"user_id": f"{user}-other", "plan": "free"},
        {"user_id": user, "plan": "pro", "city": "Graz"},
        {"user_id": user, "city": "Lyon"},
    ]
    path = write(sender.folder / "profiles.ndjson", rows)
    summary = sender.uploader().send_profiles(path)
    assert (summary.read, summary.acknowledged, summary.complete) == (4, 4, True)
    assert profile(reader, user)["attributes"] == {"plan": "pro", "city": "Lyon"}
    again = sender.uploader().send_profiles(path)
    assert (again.requests, again.known + again.repeated, again.complete) == (0, 4, True)


def test_invalid_attributes_are_omitted_and_listed(
    sender: Sender, user: str, reader: httpx2.Client
) -> None:
    """The other attributes of the row and of the request are sent."""
    rows = [
        {"user_id": f"{user}-{i}", "note": "x" * (129 if i == 3 else 9), "n": i} for i in range(5)
    ]
    path = write(sender.folder / "profiles.ndjson", rows)
    summary = sender.uploader().send_profiles(path)
    assert counts_of(summary) == {"read": 5, "acknowledged": 4, "refused": 1, "requests": 2}
    assert profile(reader, f"{user}-3")["attributes"] == {"n": "3"}
    (rejected,) = lines(sender.folder / "rejected.ndjson")
    assert (rejected["user_id"], rejected["note"]) == (f"{user}-3", "x" * 129)
    assert rejected["refused"] == {
        "file": str(path),
        "line": 4,
        "reasons": [{"message": "note: over 128 characters"}],
    }
    write(sender.folder / "rejected.ndjson", [rejected | {"note": "short"}])
    corrected = sender.uploader().send_profiles(sender.folder / "rejected.ndjson")
    assert counts_of(corrected) == {"read": 1, "acknowledged": 1, "requests": 1}
    assert profile(reader, f"{user}-3")["attributes"] == {"n": "3", "note": "short"}


def test_a_rejected_row_does_not_stop_the_others(
    sender: Sender, user: str, reader: httpx2.Client
) -> None:
    """The endpoint rejects the whole request; the other rows are sent again without it."""
    long = "u" * 129
    rows = [{"user_id": long if i == 2 else f"{user}-{i}", "plan": "free"} for i in range(6)]
    path = write(sender.folder / "profiles.ndjson", rows)
    summary = sender.uploader().send_profiles(path)
    assert counts_of(summary) == {"read": 6, "acknowledged": 5, "refused": 1, "requests": 2}
    (rejected,) = lines(sender.folder / "rejected.ndjson")
    assert rejected["refused"]["line"] == 3
    assert rejected["refused"]["reasons"] == [{"message": "values[0]: over 128 characters"}]
    assert profile(reader, f"{user}-5")["attributes"] == {"plan": "free"}
    again = sender.uploader().send_profiles(path)
    assert counts_of(again) == {"read": 6, "known": 5, "refused_before": 1}


def test_documents_arrive_once(
    sender: Sender, user: str, reader: httpx2.Client, live: LiveServer
) -> None:
    """Also with a new ledger: the idempotency key of an upload is derived from its content."""
    live.create_type(name := f"diary-{user}")
    items = [{"user_id": user, "data": {"mood": i % 5, "day": i}} for i in range(40)]
    path = write(sender.folder / "documents.ndjson", [*items, items[0]])
    summary = sender.uploader().send_documents(name, path)
    assert counts_of(summary) == {"read": 41, "repeated": 1, "acknowledged": 40, "requests": 40}
    assert profile(reader, user)["documents"] == 40
    assert counts_of(sender.uploader().send_documents(name, path)) == {"read": 41, "known": 41}
    fresh = sender.uploader(ledger=sender.folder / "other.ledger")
    assert fresh.send_documents(name, path).acknowledged == 40
    assert profile(reader, user)["documents"] == 40


def test_documents_that_break_their_schema_are_rejected_with_every_reason(
    sender: Sender, user: str, live: LiveServer
) -> None:
    """The others are stored."""
    schema = sender.folder / "schema.json"
    schema.write_text('{"properties": {"mood": {"maximum": 5}}, "required": ["mood"]}')
    live.command("types", "add", name := f"mood-{user}", "--schema", str(schema))
    items = [{"user_id": user, "data": {"mood": mood}} for mood in (1, 9, 2)]
    path = write(sender.folder / "documents.ndjson", [*items, {"user_id": user, "data": {}}])
    summary = sender.uploader().send_documents(name, path)
    assert counts_of(summary) == {"read": 4, "acknowledged": 2, "refused": 2, "requests": 4}
    rejected = {one["refused"]["line"]: one for one in lines(sender.folder / "rejected.ndjson")}
    assert rejected[2]["data"] == {"mood": 9}
    assert rejected[2]["refused"]["reasons"][0]["field"] == "body.data.mood"
    assert rejected[4]["refused"]["reasons"][0]["code"] == "required"


def test_an_unknown_document_type_stops_the_run(sender: Sender, user: str) -> None:
    """With a one-line message; no document counts as rejected."""
    path = write(sender.folder / "documents.ndjson", [{"user_id": user, "data": {}}])
    summary = sender.uploader().send_documents(f"no-{user}", path)
    assert "the document type is not accepted" in summary.stopped
    assert (summary.refused, summary.left) == (0, 1)


def test_images_arrive_once(sender: Sender, reader: httpx2.Client) -> None:
    """Images of a folder; each name has the user. The same bytes of two users are two images."""
    ann, ben = (str(Random().randrange(10**9, 10**12)) for _ in range(2))
    folder = sender.folder / "images"
    folder.mkdir()
    picture = encoded("PNG", 3, 2)
    for name in (f"{ann}.png", f"{ann}-again.png", f"{ben}.png"):
        (folder / name).write_bytes(picture)
    (folder / "xavier.png").write_bytes(picture)
    (folder / f"{ben}-broken.png").write_bytes(picture[:40])
    summary = sender.uploader().send_images(folder)
    assert counts_of(summary) == {
        "read": 5,
        "repeated": 1,
        "acknowledged": 2,
        "refused": 2,
        "requests": 3,
    }
    for user in (ann, ben):
        (image,) = reader.get(f"/uptake/v1/users/{user}/images").json()["images"]
        assert image["sha256"] == hashlib.sha256(picture).hexdigest()
    rejected = {Path(one["path"]).name: one for one in lines(sender.folder / "rejected.ndjson")}
    (reason,) = rejected["xavier.png"]["refused"]["reasons"]
    assert reason["message"].startswith("the user id must be an integer from 1 to")
    assert rejected[f"{ben}-broken.png"]["user_id"] == ben
    again = sender.uploader().send_images(folder)
    assert counts_of(again) == {"read": 5, "known": 3, "refused_before": 2}


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_images_of_users_without_a_number_are_named_before_others_are_sent(
    sender: Sender, reader: httpx2.Client, kind: str
) -> None:
    """In one message with users, files and the reason; a file that is no image is not named."""
    user = str(Random().randrange(10**9, 10**12))
    folder = sender.folder / "images"
    folder.mkdir()
    files = [f"{user}.png", "ada.png", "0.png", "notes.txt"]
    for name in files:
        (folder / name).write_bytes(encoded("PNG", 3, 2) if ".png" in name else b"hello")
    rows = "".join(f"{Path(name).stem},{name}\n" for name in files)
    (sender.folder / "images" / ".t.csv").write_text(f"user_id,path\n{rows}")
    notices: list[tuple[str, int]] = []

    def notify(notice: str) -> None:
        answer = reader.get(f"/uptake/v1/users/{user}/images")
        notices.append((notice, answer.status_code))

    source = folder if kind == "folder" else folder / ".t.csv"
    summary = sender.uploader(notify=notify).send_images(source)
    counts = summary.acknowledged, summary.refused, summary.unreadable
    assert (counts, summary.complete) == ((1, 2, 1), False)
    prefix = f"{folder}/" if kind == "folder" else ""
    named = sorted(["ada.png", "0.png"], reverse=kind == "table")
    users = ", ".join(f"'{Path(name).stem}' ({prefix}{name})" for name in named)
    expected = (
        "2 images are not sent: the user id must be an integer from 1 to 9223372036854775807"
        f" without leading zeros: {users}"
    )
    assert notices == [(expected, 404)]
    assert summary.notices == (expected,)
    assert reader.get(f"/uptake/v1/users/{user}/images").json()["images"]
