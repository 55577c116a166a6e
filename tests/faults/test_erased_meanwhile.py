"""A user erased while something about that user is on its way: no bytes stay behind."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.blobs.memory import MemoryBlobs
from uptake.formats.base import WireRequest
from uptake.intake.accept import Intake, Origin
from uptake.intake.commit import GroupCommit
from uptake.intake.erase import Eraser
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Rejection, Submission
from uptake.replay import Actor, replay
from uptake.settings import Settings
from uptake.store.base import DEFAULT_PROJECT, Store
from uptake.wiring import Services, open_services

from .pictures import picture

SECONDS = 30.0
USER = "88"
LARGE = b"\x89PNG but not an image" * 50_000


class ErasingBlobs(MemoryBlobs):
    """Erases the user right after bytes were put, which is before their row is committed."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.armed = False

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob, and erase."""
        super().put(name, content)
        if self.armed:
            self.armed = False
            Eraser(self._store, self).erase(DEFAULT_PROJECT, USER)
            super().put(name, content)  # as if the erasure had come just before


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """All that a replay needs, over SQLite and blobs that erase."""
    opened = open_services(Settings(data_dir=tmp_path))
    opened.commit.close()
    blobs = ErasingBlobs(opened.store)
    intake = Intake(opened.types, blobs, opened.store.user_hash)
    commit = GroupCommit(opened.store, blobs)
    made = dataclasses.replace(opened, blobs=blobs, intake=intake, commit=commit)
    yield made
    made.close()


def _blobs(services: Services) -> ErasingBlobs:
    assert isinstance(services.blobs, ErasingBlobs)
    return services.blobs


def _origin(request_id: str) -> Origin:
    return Origin(DEFAULT_PROJECT, "key", "questionpro", request_id, 1)


def test_an_upload_leaves_no_image_behind(services: Services) -> None:
    """Its bytes are removed before it is answered."""
    _blobs(services).armed = True
    submission = Submission((Image(USER, picture(1)),))
    judged = services.intake.judge(submission, _origin("r1"))
    assert list(services.blobs.names(""))
    services.commit.submit(judged.entry).result(SECONDS)
    assert list(services.blobs.names("")) == []


def test_a_rejection_leaves_no_large_body_behind(services: Services) -> None:
    """The body of a rejected item is personal data like an accepted one."""
    _blobs(services).armed = True
    rejection = Rejection((Fault("no_image", "not an image"),), LARGE, user_id=USER)
    judged = services.intake.judge(Submission(rejections=(rejection,)), _origin("r1"))
    assert list(services.blobs.names(""))
    services.commit.submit(judged.entry).result(SECONDS)
    assert list(services.blobs.names("")) == []


def test_a_replay_leaves_no_image_behind(services: Services) -> None:
    """It commits the same way as an upload, and is cleaned up after the same way."""
    rejection = Rejection(
        (Fault("no_image", "not an image"),), b"no image", user_id=USER, context={"item": "image"}
    )
    judged = services.intake.judge(Submission(rejections=(rejection,)), _origin("r1"))
    services.commit.submit(judged.entry).result(SECONDS)
    rejection_id = judged.entry.rejections[0].rejection_id
    _blobs(services).armed = True
    with pytest.raises(Problem) as told:
        replay(
            services,
            Actor(DEFAULT_PROJECT, "key"),
            rejection_id,
            WireRequest("r2", 2, "", "", body=picture(2)),
        )
    assert told.value.kind is Kinds.ERASED
    assert list(services.blobs.names("")) == []


def test_bytes_that_may_be_left_are_not_answered_with_success(services: Services) -> None:
    """The sender tries again, and then meets the tombstone."""
    blobs = _blobs(services)
    blobs.armed = True
    judged = services.intake.judge(Submission((Image(USER, picture(3)),)), _origin("r1"))
    blobs.reachable = False
    error = services.commit.submit(judged.entry).exception(SECONDS)
    assert isinstance(error, Problem)
    assert error.kind is Kinds.UNAVAILABLE
