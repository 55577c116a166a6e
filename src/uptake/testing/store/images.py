"""What a store must do about images, their numbers and their names."""

from uptake.store.base import Store
from uptake.store.records import WrittenImage
from uptake.store.stored import StoredImage
from uptake.testing.store.making import NOON, digest_of, entry, image, written_by
from uptake.testing.store.opening import OpensStore


class Images(OpensStore):
    """An image is its user and its bytes; its number is its project's, its name the world's."""

    def test_an_image_comes_back_as_it_was(self, store: Store) -> None:
        """By its user, and by its name alone."""
        store.commit([entry(image("anna", "x", name="one.png"))])
        expected = StoredImage(
            image_id=1_000_001,
            user_id="anna",
            name="one.png",
            sha256=digest_of("clean x").hex(),
            bytes=1,
            blob=f"images/{digest_of('x').hex()}",
            media_type="image/png",
            width=640,
            height=480,
            received_at=NOON,
        )
        assert store.images("default", "anna", 0, 10) == [expected]
        assert store.image("one.png") == expected

    def test_a_name_never_given_is_none(self, store: Store) -> None:
        """Names are compared as a whole."""
        store.commit([entry(image("anna", "x", name="one.png"))])
        assert [store.image(name) for name in ("", "one", "ONE.png", "one.pn_")] == [None] * 4

    def test_the_same_bytes_again_are_the_same_image(self, store: Store) -> None:
        """For one user: its number and its name are those of the first, later and in one group."""
        first = WrittenImage(1_000_001, "one.png", new=True)
        again = WrittenImage(1_000_001, "one.png", new=False)
        group = [
            entry(image("anna", "x", name="one.png"), image("anna", "x", name="two.png")),
            entry(image("anna", "x", name="three.png")),
        ]
        assert written_by(store, group) == [(first, again), (again,)]
        assert written_by(store, [entry(image("anna", "x"), received_at=NOON + 9)]) == [(again,)]
        assert store.image("two.png") is None
        assert [i.received_at for i in store.images("default", "anna", 0, 10)] == [NOON]

    def test_the_same_bytes_for_another_user_are_another_image(self, store: Store) -> None:
        """A number does not reveal that another user has the same picture."""
        store.commit([entry(image("anna", "x")), entry(image("bert", "x"))])
        anna = store.images("default", "anna", 0, 10)
        bert = store.images("default", "bert", 0, 10)
        assert [i.image_id for i in anna + bert] == [1_000_001, 1_000_002]
        assert anna[0].name != bert[0].name

    def test_every_project_numbers_its_images_from_the_first(self, store: Store) -> None:
        """And the same bytes for the same user id in another project are another image."""
        for project in ("one", "two"):
            written = written_by(
                store,
                [
                    entry(
                        image("anna", "x", name=f"{project}-x"),
                        image("anna", "y", name=f"{project}-y"),
                        project=project,
                    )
                ],
            )
            assert written == [
                (
                    WrittenImage(1_000_001, f"{project}-x", new=True),
                    WrittenImage(1_000_002, f"{project}-y", new=True),
                )
            ]
        assert [i.name for i in store.images("two", "anna", 0, 10)] == ["two-x", "two-y"]

    def test_images_page_in_order_of_number(self, store: Store) -> None:
        """After a number, at most so many."""
        store.commit([entry(*(image("anna", f"{i}") for i in range(7)), image("bert", "x"))])
        numbers = []
        after = 0
        while page := store.images("default", "anna", after, 3):
            assert len(page) <= 3
            numbers += [i.image_id for i in page]
            after = numbers[-1]
        assert numbers == list(range(1_000_001, 1_000_008))
        assert store.images("default", "unknown", 0, 3) == []
