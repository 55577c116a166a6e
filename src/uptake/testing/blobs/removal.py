"""How a blob store forgets blobs."""

from pathlib import Path

from uptake.blobs import Blobs
from uptake.testing.blobs.opening import OpensBlobs


class Removal(OpensBlobs):
    """What is deleted is gone, and nothing else."""

    def test_what_is_deleted_is_gone_for_everybody(self, blobs: Blobs, tmp_path: Path) -> None:
        """Its neighbours stay."""
        for name in ("some/one", "some/two", "some/three", "else/one"):
            blobs.put(name, name.encode())
        blobs.delete(["some/one", "else/one"])
        for reader in (blobs, self.open_blobs(tmp_path)):
            assert reader.get("some/one") is None
            assert reader.read("else/one", 0, 1) is None
            assert reader.get("some/two") == b"some/two"
            assert set(reader.names("")) == {"some/two", "some/three"}

    def test_what_is_not_there_can_be_deleted(self, blobs: Blobs) -> None:
        """Alone, twice, or between others, which go all the same."""
        for name in ("some/one", "some/two", "some/three"):
            blobs.put(name, b"x")
        blobs.delete([])
        blobs.delete(["nothing/here"])
        blobs.delete(["some/one", "some/other", "nothing", "some/two", "some/one"])
        blobs.delete(["some/one"])
        assert list(blobs.names("")) == ["some/three"]

    def test_a_name_can_be_used_again(self, blobs: Blobs) -> None:
        """Also when its folder had gone with it."""
        for content in (b"one", b"two"):
            blobs.put("some/deep/name", content)
            assert blobs.get("some/deep/name") == content
            blobs.delete(["some/deep/name"])
        assert blobs.get("some/deep/name") is None
