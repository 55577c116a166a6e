"""Conformance suite: images by number, and their deletion."""

from msgspec.structs import replace

from uptake.store.base import Store
from uptake.store.records import WrittenImage
from uptake.testing.store.making import OpensStore, entry, existing, image, put, written_by

FIRST = 1_000_001


class NumberedImagesSuite(OpensStore):
    """Images are found by number, newest first, and deleted one by one."""

    def test_the_latest_images_come_first(self, store: Store) -> None:
        """Of a user or of all; the first ones are skipped, and other projects are not seen."""
        for number, user_id in enumerate(("anna", "bert", "anna", "anna")):
            put(store, image(user_id, f"{number}"))
        put(store, image("anna", "x"), project="other")

        def numbers(user_id: str | None, skip: int, limit: int) -> list[int]:
            found = store.latest_images("default", user_id, skip, limit)
            return [one.image_id - FIRST for one in found]

        assert numbers("anna", 0, 10) == [3, 2, 0]
        assert numbers("anna", 1, 1) == [2]
        assert numbers(None, 0, 3) == [3, 2, 1]
        assert numbers(None, 3, 3) == [0]
        assert numbers(None, 2**62, 3) == []
        assert numbers("unknown", 0, 3) == []

    def test_an_image_is_found_by_its_number(self, store: Store) -> None:
        """In its project alone."""
        put(store, image("anna", "x", name="one.png"))
        assert store.numbered_image("default", FIRST) == store.image("one.png")
        assert store.numbered_image("default", FIRST + 1) is None
        assert store.numbered_image("other", FIRST) is None

    def test_a_deleted_image_is_not_found_any_more(self, store: Store) -> None:
        """By number, name or user; the user's other images stay."""
        put(store, image("anna", "x", name="one.png"), image("anna", "y", name="two.png"))
        found = existing(store.image("one.png"))
        assert store.delete_image("default", found)
        assert not store.delete_image("default", found)
        assert store.image("one.png") is None
        assert store.numbered_image("default", FIRST) is None
        assert [one.name for one in store.images("default", "anna", 0, 10)] == ["two.png"]
        assert existing(store.user("default", "anna")).images == 1

    def test_an_image_is_given_other_bytes_once(self, store: Store) -> None:
        """Only if it has the bytes that the caller knows: they may have been replaced, or deleted.

        So its deletion, by one who knows the earlier bytes, deletes nothing.
        """
        put(store, image("anna", "x", name="one.png"))
        found = existing(store.image("one.png"))
        other = replace(image("anna", "x"), blob="other", sha256="0" * 64, bytes=9)
        assert store.replace_blob("default", found, other)
        assert not store.replace_blob("default", found, other)
        assert not store.delete_image("default", found)
        changed = replace(found, blob="other", sha256="0" * 64, bytes=9)
        assert store.image("one.png") == changed
        assert store.delete_image("default", changed)
        assert not store.replace_blob("default", changed, other)

    def test_the_upload_of_a_deleted_image_is_a_new_image(self, store: Store) -> None:
        """With the next number, also if the deleted one had the last number."""
        put(store, image("anna", "x", name="one.png"))
        store.delete_image("default", existing(store.image("one.png")))
        again = written_by(store, [entry(image("anna", "x", name="two.png"))])
        assert again == [(WrittenImage(FIRST + 1, "two.png", new=True),)]

    def test_images_of_a_user_share_bytes_if_they_have_the_same_blob(self, store: Store) -> None:
        """Two uploads that differ may be the same picture once their metadata is removed."""
        one = image("anna", "x", name="one.png")
        two = replace(image("anna", "y", name="two.png"), blob=one.blob)
        put(store, one, two, image("anna", "z", name="three.png"))
        assert store.shares_bytes("default", existing(store.image("one.png")))
        assert not store.shares_bytes("default", existing(store.image("three.png")))
        store.delete_image("default", existing(store.image("two.png")))
        assert not store.shares_bytes("default", existing(store.image("one.png")))
