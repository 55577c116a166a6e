"""The ledger is for one database and one project, and the server's limits are followed."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uploader.conftest import VENDOR_KEY
from uploader.hostile import answer, hostile
from uploader.sending import Sender, some, write
from uploader.vendor_stub import VendorStub
from uptake import Uploader
from uptake.testing.live import LiveServer, serving
from uptake.uploader import ledger as ledgers


def uploader(server: LiveServer, key: str, ledger: Path, **options: Any) -> Uploader:
    """An uploader with this ledger."""
    return Uploader(server.url, key, ledger=ledger, **options)


def test_another_database_at_the_same_url_stops_the_run(tmp_path: Path) -> None:
    """Nothing counts as acknowledged, and the reason names the ledger and what to do."""
    path = write(tmp_path / "samples.ndjson", some("42", 30))
    ledger = tmp_path / "sent.ledger"
    with serving(tmp_path / "first") as first, serving(tmp_path / "second") as second:
        assert uploader(first, first.create_key(), ledger).send_samples(path).acknowledged == 30
        opened = ledgers.open_ledger(ledger)
        # As if the second server were started at the address of the first.
        opened.write("UPDATE destinations SET url = ?1", second.url)
        opened.write("UPDATE servers SET url = ?1", second.url)
        opened.close()
        key = second.create_key()
        summary = uploader(second, key, ledger).send_samples(path)
        assert not summary.complete
        assert (summary.known, summary.acknowledged) == (0, 0)
        for words in (f"{second.url} has another database", str(ledger), "--ledger"):
            assert words in summary.stopped
        assert uploader(second, key, tmp_path / "new").send_samples(path).acknowledged == 30


def test_another_project_of_the_same_server_stops_the_run(sender: Sender, user: str) -> None:
    """Another key of the same project does not."""
    path = write(sender.folder / "samples.ndjson", some(user, 10))
    ledger = sender.folder / "sent.ledger"
    assert sender.uploader().send_samples(path).complete
    second = uploader(sender.server, sender.server.create_key(), ledger).send_samples(path)
    assert (second.known, second.complete, second.notices) == (10, True, ())
    sender.server.command("projects", "create", user)
    other = sender.server.create_key(project=user)
    summary = uploader(sender.server, other, ledger).send_samples(path)
    assert (summary.known, summary.complete) == (0, False)
    for words in (f"project {user!r}", "project 'default'", str(ledger), "--ledger"):
        assert words in summary.stopped


def test_a_key_without_the_scope_of_the_endpoint_sends_nothing(sender: Sender, user: str) -> None:
    """The reason names the scope, and the command that creates such a key."""
    path = write(sender.folder / "samples.ndjson", some(user, 10))
    sender.server.command("projects", "create", user)
    key = sender.server.create_key("images:write", "data:read", project=user)
    summary = uploader(sender.server, key, sender.folder / "sent.ledger").send_samples(path)
    assert (summary.requests, summary.complete) == (0, False)
    assert summary.stopped == (
        f"the key for {sender.server.url} does not have the scope samples:write; create one that"
        f" has: uptake keys create --project {user} --scope samples:write"
    )
    bound = " --user USER --scope samples:write"
    summary = uploader(sender.server, key, sender.folder / "sent.ledger").send_samples(
        path, wire="gerosense-v1.1"
    )
    assert summary.stopped.endswith(bound)


def test_a_dry_run_asks_no_server(tmp_path: Path) -> None:
    """It works without one, and without a key."""
    path = write(tmp_path / "samples.ndjson", some("42", 10))
    options: dict[str, Any] = {"ledger": tmp_path / "sent.ledger", "dry_run": True}
    assert Uploader("http://127.0.0.1:1", **options).send_samples(path).to_send == 10


def test_a_server_that_does_not_answer_confirms_nothing(tmp_path: Path) -> None:
    """What the ledger calls acknowledged is not complete then."""
    path = write(tmp_path / "samples.ndjson", some("42", 10))
    with serving(tmp_path / "data") as server:
        url, key = server.url, server.create_key()
        assert Uploader(url, key, ledger=tmp_path / "sent.ledger").send_samples(path).complete
    summary = Uploader(url, key, ledger=tmp_path / "sent.ledger").send_samples(path)
    assert (summary.known, summary.complete) == (10, False)
    assert summary.stopped.startswith(f"no answer from {url}: ")


def test_a_vendor_has_no_instance(vendors: VendorStub, tmp_path: Path) -> None:
    """404: nothing is known of its database, and it is sent to within the documented limits."""
    path = write(tmp_path / "samples.ndjson", some("42", 10))
    sender = Uploader(vendors.url, VENDOR_KEY, ledger=tmp_path / "sent.ledger")
    assert sender.send_samples(path).complete
    assert sender.send_samples(path).known == 10


def test_a_ledger_of_an_earlier_version_learns_its_server(sender: Sender, user: str) -> None:
    """It has no table of servers; the first run records where it sends."""
    path = write(sender.folder / "samples.ndjson", some(user, 10))
    assert sender.uploader().send_samples(path).complete
    opened = ledgers.open_ledger(sender.folder / "sent.ledger")
    opened.write("DROP TABLE servers")
    opened.close()
    assert sender.uploader().send_samples(path).known == 10
    opened = ledgers.read_ledger(sender.folder / "sent.ledger")
    assert [row[:1] + row[2:] for row in opened.rows("SELECT * FROM servers")] == [
        (sender.server.url, "default")
    ]
    opened.close()


def stating(**limits: Any) -> Callable[[socket.socket, bytes], object]:
    """A server that states limits of the samples endpoint, and accepts every request."""
    about = {
        "instance": "i",
        "project": "p",
        "endpoints": [{"name": "gerosense-v2.2", "limits": limits}],
    }

    def respond(connection: socket.socket, path: bytes) -> None:
        is_about = path == b"/uptake/v1"
        connection.sendall(answer(200, json.dumps(about).encode() if is_about else b""))

    return respond


def test_narrower_limits_of_a_server_are_followed(tmp_path: Path) -> None:
    """Wider ones, and those that cannot be met, have no effect."""
    path = write(tmp_path / "samples.ndjson", some("42", 1001))
    cases: list[tuple[dict[str, Any], int]] = [
        ({"max_items": 100}, 11),
        ({"max_items": 5000}, 2),
        ({"max_items": 4}, 2),
        ({"max_items": -1}, 2),
        ({"max_items": "many"}, 2),
    ]
    for number, (limits, requests) in enumerate(cases):
        with hostile(stating(**limits)) as server:
            ledger = tmp_path / f"{number}.ledger"
            summary = Uploader(server.url, "key", ledger=ledger).send_samples(path)
        assert (summary.acknowledged, summary.requests) == (1001, requests)
