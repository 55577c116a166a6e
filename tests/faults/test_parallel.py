"""Sixteen senders at once, to one process or several: no error, and everything once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx2
import pytest

from nodes import two_nodes
from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres

from .pictures import picture
from .uploads import Uploads, keys_of, log_of, start_of

SENDERS = 16
ROUNDS = 6
BOUND_USER = "4001"


@dataclass
class Field:
    """A server under test and the sixteen that send to it."""

    senders: list[Uploads]

    def at_once(self, send: Callable[[Uploads, int], httpx2.Response]) -> list[httpx2.Response]:
        """Have every sender send, all at the same moment; the answers by sender."""
        together = threading.Barrier(SENDERS)

        def one(number: int) -> httpx2.Response:
            together.wait(30)
            return send(self.senders[number], number)

        with ThreadPoolExecutor(SENDERS) as pool:
            return list(pool.map(one, range(SENDERS)))

    @property
    def reader(self) -> Uploads:
        """One that reads what is there."""
        return self.senders[0]


@pytest.fixture(scope="module", params=["one-process", "two-processes", "two-servers"])
def field(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Field]:
    """A server of so many processes over one database file, or servers over PostgreSQL."""
    folder = tmp_path_factory.mktemp("parallel")
    if request.param == "two-servers":
        postgresql: Postgres = request.getfixturevalue("postgresql")
        with two_nodes(folder, postgresql.create("parallel")) as servers:
            yield from _field(servers)
    else:
        workers = "1" if request.param == "one-process" else "2"
        with serving(folder / "data", "--workers", workers) as server:
            yield from _field([server])


def _field(servers: list[LiveServer]) -> Iterator[Field]:
    keys = keys_of(servers[0], BOUND_USER)
    urls = [server.url for server in servers]
    found = Field([Uploads(urls[n % len(urls)], *keys) for n in range(SENDERS)])
    yield found
    for sender in found.senders:
        sender.close()
    assert all("Traceback" not in log_of(server) for server in servers)


def _statuses(answers: list[httpx2.Response]) -> set[int]:
    return {answer.status_code for answer in answers}


def _same(minutes: range, sender: Uploads, _: int) -> httpx2.Response:
    return sender.samples("same", minutes)


def _document(once: str, sender: Uploads, _: int) -> httpx2.Response:
    return sender.document("doc", {"a": 1}, once)


def test_the_same_batch_from_all_senders_is_stored_once(field: Field) -> None:
    """Each gets 200, each sample is there once."""
    for round_number in range(ROUNDS):
        minutes = range(round_number * 50, round_number * 50 + 50)
        answers = field.at_once(partial(_same, minutes))
        assert {200} == _statuses(answers)
        assert {(50, 0)} == {(a.json()["accepted"], a.json()["rejected"]) for a in answers}
    assert [start_of(minute) for minute in range(ROUNDS * 50)] == field.reader.starts("same")


def test_overlapping_batches_are_stored_once(field: Field) -> None:
    """Each sender's batch shares all but ten of its samples with the next one's."""
    answers = field.at_once(
        lambda sender, n: sender.samples("overlap", range(n * 10, n * 10 + 100))
    )
    assert {200} == _statuses(answers)
    assert [start_of(minute) for minute in range(250)] == field.reader.starts("overlap")
    assert field.reader.read("/users/overlap")["samples"]["steps"]["count"] == 250


def test_both_sample_endpoints_feed_one_user(field: Field) -> None:
    """Half of the senders use the bound key of v1.1, half name the user to v2.2."""
    minutes = range(40)
    answers = field.at_once(
        lambda sender, n: (
            sender.samples_of_bound(minutes) if n % 2 else sender.samples(BOUND_USER, minutes)
        )
    )
    assert {200} == _statuses(answers)
    assert [start_of(minute) for minute in minutes] == field.reader.starts(BOUND_USER)


def test_the_same_image_from_all_is_one_image(field: Field) -> None:
    """One imageID, one name in the URL, and one entry in the list."""
    content = picture(77)
    answers = field.at_once(lambda sender, _: sender.image("5001", content))
    assert {200} == _statuses(answers)
    responses = [answer.json()["response"] for answer in answers]
    names = {(one["imageID"], one["imageURL"].rpartition("/")[2]) for one in responses}
    assert len(names) == 1
    assert len(field.reader.read("/users/5001/images")["images"]) == 1
    assert content == field.reader.get(responses[0]["imageURL"]).content


def test_different_images_get_different_numbers(field: Field) -> None:
    """No two uploads are given the same imageID."""
    answers = field.at_once(lambda sender, n: sender.image("5002", picture(1000 + n)))
    assert {200} == _statuses(answers)
    assert len({answer.json()["response"]["imageID"] for answer in answers}) == SENDERS
    assert len(field.reader.read("/users/5002/images")["images"]) == SENDERS


def test_one_idempotency_key_makes_one_document(field: Field) -> None:
    """All senders get the same upload id."""
    for round_number in range(ROUNDS):
        once = f"parallel-{round_number}"
        answers = field.at_once(partial(_document, once))
        assert {200} == _statuses(answers)
        assert len({answer.json()["uploadId"] for answer in answers}) == 1
    assert field.reader.read("/users/doc")["documents"] == ROUNDS


def test_one_idempotency_key_with_different_bodies_keeps_the_first(field: Field) -> None:
    """One sender wins, all others get 422."""
    answers = field.at_once(lambda sender, n: sender.document("duel", {"n": n}, "duel"))
    won = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert len(won) == 1
    assert {200, 422} == _statuses(answers)
    stored = field.reader.read(f"/documents/{answers[won[0]].json()['uploadId']}")
    assert {"n": won[0]} == stored["data"]
    assert field.reader.read("/users/duel")["documents"] == 1


def test_documents_without_a_key_are_all_stored(field: Field) -> None:
    """A new id for every request."""
    answers = field.at_once(lambda sender, _: sender.document("many", {"a": 1}))
    assert {200} == _statuses(answers)
    assert len({answer.json()["uploadId"] for answer in answers}) == SENDERS
    assert field.reader.read("/users/many")["documents"] == SENDERS


def test_attributes_of_one_user_are_all_stored(field: Field) -> None:
    """Each sender sets a name of its own and one that all set, in crossing orders of users."""

    def send(sender: Uploads, n: int) -> httpx2.Response:
        values = {f"own{n}": str(n), "shared": str(n)}
        users = ["left", "right"] if n % 2 else ["right", "left"]
        return sender.attributes(dict.fromkeys(users, values))

    assert {200} == _statuses(field.at_once(send))
    for user in ("left", "right"):
        stored = field.reader.read(f"/users/{user}")["attributes"]
        assert stored.pop("shared") in {str(n) for n in range(SENDERS)}
        assert {f"own{n}": str(n) for n in range(SENDERS)} == stored
