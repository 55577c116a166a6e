"""An image that is deleted while the same picture is uploaded: what is acknowledged is there."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from contract.pictures import png_of
from faults.pictures import picture
from uptake.intake.accept import Intake
from uptake.intake.blob_keys import new_blob_key
from uptake.intake.commit import GroupCommit
from uptake.intake.deletions import Deleter
from uptake.intake.retain import expire
from uptake.model import clock
from uptake.model.items import Image
from uptake.model.submission import Origin, Submission
from uptake.settings import Settings
from uptake.store.base import StoreUnavailable
from uptake.store.definitions import DEFAULT_PROJECT, RetentionRule
from uptake.store.stored import StoredImage
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.wiring import Services, open_services

USER, PICTURE = "88", picture(1)


class InterruptedBlobs(MemoryBlobs):
    """Does something once after bytes were put or deleted, before their row is."""

    def __init__(self) -> None:
        super().__init__()
        self.after_put: Callable[[], object] | None = None
        self.after_delete: Callable[[], object] | None = None

    def put(self, name: str, content: bytes) -> None:
        """Store a blob, and do it."""
        super().put(name, content)
        after_put, self.after_put = self.after_put, None
        if after_put is not None:
            after_put()

    def delete(self, names: Sequence[str]) -> None:
        """Delete blobs, and do it."""
        super().delete(names)
        after_delete, self.after_delete = self.after_delete, None
        if after_delete is not None:
            after_delete()


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
    blobs.after_put = lambda: Deleter(services.store, blobs, DEFAULT_PROJECT).image(first)
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


def test_the_same_picture_again_restores_bytes_that_are_lost(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """The image is the same, with new bytes."""
    _upload(services, "r1")
    (before,) = _images(services)
    blobs.delete([before.blob])
    _upload(services, "r2")
    (after,) = _images(services)
    assert (after.image_id, after.name) == (before.image_id, before.name)
    assert blobs.get(after.blob) == PICTURE
    assert list(blobs.names("")) == [after.blob]


def test_an_upload_between_the_deletion_of_bytes_and_row_leaves_nothing(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """It restores the bytes; the deletion removes these too."""
    _upload(services, "r1")
    (image,) = _images(services)
    blobs.after_delete = lambda: _upload(services, "r2")
    assert Deleter(services.store, blobs, DEFAULT_PROJECT).image(image)
    assert _images(services) == []
    assert list(blobs.names("")) == []


def test_an_upload_while_the_bytes_of_the_same_picture_expire_leaves_nothing(
    services: Services, blobs: InterruptedBlobs
) -> None:
    """It restores the bytes of an image that expires right after."""
    _upload(services, "r1")
    rule, now = RetentionRule("images", 1), clock.now()
    blobs.after_delete = lambda: _upload(services, "r2", now)
    assert expire(services.store, blobs, DEFAULT_PROJECT, rule, now) == 1
    assert _images(services) == []
    assert list(blobs.names("")) == []


def test_an_interrupted_expiry_is_continued_by_the_next(
    services: Services, blobs: InterruptedBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bytes stay behind that nothing refers to."""
    _upload(services, "r1")
    rule, now = RetentionRule("images", 1), clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(services.store, "expire", _fail)
        with pytest.raises(StoreUnavailable):
            expire(services.store, blobs, DEFAULT_PROJECT, rule, now)
    assert expire(services.store, blobs, DEFAULT_PROJECT, rule, now) == 1
    assert list(blobs.names("")) == []


def _fail(*_: object) -> None:
    raise StoreUnavailable


def test_bytes_that_images_of_an_earlier_version_share_are_deleted_with_the_last(
    services: Services, blobs: InterruptedBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their uploads differed in metadata, which are removed."""

    def earlier_key(kind: str, project: str, user_hash: str, sha256: str) -> str:
        return new_blob_key(kind, project, user_hash, sha256).rpartition("-")[0]

    monkeypatch.setattr("uptake.intake.accept.new_blob_key", earlier_key)
    _upload(services, "r1", content=png_of(500, b"one"))
    _upload(services, "r2", content=png_of(500, b"two"))
    for image in _images(services):
        assert list(blobs.names("")) == [image.blob]
        assert Deleter(services.store, blobs, DEFAULT_PROJECT).image(image)
    assert list(blobs.names("")) == []
