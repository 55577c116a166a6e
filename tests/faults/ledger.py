"""Mixed load that remembers what was acknowledged, and a comparison with what is there."""

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from .pictures import picture
from .uploads import Uploads, start_of

BOUND_USER = "4000"
BATCH = 20
OVERLAP = 5
"""Samples of a batch, and how many of them are those of the batch before."""

WAIT_SECONDS = 60.0
NUMBERS_PER_THREAD = 1_000_000
NUMBERS_PER_USER = 500


@dataclass
class Ledger:
    """What was sent, and what of it was acknowledged with 200.

    Attributes:
        documents: upload id by idempotency key.
        sent_documents: user and content by idempotency key, acknowledged or not.
        attributes: names by their pair of users; `sent_attributes` with those not acknowledged.
        images: user, address and content.
        samples, sent_samples: starts by user.
        rejected: answers that were neither 200 nor a 503.
    """

    documents: dict[str, str] = field(default_factory=dict)
    sent_documents: dict[str, tuple[str, Any]] = field(default_factory=dict)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    sent_attributes: list[tuple[str, str]] = field(default_factory=list)
    images: list[tuple[str, str, bytes]] = field(default_factory=list)
    samples: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sent_samples: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rejected: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> set[str]:
        """The kinds of which at least one item was acknowledged."""
        acknowledged_by_kind = {
            "documents": self.documents,
            "attributes": self.attributes,
            "images": self.images,
            "samples": set(self.samples) - {BOUND_USER},
            "samples of the bound user": self.samples.get(BOUND_USER),
        }
        return {name for name, value in acknowledged_by_kind.items() if value}


ALL_KINDS = {"documents", "attributes", "images", "samples", "samples of the bound user"}


PAUSE_SECONDS = 0.02
"""Between the rounds of a thread: what was sent is read back afterwards, item by item."""


class Load:
    """Threads that send to all five endpoints until `end` is called."""

    def __init__(
        self,
        ledger: Ledger,
        url: str,
        keys: tuple[str, str],
        threads: int = 4,
        transport: Callable[[], httpx2.BaseTransport] | None = None,
    ) -> None:
        self._ledger = ledger
        self._url, self._keys, self._transport = url, keys, transport
        self._over = threading.Event()
        self.broken: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def start(self, first: int) -> None:
        """Begin; `first` is the number of the first request, so that two loads differ."""
        self._first = first
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop sending, and wait for the last answers."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        transport = None if self._transport is None else self._transport()
        uploads = Uploads(self._url, *self._keys, transport)
        n = self._first + number * NUMBERS_PER_THREAD
        try:
            while not self._over.wait(PAUSE_SECONDS):
                for send in (_document, _attributes, _image, _samples, _bound_samples):
                    n += 1
                    send(self._ledger, uploads, str(number + 1), n)
        except httpx2.TransportError as error:
            self.broken.append(error)
        finally:
            uploads.close()


def acknowledged(ledger: Ledger) -> Ledger:
    """What has been acknowledged by now, while more is being sent; what is sent goes on growing."""
    return Ledger(
        documents=dict(ledger.documents),
        sent_documents=ledger.sent_documents,
        attributes=list(ledger.attributes),
        sent_attributes=ledger.sent_attributes,
        images=list(ledger.images),
        samples={user: set(starts) for user, starts in list(ledger.samples.items())},
        sent_samples=ledger.sent_samples,
        rejected=ledger.rejected,
    )


def wait_for_all_kinds(ledger: Ledger) -> None:
    """Wait until something of each kind was acknowledged."""
    until = time.monotonic() + WAIT_SECONDS
    while ledger.kinds != ALL_KINDS:
        assert time.monotonic() < until
        time.sleep(0.05)


def _accepted(ledger: Ledger, answer: httpx2.Response) -> bool:
    if answer.status_code not in {200, 503}:
        ledger.rejected.append(f"{answer.status_code}: {answer.text}")
    return answer.status_code == 200


def _document(ledger: Ledger, uploads: Uploads, user: str, n: int) -> None:
    once, data = f"once-{n}", {"n": n, "text": "x" * 500}
    ledger.sent_documents[once] = user, data
    answer = uploads.document(user, data, once)
    if _accepted(ledger, answer):
        ledger.documents[once] = answer.json()["uploadId"]


def _attributes(ledger: Ledger, uploads: Uploads, user: str, n: int) -> None:
    # Each brings new names, and a user has a limited number of them.
    user = f"{user}-{n // NUMBERS_PER_USER}"
    ledger.sent_attributes.append((user, str(n)))
    values = {f"a{n}": str(n), f"b{n}": str(n)}
    if _accepted(ledger, uploads.attributes({user: values, f"{user}-twin": values})):
        ledger.attributes.append((user, str(n)))


def _image(ledger: Ledger, uploads: Uploads, user: str, n: int) -> None:
    content = picture(n)
    answer = uploads.image(user, content)
    if _accepted(ledger, answer):
        path = httpx2.URL(answer.json()["response"]["imageURL"]).path
        ledger.images.append((user, path, content))


def _samples(ledger: Ledger, uploads: Uploads, user: str, n: int) -> None:
    minutes = _minutes(n)
    starts = {start_of(minute) for minute in minutes}
    ledger.sent_samples[user] |= starts
    if _accepted(ledger, uploads.samples(user, minutes)):
        ledger.samples[user] |= starts


def _bound_samples(ledger: Ledger, uploads: Uploads, _user: str, n: int) -> None:
    minutes = _minutes(n)
    starts = {start_of(minute) for minute in minutes}
    ledger.sent_samples[BOUND_USER] |= starts
    if _accepted(ledger, uploads.samples_of_bound(minutes)):
        ledger.samples[BOUND_USER] |= starts


def _minutes(n: int) -> range:
    first = n // 5 * (BATCH - OVERLAP)
    return range(first, first + BATCH)


def verify(ledger: Ledger, uploads: Uploads) -> None:
    """Everything acknowledged is there, once; a request is there whole or not at all."""
    assert ledger.rejected == []
    for once, upload_id in ledger.documents.items():
        found = uploads.read(f"/documents/{upload_id}")
        assert ledger.sent_documents[once] == (found["user_id"], found["data"])
    _verify_attributes(ledger, uploads)
    for user, path, content in ledger.images:
        answer = uploads.get(path)
        assert (200, content) == (answer.status_code, answer.content), (user, path)
    shown = {user: _image_digests(uploads, user) for user, _, _ in ledger.images}
    for user, _, content in ledger.images:
        assert shown[user].count(hashlib.sha256(content).hexdigest()) == 1
    for user, starts in ledger.samples.items():
        found = uploads.starts(user)
        assert starts <= set(found) <= ledger.sent_samples[user]
        assert len(set(found)) == len(found)
        assert len(found) == uploads.read(f"/users/{user}")["samples"]["steps"]["count"]


def _verify_attributes(ledger: Ledger, uploads: Uploads) -> None:
    users = {user for user, _ in ledger.attributes}
    values = {
        name: uploads.read(f"/users/{name}")["attributes"]
        for user in users
        for name in (user, f"{user}-twin")
    }
    for user, n in ledger.sent_attributes:
        if user not in users:
            continue
        whole = {
            values[name].get(f"{letter}{n}") for name in (user, f"{user}-twin") for letter in "ab"
        }
        assert whole == {n} or ((user, n) not in ledger.attributes and whole == {None})


def _image_digests(uploads: Uploads, user: str) -> list[str]:
    found = uploads.read(f"/users/{user}/images", limit=10_000)
    return [image["sha256"] for image in found["images"]]


def send_documents_again(ledger: Ledger, uploads: Uploads) -> None:
    """Send every document a second time, and check that each is stored once, under its first id."""
    for once, (user, data) in ledger.sent_documents.items():
        answer = uploads.document(user, data, once)
        assert answer.status_code == 200
        upload_id = answer.json()["uploadId"]
        assert upload_id == ledger.documents.setdefault(once, upload_id)
    by_user: dict[str, int] = defaultdict(int)
    for user, _ in ledger.sent_documents.values():
        by_user[user] += 1
    for user, count in by_user.items():
        assert count == uploads.read(f"/users/{user}")["documents"]
