"""Every vector holds for the columns alone, and for the answers of a store's questions."""

from typing import Any

import msgspec
import pytest

from uptake.reading import Page
from uptake.reading.segments.parse import InvalidFilter
from uptake.reading.segments.queries import Segments
from uptake.testing.segments import Case, Vector, store_users, vectors
from uptake.testing.store.model import ModelStore

MEMORIES = (1 << 30, 1)
"""Room for all users, and for none: then each query reads them."""

CASES = [
    pytest.param(vector, case, id=f"{name}: {case.name}")
    for name, vector in vectors().items()
    for case in vector.cases
]


@pytest.mark.parametrize(("vector", "case"), CASES)
def test_every_vector_matches(vector: Vector, case: Case) -> None:
    """The users that match a filter, or its faults."""
    store: Any = ModelStore()
    store_users(vector, store, "default")
    text = msgspec.json.encode(case.filter)
    for memory in MEMORIES:
        segments = Segments(store, memory)
        if case.errors is not None:
            with pytest.raises(InvalidFilter) as rejected:
                segments.preview("default", text, Page(None, 100))
            found = [(fault.pointer, fault.code) for fault in rejected.value.faults]
            assert found == case.errors
            continue
        answer = segments.preview("default", text, Page(None, 100))
        assert [user.user_id for user in answer.users] == case.users
        assert answer.count == len(case.users or [])


def test_every_vector_has_users_or_faults() -> None:
    """And every file has vectors."""
    found = vectors()
    assert len(found) == 9
    for vector in found.values():
        assert vector.cases
        assert all((case.users is None) != (case.errors is None) for case in vector.cases)
