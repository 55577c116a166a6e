"""An image that is deleted while the same picture is uploaded: what is acknowledged is there."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.pictures import png_of
from faults.pictures import picture
from uptake.intake.accept import Intake
from uptake.intake.blob_keys import blob_key
from uptake.intake.commit import GroupCommit
from uptake.intake.delete_image import delete_image
from uptake.intake.retain import expire
from uptake.model import clock
from uptake.model.items import Image
from uptake.model.submission import Origin, Submission
from uptake.settings import Settings
from uptake.store.definitions import DEFAULT_PROJECT, RetentionRule
from uptake.store.stored import StoredImage
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.wiring import Services, open_services

USER, PICTURE = "88", picture(1)


class InterruptedBlobs(MemoryBlobs):
    """Does something right after bytes were put, which is before their row is committed."""

    def __init__(self) -> None:
        super().__init__()
        self.after_put: Callable[[], object] | None = None

    def put(self, name: str, content: bytes) -> None:
        """Store a blob, and do it."""
        super().put(name, content)
        after_put, self.after_put = self.after_put, None
        if after_put is not None:
            after_put()


@pytest.fixture
def blobs() -> InterruptedBlobs:
    """The blob store of the services."""
    return InterruptedBlobs()


@pytest.fixture
def services(tmp_path: Path, blobs: InterruptedBlobs) -> Iterator[Services]:
    """All that an upload needs, over SQLite and these blobs."""
    opened = open_services(Settings(data_dir=tmp_path), make=True)
    opened.commit.close()
    commit = GroupCommit(opened.store, blobs)
    intake = Intake(opened.types, opened.images, blobs, commit, opened.store.user_hash)
    made = dataclasses.replace(opened, blobs=blobs, intake=intake, commit=commit)
    yield made
    made.close()


def _upload(
    services: Services, request_id: str, received_at: int = 1, content: bytes = PICTURE
) -> None:
    origin = Origin(DEFAULT_PROJECT, "key", "questionpro", request_id, received_at)
    services.intake.accept_blocking(Submission((Image(USER, content),)), origin)


def _images(services: Services) -> list[StoredImage]:
    return services.store.latest_images(DEFAULT_PROJECT, USER, 0, 10)


def test_an_upload_during_the_deletion_of_the_same_picture_has_its_bytes(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """It is a new image, because the deletion was first."""
    _upload(services, "r1")
    (first,) = _images(services)
    blobs.after_put = lambda: delete_image(services.store, blobs, DEFAULT_PROJECT, first)
    _upload(services, "r2")
    (second,) = _images(services)
    assert second.image_id > first.image_id
    assert list(blobs.names("")) == [second.blob]


def test_an_upload_while_the_same_picture_expires_has_its_bytes(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """A retention rule deletes the first."""
    _upload(services, "r1")
    rule, now = RetentionRule("images", 1), clock.now()
    blobs.after_put = lambda: expire(services.store, blobs, DEFAULT_PROJECT, rule, now)
    _upload(services, "r2", now)
    (second,) = _images(services)
    assert list(blobs.names("")) == [second.blob]


def test_the_same_picture_again_leaves_no_second_copy(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """The first stays."""
    for request_id in ("r1", "r2"):
        _upload(services, request_id)
    (image,) = _images(services)
    assert list(blobs.names("")) == [image.blob]


def test_bytes_that_images_of_an_earlier_version_share_are_deleted_with_the_last(
    services: Services, blobs: InterruptedBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their uploads differed in metadata, which are removed."""

    def earlier_key(kind: str, project: str, user_hash: str, name: str) -> str:
        return blob_key(kind, project, user_hash, name.partition("-")[0])

    monkeypatch.setattr("uptake.intake.accept.blob_key", earlier_key)
    _upload(services, "r1", content=png_of(500, b"one"))
    _upload(services, "r2", content=png_of(500, b"two"))
    for image in _images(services):
        assert list(blobs.names("")) == [image.blob]
        assert delete_image(services.store, blobs, DEFAULT_PROJECT, image)
    assert list(blobs.names("")) == []
