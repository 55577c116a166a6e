"""A user erased while something about that user is on its way: no bytes stay behind."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.pictures import picture
from uptake.formats.base import WireRequest
from uptake.intake.accept import Intake
from uptake.intake.commit import GroupCommit
from uptake.intake.erase import Eraser
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Origin, Rejection, Submission
from uptake.replay import Actor, Replayed, replay
from uptake.settings import Settings
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.wiring import Services, open_services

SECONDS = 30.0
USER = "88"
LARGE = b"\x89PNG but not an image" * 50_000


class ErasingBlobs(MemoryBlobs):
    """Erases the user right after bytes were put, which is before their row is committed."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.armed = False
        self.reachable_after_put = True
        self.puts = 0

    def put(self, name: str, content: bytes) -> None:
        """Store a blob, and erase its user."""
        super().put(name, content)
        self.puts += 1
        if self.armed:
            self.armed = False
            Eraser(self._store, self).erase(DEFAULT_PROJECT, USER)
            super().put(name, content)  # as if the erasure had come just before
            self.reachable = self.reachable_after_put


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """All that a replay needs, over SQLite and blobs that erase."""
    opened = open_services(Settings(data_dir=tmp_path), make=True)
    opened.commit.close()
    blobs = ErasingBlobs(opened.store)
    commit = GroupCommit(opened.store, blobs)
    intake = Intake(opened.types, opened.images, blobs, commit, opened.store.user_hash)
    made = dataclasses.replace(opened, blobs=blobs, intake=intake, commit=commit)
    yield made
    made.close()


def _blobs(services: Services) -> ErasingBlobs:
    assert isinstance(services.blobs, ErasingBlobs)
    return services.blobs


def _origin(request_id: str) -> Origin:
    return Origin(DEFAULT_PROJECT, "key", "questionpro", request_id, 1)


def _rejection(raw: bytes) -> Submission:
    fault = Fault("no_image", "not an image")
    return Submission(
        rejections=(Rejection((fault,), raw, user_id=USER, context={"item": "image"}),)
    )


def _replay(services: Services, body: bytes) -> Replayed:
    """Replay the only rejection."""
    (stored,) = services.store.rejections(DEFAULT_PROJECT, "", 2)
    return replay(
        services,
        Actor(DEFAULT_PROJECT, "key"),
        stored.record.rejection_id,
        WireRequest("r2", 2, "", "", body=body),
    )


def test_an_upload_leaves_no_image_of_an_erased_user(services: Services) -> None:
    """Its bytes are removed before it is answered."""
    blobs = _blobs(services)
    blobs.armed = True
    with pytest.raises(Problem) as caught:
        services.intake.accept_blocking(Submission((Image(USER, picture(1)),)), _origin("r1"))
    assert caught.value.kind is Kinds.ERASED
    assert (blobs.puts, list(blobs.names(""))) == (1, [])


def test_a_rejection_leaves_no_large_body_of_an_erased_user(services: Services) -> None:
    """The body of a rejected item is personal data like an accepted one."""
    blobs = _blobs(services)
    blobs.armed = True
    services.intake.accept_blocking(_rejection(LARGE), _origin("r1"))
    assert (blobs.puts, list(blobs.names(""))) == (1, [])


def test_a_replay_leaves_no_image_of_an_erased_user(services: Services) -> None:
    """It is cleaned up after as an upload is."""
    services.intake.accept_blocking(_rejection(b"no image"), _origin("r1"))
    _blobs(services).armed = True
    with pytest.raises(Problem) as caught:
        _replay(services, picture(2))
    assert caught.value.kind is Kinds.ERASED
    assert list(services.blobs.names("")) == []


def test_a_replay_that_is_rejected_again_stores_no_bytes(services: Services) -> None:
    """Its body is in no row, so nothing would ever remove it."""
    services.intake.accept_blocking(_rejection(b"no image"), _origin("r1"))
    replayed = _replay(services, LARGE)
    assert (replayed.outcome, replayed.request_id) == ("refused", None)
    assert [fault.code for fault in replayed.faults] == ["not_an_image"]
    assert list(services.blobs.names("")) == []


def test_bytes_that_may_be_left_are_not_answered_with_success(services: Services) -> None:
    """The sender tries again, and then meets the tombstone."""
    blobs = _blobs(services)
    blobs.armed = True
    blobs.reachable_after_put = False
    with pytest.raises(Problem) as caught:
        services.intake.accept_blocking(Submission((Image(USER, picture(3)),)), _origin("r1"))
    assert caught.value.kind is Kinds.UNAVAILABLE
