"""What a store must do about users and their attributes."""

import pytest

from uptake.model.items import Attributes
from uptake.store.base import Store
from uptake.store.records import Record
from uptake.store.stored import User
from uptake.testing.store.making import (
    NOON,
    OpensStore,
    attributes,
    batch,
    document,
    entry,
    existing,
    image,
    put,
    rejection,
)

HARD_TEXTS = (
    "4",
    " ",
    " led by a space",
    "followed by a space ",
    "new\nline\ttab\r",
    "quote ' \" ` ; --",
    "100%_?*[a]$1",
    "back\\slash \\u0041 \\",
    '{"a": null}',
    "null",
    "NaN",
    "true",
    "é",
    "e\u0301",
    "ÅNGSTRÖM",
    "ångström",
    "ss",
    "ß",
    "日本語",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u202eright to left",
    "\x01\x1f\x7f\u2028\ufeff",
    "\U0010ffff",
    "x" * 256,
    "\U0001f600" * 256,
)
"""Texts of 1 to 256 characters that careless software confuses, cuts or mangles."""


class Users(OpensStore):
    """Users come to be, and their attributes are set one by one."""

    def test_a_user_without_data_is_none(self, store: Store) -> None:
        """There is no user before the first record about it."""
        assert store.user("default", "anna") is None

    @pytest.mark.parametrize(
        "record",
        [attributes("anna"), document("anna"), image("anna", "x"), batch("anna", "x")],
        ids=["attributes", "document", "image", "samples"],
    )
    def test_a_record_of_any_kind_creates_its_user(self, store: Store, record: Record) -> None:
        """A user exists from the first record about it."""
        put(store, record)
        user = existing(store.user("default", "anna"))
        assert (user.user_id, user.attributes) == ("anna", {})

    def test_a_rejection_creates_no_user(self, store: Store) -> None:
        """A user with rejected data only does not exist."""
        put(store, rejections=(rejection(user_id="anna"),))
        assert store.user("default", "anna") is None

    def test_documents_and_images_are_counted(self, store: Store) -> None:
        """Those of other users and projects do not count."""
        store.commit(
            [
                entry(document("anna"), document("anna"), image("anna", "x"), document("bert")),
                entry(document("anna")),
                entry(document("anna"), image("anna", "y"), project="other"),
            ]
        )
        assert store.user("default", "anna") == User("anna", {}, NOON, NOON, 3, 1)

    def test_attributes_are_set_over_what_is_there(self, store: Store) -> None:
        """Those not named stay as they are, in later commits too."""
        put(store, attributes("anna", city="Oslo", age="41"))
        put(store, attributes("anna", city="Rome", team="red"))
        assert existing(store.user("default", "anna")).attributes == {
            "city": "Rome",
            "age": "41",
            "team": "red",
        }

    def test_rows_apply_in_their_order(self, store: Store) -> None:
        """Of two rows for one attribute the later wins, inside an entry and across a group."""
        store.commit(
            [
                entry(attributes("anna", a="1", b="1"), attributes("bert", a="1")),
                entry(attributes("anna", a="2"), attributes("anna", a="3", c="3")),
                entry(attributes("anna", b="4"), attributes("bert", a="5")),
            ]
        )
        anna, bert = (existing(store.user("default", name)) for name in ("anna", "bert"))
        assert anna.attributes == {"a": "3", "b": "4", "c": "3"}
        assert bert.attributes == {"a": "5"}

    def test_an_empty_value_is_a_value(self, store: Store) -> None:
        """An attribute set to nothing is there, and replaces what it was."""
        store.commit([entry(attributes("anna", city="Oslo")), entry(attributes("anna", city=""))])
        assert existing(store.user("default", "anna")).attributes == {"city": ""}

    @pytest.mark.parametrize("text", HARD_TEXTS, ids=ascii)
    def test_any_text_can_be_a_name_or_a_value(self, store: Store, text: str) -> None:
        """Ids, names of attributes and values come back character for character."""
        put(store, Attributes(text, (text, "other"), [text, "x"]))
        put(store, Attributes(text, ("other",), [text]))
        user = existing(store.user("default", text))
        assert (user.user_id, user.attributes) == (text, {text: text, "other": text})

    def test_a_text_that_no_name_can_be_finds_nothing(self, store: Store) -> None:
        """A NUL is in no stored name, but a request may ask for one."""
        put(store, attributes("anna", a="1"), image("anna", "x", name="anna"))
        put(store, document("anna", "anna"), batch("anna", "x"))
        for text in ("anna\0", "\0", "an\0na"):
            assert store.user("default", text) is None
            assert store.user(text, "anna") is None
            assert store.spans("default", text) == []
            assert store.batches("default", text, "steps", -9, 9) == []
            assert store.document("default", text) is None
            assert store.images("default", text, 0, 9) == []
            assert store.image(text) is None
            assert store.rejections(text, "", 9) == []
            assert store.document_type("default", text) is None
            assert store.key(text) is None
            assert store.revoke_key(text, NOON) is False

    def test_texts_that_look_alike_are_different_users(self, store: Store) -> None:
        """Case, spaces, accents and their composition make a difference."""
        alike = ["anna", "Anna", "ANNA", "anna ", " anna", "\u00e5nna", "a\u030anna", "anna\u200b"]
        for user_id in alike:
            put(store, attributes(user_id, me=user_id), document(user_id))
        for user_id in alike:
            expected = User(user_id, {"me": user_id}, NOON, NOON, 1, 0)
            assert store.user("default", user_id) == expected

    def test_projects_do_not_see_each_other(self, store: Store) -> None:
        """The same user id in another project is another user."""
        put(store, attributes("anna", a="1"), project="one")
        put(store, attributes("anna", a="2"), project="two", received_at=NOON + 1)
        assert store.user("one", "anna") == User("anna", {"a": "1"}, NOON, NOON, 0, 0)
        assert store.user("two", "anna") == User("anna", {"a": "2"}, NOON + 1, NOON + 1, 0, 0)
        assert store.user("default", "anna") is None

    def test_first_and_last_seen_do_not_depend_on_the_order_of_writing(self, store: Store) -> None:
        """They are the earliest and the latest receipt, of records of any kind, in any group."""
        store.commit(
            [
                entry(batch("anna", "x"), received_at=NOON + 2),
                entry(attributes("anna", a="1"), received_at=NOON + 1),
                entry(document("anna"), received_at=NOON + 3),
                entry(attributes("anna", a="2"), received_at=NOON + 2),
            ]
        )
        user = existing(store.user("default", "anna"))
        assert (user.first_seen, user.last_seen) == (NOON + 1, NOON + 3)
        put(store, attributes("anna", a="3"), received_at=NOON + 2)
        put(store, batch("anna", "y"), received_at=NOON - 5)
        user = existing(store.user("default", "anna"))
        assert (user.first_seen, user.last_seen) == (NOON - 5, NOON + 3)
