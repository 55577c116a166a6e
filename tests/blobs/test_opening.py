"""Folders, object stores and memory pass the suite of blob stores; other URLs are rejected."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uptake.blobs import Blobs, BlobsUnavailable, BlobsUnusable, open_blobs
from uptake.testing.blobs import BlobsConformance
from uptake.testing.blobs.memory import MemoryBlobs
from uptake.testing.seaweedfs import SeaweedFS


class Folder(BlobsConformance):
    """A folder, to be broken in several ways."""

    def open_blobs(self, place: Path) -> Blobs:
        """Below the folder of the test, at a name that a URL must escape."""
        return open_blobs(_folder(place).as_uri())


class TestReplacedFolder(Folder):
    """A file in place of the folder."""

    @contextmanager
    def out_of_reach(self, place: Path) -> Iterator[None]:
        """A file is what stays when someone restores the wrong thing."""
        _folder(place).rename(place / "away")
        _folder(place).write_text("a file")
        yield
        _folder(place).unlink()
        (place / "away").rename(_folder(place))


class TestVanishedFolder(Folder):
    """A folder that has gone, as when its disk is not mounted."""

    @contextmanager
    def out_of_reach(self, place: Path) -> Iterator[None]:
        """It must not be created again: the disk would hide it when it is back."""
        _folder(place).rename(place / "away")
        yield
        assert not _folder(place).exists()
        (place / "away").rename(_folder(place))


def _folder(place: Path) -> Path:
    return place / "50% blobs é"


class TestMemory(BlobsConformance):
    """What the others are compared with."""

    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self._stores: dict[Path, MemoryBlobs] = {}

    def open_blobs(self, place: Path) -> MemoryBlobs:
        """One store for a place, while a test runs."""
        return self._stores.setdefault(place, MemoryBlobs())

    @contextmanager
    def out_of_reach(self, place: Path) -> Iterator[None]:
        """The switch that it has for this."""
        self._stores[place].reachable = False
        yield
        self._stores[place].reachable = True


class TestObjectStore(BlobsConformance):
    """Below a prefix of a bucket of SeaweedFS."""

    @pytest.fixture(autouse=True)
    def _variables(self, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
        self._seaweedfs = seaweedfs
        for name, value in seaweedfs.environment.items():
            monkeypatch.setenv(name, value)

    def open_blobs(self, place: Path) -> Blobs:
        """Below a prefix of its name."""
        return open_blobs(self._seaweedfs.url(place.relative_to("/").as_posix()))

    @contextmanager
    def out_of_reach(self, place: Path) -> Iterator[None]:
        """Killed, without notice."""
        del place
        self._seaweedfs.kill()
        yield
        self._seaweedfs.start()


def test_a_bucket_that_is_gone_is_no_missing_blob(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are 404 in S3's protocol."""
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    seaweedfs.add_bucket("short-lived")
    blobs = open_blobs("s3://short-lived")
    blobs.put("some/name", b"x")
    assert (blobs.get("some/name"), blobs.get("some/other")) == (b"x", None)
    seaweedfs.drop_bucket("short-lived")
    for call in (blobs.get, lambda name: blobs.read(name, 0, 1), lambda name: blobs.put(name, b"")):
        with pytest.raises(BlobsUnavailable, match="NoSuchBucket"):
            call("some/name")


def test_a_blob_is_one_whole_file(tmp_path: Path) -> None:
    """The folder has no other files after a blob has been put, twice."""
    blobs = open_blobs(tmp_path.as_uri())
    for _ in range(2):
        blobs.put("some/name", b"x")
    assert [tmp_path / "some" / "name"] == [p for p in tmp_path.rglob("*") if p.is_file()]


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Files beside the folder can neither be read nor written."""
    (tmp_path / "secret").write_text("x")
    blobs = open_blobs((tmp_path / "inner").as_uri())
    with pytest.raises(ValueError, match="path"):
        blobs.get("../secret")
    with pytest.raises(ValueError, match="path"):
        blobs.put("../secret", b"y")
    assert (tmp_path / "secret").read_text() == "x"


def test_a_path_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute or relative to the working directory, without escapes of URLs."""
    monkeypatch.chdir(tmp_path)
    for place in (str(tmp_path / "a b%20é"), "./blobs", "some/blobs"):
        open_blobs(place).put("some/name", b"x")
    for folder in ("a b%20é", "blobs", "some/blobs"):
        assert (tmp_path / folder / "some/name").read_bytes() == b"x"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """The sentence names the URL."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(BlobsUnusable, match=f"^{(tmp_path / 'file').as_uri()}: "):
        open_blobs((tmp_path / "file").as_uri())


@pytest.mark.parametrize(
    "url", ["", "nothing", "gopher://host/x", "s3://", "s3:/bucket", "memory:///", "http://host/x"]
)
def test_a_url_that_leads_nowhere_is_rejected(url: str) -> None:
    """It fails when the server starts, not with the first image."""
    with pytest.raises(BlobsUnusable):
        open_blobs(url)
