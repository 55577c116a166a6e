"""Filters on columns match the users that a plain evaluation of each user matches."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.model.items import Attributes
from uptake.reading import Page
from uptake.reading.segments.queries import Segments
from uptake.store.records import Entry
from uptake.testing.store.model import ModelStore

from .plain import holds

EXAMPLES = 150
NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 30, 1e300])
DATES = st.sampled_from(
    ["2024-02-29", "2024-02-29T12:00:00+02:00", "20240301", "2024-03-01T00:00Z"]
)
TEXTS = st.sampled_from(
    ["", "null", " ", "x", "xy", "\u00e9", '"', "\\", "\U0001f600", "NaN", "1e999", "2024-02-30"]
)
VALUES = TEXTS | DATES | NUMBERS.map(str) | st.sampled_from(["1.0", "3e1", "030", "+1", "1\n"])
ORDERS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])


def _typed(kind: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.fixed_dictionaries(
        {"attribute": NAMES, "op": ORDERS, "value": values, "as": st.just(kind)}
    )
    several = st.fixed_dictionaries(
        {
            "attribute": NAMES,
            "op": st.just("in"),
            "value": st.lists(values, max_size=3),
            "as": st.just(kind),
        }
    )
    return one | several


CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"attribute": NAMES, "op": st.sampled_from(["exists", "is_empty"])}),
    st.fixed_dictionaries(
        {"attribute": NAMES, "op": st.sampled_from(["eq", "ne"]), "value": VALUES}
    ),
    st.fixed_dictionaries(
        {"attribute": NAMES, "op": st.just("in"), "value": st.lists(VALUES, max_size=3)}
    ),
    st.fixed_dictionaries(
        {
            "attribute": NAMES,
            "op": st.sampled_from(["contains", "starts_with"]),
            "value": VALUES.filter(bool),
        }
    ),
    _typed("number", NUMBERS),
    _typed("date", DATES),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda parts: st.one_of(
        st.fixed_dictionaries({"and": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"not": parts}),
    ),
    max_leaves=6,
)
PEOPLE = st.dictionaries(
    st.text("abc\u00e9\U0001f600", min_size=1, max_size=3),
    st.dictionaries(NAMES, VALUES),
    max_size=12,
)


def entry(people: Mapping[str, Mapping[str, str]]) -> Entry:
    """Entries that store these users."""
    records = [
        Attributes(name, tuple(values), list(values.values())) for name, values in people.items()
    ]
    return Entry("default", "request", 1, tuple(records))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    people=PEOPLE,
    later=PEOPLE,
    wanted=st.lists(FILTERS, min_size=1, max_size=4),
    size=st.integers(1, 5),
    memory=st.sampled_from([1, 1 << 30]),
)
def test_columns_equal_a_plain_evaluation_of_each_user(
    people: dict[str, dict[str, str]],
    later: dict[str, dict[str, str]],
    wanted: list[dict[str, Any]],
    size: int,
    memory: int,
) -> None:
    """Before and after some users change, with any page size, with and without room in memory."""
    store = ModelStore()
    segments = Segments(store, memory)
    stored: dict[str, dict[str, str]] = {}
    for people_now in (people, later):
        store.commit([entry(people_now)])
        stored |= {name: {**stored.get(name, {}), **values} for name, values in people_now.items()}
        for one in wanted:
            expected = sorted(name for name, values in stored.items() if holds(one, values))
            found, cursor = [], None
            while True:
                page = segments.preview("default", msgspec.json.encode(one), Page(cursor, size))
                assert page.count == len(expected)
                assert len(page.users) <= size
                found += page.users
                cursor = page.next
                if cursor is None:
                    break
            assert [user.user_id for user in found] == expected
            assert {user.user_id: user.attributes for user in found} == {
                name: stored[name] for name in expected
            }
