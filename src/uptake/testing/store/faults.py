"""Conformance suite: a store that cannot be reached."""

from collections.abc import Callable
from pathlib import Path

import pytest

from uptake.store.base import Store, StoreUnavailable
from uptake.store.definitions import Rate, TypeVersion
from uptake.testing.store.making import (
    NOON,
    attributes,
    batch,
    digest_of,
    document,
    entry,
    image,
    key,
    rejection,
)
from uptake.testing.store.opening import OpensStore

CALLS: dict[str, Callable[[Store], object]] = {
    "commit": lambda store: store.commit([entry(attributes("anna", a="2"), batch("anna", "y"))]),
    "user": lambda store: store.user("default", "anna"),
    "spans": lambda store: store.spans("default", "anna"),
    "batches": lambda store: store.batches("default", "anna", "steps", 0, 9),
    "document": lambda store: store.document("default", "one"),
    "images": lambda store: store.images("default", "anna", 0, 9),
    "image": lambda store: store.image("one.png"),
    "rejections": lambda store: store.rejections("default", "", 9),
    "add_project": lambda store: store.add_project("other", NOON),
    "projects": lambda store: store.projects(),
    "add_key": lambda store: store.add_key(key("k-2")),
    "key": lambda store: store.key(digest_of("k-1").hex()),
    "keys": lambda store: store.keys(),
    "revoke_key": lambda store: store.revoke_key("k-1", NOON),
    "add_type_version": lambda store: store.add_type_version(
        "default", "visit", TypeVersion(2, "{}", NOON)
    ),
    "document_type": lambda store: store.document_type("default", "visit"),
    "document_types": lambda store: store.document_types("default"),
    "type_versions": lambda store: store.type_versions("default", "visit", 0, 9),
    "document_versions": lambda store: store.document_versions("default", "visit"),
    "count_use": lambda store: store.count_use("k-1", Rate(1, 60), NOON),
    "ping": lambda store: store.ping(),
}
"""One call of each method."""

WRITING = ("commit", "add_project", "add_key", "revoke_key", "add_type_version", "count_use")
READING = tuple(name for name in CALLS if name not in WRITING)


def fill(store: Store) -> None:
    """Store data of every kind."""
    store.commit(
        [
            entry(
                attributes("anna", a="1"),
                document("anna", "one"),
                image("anna", "x", name="one.png"),
                batch("anna", "x"),
                rejections=(rejection("r-1"),),
            )
        ]
    )
    store.add_key(key("k-1"))
    store.add_type_version("default", "visit", TypeVersion(1, None, NOON))


def everything(store: Store) -> dict[str, object]:
    """Return the results of all methods that read."""
    return {name: CALLS[name](store) for name in READING}


class Faults(OpensStore):
    """A store out of reach raises, and has all its data when it is back."""

    @pytest.mark.parametrize("name", CALLS)
    def test_every_method_raises_while_the_store_is_out_of_reach(
        self, store: Store, tmp_path: Path, name: str
    ) -> None:
        """Every method raises `StoreUnavailable`, and works again when the store is back."""
        fill(store)
        before = everything(store)
        with self.out_of_reach(store, tmp_path):
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    CALLS[name](store)
        assert everything(store) == before
        CALLS[name](store)

    def test_a_store_can_be_out_of_reach_more_than_once(self, store: Store, tmp_path: Path) -> None:
        """What is written in between is stored."""
        for i in range(3):
            with self.out_of_reach(store, tmp_path), pytest.raises(StoreUnavailable):
                store.commit([entry(batch("anna", f"lost {i}"))])
            store.commit([entry(batch("anna", f"stored {i}"))])
        stored = store.batches("default", "anna", "steps", 0, 0)
        assert stored == [b"stored 0", b"stored 1", b"stored 2"]
